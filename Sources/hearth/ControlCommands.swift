import ArgumentParser
import HearthClient
import Wire

/// The tiers that a sandbox can be asked for.
enum TierName: String, ExpressibleByArgument, CaseIterable {
    case bare
    case runtime
    case ready

    var wire: HearthTier {
        switch self {
        case .bare: .bare
        case .runtime: .runtime
        case .ready: .ready
        }
    }
}

/// `hearth prefetch`: sandboxes ready before anybody asks.
struct PrefetchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prefetch", abstract: "Have sandboxes of a function ready before the next request.",
        discussion: """
            Returns at once, unless --wait is given: then when they are there. Each serves one request, or is let go when \
            its time is over.
            """)

    @OptionGroup var agent: AgentOptions
    @Argument(help: "The function's name.") var name: String
    @Option(name: .long, help: "Sandboxes wanted, those that are there included.") var count: UInt32 = 1
    @Option(name: .long, help: "How much of the start is paid ahead.") var tier = TierName.ready
    @Option(name: .long, help: "How long they are kept unused, such as 5m.") var ttl: TimeSpan?
    @Option(name: .long, help: "How sure it is that they are needed, 0 to 1.") var confidence = 1.0
    @Flag(name: .long, help: "Return when they are there.") var wait = false
    @Flag(name: .long, help: "Print JSON.") var json = false

    func validate() throws {
        guard confidence > 0, confidence <= 1 else {
            throw ValidationError("--confidence must be above 0, and at most 1")
        }
        guard count > 0 else { throw ValidationError("--count must be 1 or more") }
    }

    func run() throws {
        try reporting {
            var request = HearthPrefetchRequest()
            request.function = name
            request.count = count
            request.tier = tier.wire
            request.ttlNs = ttl?.nanoseconds ?? 0
            request.confidence = confidence
            request.wait = wait
            let response = try agent.connect().prefetch(request)
            if json {
                return JSON.print(
                    .object([
                        "started": .integer(Int64(response.started)), "present": .integer(Int64(response.present)),
                        "sandboxes": .array(response.sandboxIds.map { .string($0) }),
                    ]))
            }
            Terminal.write("\(response.present) present, \(response.started) started\n")
        }
    }
}

/// `hearth evict`: lets idle sandboxes go.
struct EvictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evict", abstract: "End idle sandboxes of a function, one of them, or all.",
        discussion: "Running sandboxes are never ended by this.")

    @OptionGroup var agent: AgentOptions
    @Argument(help: "The function's name.") var name: String?
    @Option(name: .long, help: "One sandbox, as 'hearth ps' names it.") var sandbox: String?
    @Flag(name: .long, help: "Every idle sandbox of the node.") var all = false
    @Option(name: .long, help: "Start one of this tier (bare, runtime) in place of each.") var toTier: TierName?
    @Flag(name: .long, help: "Print JSON.") var json = false

    func validate() throws {
        guard [name != nil, sandbox != nil, all].count(where: { $0 }) == 1 else {
            throw ValidationError("give one of NAME, --sandbox ID and --all")
        }
    }

    func run() throws {
        try reporting {
            var request = HearthEvictRequest()
            request.function = name ?? ""
            request.sandboxID = sandbox ?? ""
            request.all = all
            request.toTier = toTier?.wire ?? .unspecified
            let response = try agent.connect().evict(request)
            if json {
                return JSON.print(
                    .object([
                        "evicted": .integer(Int64(response.evicted)), "running": .integer(Int64(response.running)),
                    ]))
            }
            Terminal.write("\(response.evicted) evicted, \(response.running) running and left alone\n")
        }
    }
}

/// `hearth drain`: takes a node out of service.
struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Finish what runs and refuse everything new.",
        discussion: "Returns when nothing runs any more. A drained agent answers again after its restart.")

    @OptionGroup var agent: AgentOptions
    @Option(name: .long, help: "What runs longer is ended, such as 30s.") var timeout: TimeSpan?
    @Flag(name: .long, help: "End the agent afterwards.") var exit = false
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            var request = HearthDrainRequest()
            request.timeoutNs = timeout?.nanoseconds ?? 0
            request.exit = exit
            let response = try agent.connect().drain(request)
            if json {
                return JSON.print(
                    .object([
                        "finished": JSON.Value(response.finished), "ended": JSON.Value(response.ended),
                    ]))
            }
            Terminal.write("\(response.finished) finished, \(response.ended) ended\n")
        }
    }
}
