import Linux
import Wire
import Yams

/// The runtimes' command lines, read from `runtimes/NAME/runtime.yaml` beside the bootstraps.
struct RuntimeCatalog: Sendable {
    struct Runtime: Sendable {
        let argv: [String]
        let environment: [String: String]
        /// Modules that it loads before its function is known, in the runtime tier.
        var preload: [String] = []
        /// Modules that it may load then too, where the functions' code asks for them.
        var mayPreload: Set<String> = []
        /// Variables that some of these read when they are imported: a function that sets one is not served by a runtime that
        /// waited for it.
        var readAtImport: Set<String> = []
        /// An argument that tells the program its share of the memory limit: text with `{mib}`, and the share.
        var memoryArgument: (text: String, share: Double)?
        /// How the runtime ends when its own heap is full: a signal, and what it writes before.
        var outOfMemory: (signal: Int32, text: String)?

        /// The command line for a function with this memory limit.
        func argv(memory: Int64) -> [String] {
            guard let (text, share) = memoryArgument, let program = argv.first else { return argv }
            let mib = max(1, Int64(Double(memory >> 20) * share))
            return [program, text.replacing("{mib}", with: String(mib))] + argv.dropFirst()
        }
    }

    private let runtimes: [String: Runtime]

    init(directory: String) throws(AgentError) {
        var runtimes: [String: Runtime] = [:]
        for name in RuntimeKind.allCases.map(\.rawValue) {
            let path = "\(directory)/\(name)/runtime.yaml"
            guard Files.exists(path) else { continue }
            runtimes[name] = try Self.read(path)
        }
        self.runtimes = runtimes
    }

    func runtime(_ name: String) throws(AgentError) -> Runtime {
        guard let runtime = runtimes[name] else {
            throw AgentError(
                .failedPrecondition, "the runtime '\(name)' is not installed",
                remedy: "install Hearth's runtimes beside the agent (share/hearth/runtimes/\(name))")
        }
        return runtime
    }

    /// Of everything that a runtime's process is started with.
    var digest: UInt64 {
        var digest = Checksum()
        for (name, runtime) in runtimes.sorted(by: { $0.key < $1.key }) {
            digest.add(name)
            for argument in runtime.argv(memory: 1 << 30) { digest.add(argument) }
            for (key, value) in runtime.environment.sorted(by: { $0.key < $1.key }) { digest.add(key + "=" + value) }
        }
        return digest.value
    }

    var names: [String] { runtimes.keys.sorted() }

    private static func read(_ path: String) throws(AgentError) -> Runtime {
        do {
            let node = try Yams.compose(yaml: try Files.readText(path))
            guard let argv = node?["argv"]?.sequence?.compactMap(\.string), !argv.isEmpty else {
                throw AgentError(
                    .internal, "\(path) has no list 'argv'", remedy: "install Hearth's runtimes again")
            }
            var environment: [String: String] = [:]
            for (key, value) in node?["env"]?.mapping ?? [:] {
                if let key = key.string, let value = value.scalar?.string { environment[key] = value }
            }
            var runtime = Runtime(argv: argv, environment: environment)
            runtime.preload = node?["preload"]?.sequence?.compactMap(\.string) ?? []
            runtime.mayPreload = Set(node?["may_preload"]?.sequence?.compactMap(\.string) ?? [])
            runtime.readAtImport = Set(node?["read_at_import"]?.sequence?.compactMap(\.string) ?? [])
            if let node = node?["memory_argument"], let text = node["argument"]?.string,
                let share = node["share"]?.float
            {
                runtime.memoryArgument = (text, share)
            }
            if let node = node?["out_of_memory"], let text = node["stderr"]?.string,
                let signal = SignalName.number(node["signal"]?.string ?? "")
            {
                runtime.outOfMemory = (signal, text)
            }
            return runtime
        } catch let error as AgentError {
            throw error
        } catch {
            throw AgentError(.internal, "\(path): \(error)", remedy: "install Hearth's runtimes again")
        }
    }
}
