import FoundationEssentials
import Glibc
import Linux
import Logging
import Sandbox
import Wire

/// Has the code of functions read by the analysers of rootfs-tools/analyze, one function at a time, each in a sandbox of its
/// own: the code is hostile, and so is what comes out.
@LoopActor
final class CodeAnalyzer {
    private static let timeout: Int64 = 40_000_000_000
    private static let memory: Int64 = 512 << 20
    private static let largestResult = 1 << 20
    /// Nanoseconds after a put before its analysis begins: its first requests come first.
    private static let patience: Int64 = 50_000_000

    private let directory: String
    private let environment: SandboxEnvironment
    private let logger: Logger
    private var queue: [FunctionRecord] = []
    private var running: Run?
    private var isScheduled = false
    private var isStopped = false
    /// A function's code has been read, or could not be.
    var onResult: (@LoopActor (FunctionRecord, HearthCodeAnalysis) -> Void)?

    /// - Parameter directory: the analysers' programs, `python.py` and `node.cjs`.
    init(directory: String, environment: SandboxEnvironment, logger: Logger) {
        self.directory = directory
        self.environment = environment
        self.logger = logger
    }

    /// Whether there is anything to read in such a function, and if not, why.
    static func reasonAgainst(_ function: FunctionRecord) -> String? {
        if function.codeDigest.isEmpty { return "it has no code of its own" }
        switch function.runtime {
        case .python, .node: return nil
        default: return "code of the runtime \(function.runtime.rawValue) is not analysed"
        }
    }

    /// Analyses in the background; a function that is put again meanwhile is analysed once, as it is last.
    func submit(_ function: FunctionRecord) {
        guard !isStopped else { return }
        queue.removeAll { $0.name == function.name }
        queue.append(function)
        schedule(after: Self.patience)
    }

    func remove(_ name: String) { queue.removeAll { $0.name == name } }

    func stop() {
        isStopped = true
        queue = []
        running?.sandbox.kill()
    }

    private func schedule(after delay: Int64) {
        guard !isScheduled, running == nil, !queue.isEmpty else { return }
        isScheduled = true
        Reactor.shared.schedule(after: delay) { [weak self] in
            self?.isScheduled = false
            self?.next()
        }
    }

    private func next() {
        guard !isStopped, running == nil, !queue.isEmpty else { return }
        let function = queue.removeFirst()
        do throws(AgentError) {
            try begin(function)
        } catch {
            conclude(function, Self.failed(error.message))
        }
    }

    // MARK: One run

    private final class Run {
        let function: FunctionRecord
        let sandbox: Sandbox
        let started = monotonicNow()
        var program: UInt32?
        var output: [UInt8] = []
        var reader: PipeReader?
        var timer: Reactor.Timer?
        var exit: Linux.Process.Exit?
        var problem: String?

        init(_ function: FunctionRecord, _ sandbox: Sandbox) {
            self.function = function
            self.sandbox = sandbox
        }
    }

    private func begin(_ function: FunctionRecord) throws(AgentError) {
        let isPython = function.runtime == .python
        let runtime = try environment.runtimes.runtime(function.runtime.rawValue)
        guard let interpreter = runtime.argv.first else { return }
        // The parser for JavaScript is the node's own package; Python's belongs to the interpreter the function runs with.
        let image = try environment.imageHandle(isPython ? function.image : "host")
        var spec = SandboxSpec(image: image)
        spec.limits.memory = Self.memory
        spec.limits.processes = 64
        spec.limits.cpuWeight = 1
        spec.limits.tmpBytes = 16 << 20
        let script: SharedFD
        do throws(Errno) {
            script = SharedFD(try Files.open(directory + (isPython ? "/python.py" : "/node.cjs"), flags: O_RDONLY))
        } catch {
            throw AgentError(
                .internal, "the analyser in \(directory) cannot be opened: \(error)",
                remedy: "install Hearth's share directory again", errno: error)
        }
        let run: Run
        do throws(SandboxError) {
            run = Run(function, try environment.factory.create(spec))
        } catch {
            throw AgentError(error)
        }
        running = run
        run.sandbox.onEvent = { [weak self] event in self?.handle(event, run) }
        run.timer = Reactor.shared.schedule(after: Self.timeout) {
            run.problem = "it took more than \(Self.timeout / 1_000_000_000) s"
            run.sandbox.kill()
        }
        let arguments =
            isPython ? [interpreter, "-I", "-B", "-"] : [interpreter, "--max-old-space-size=192", "-"]
        let request = SpawnRequest(
            argv: arguments + [SandboxEnvironment.codeDirectory],
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"], directory: "/",
            filter: environment.filter,
            rlimits: environment.resourceLimits(memory: Self.memory, processes: spec.limits.processes))
        environment.factory.codeMount(function.codeDigest) { [self] result in
            guard running === run, run.problem == nil else { return }
            do throws(AgentError) {
                try start(request, result, script: script, in: run)
            } catch {
                run.problem = error.message
                run.sandbox.kill()
            }
        }
    }

    private func start(
        _ request: SpawnRequest, _ mount: Result<SharedFD, SandboxError>, script: SharedFD, in run: Run
    ) throws(AgentError) {
        do throws(SandboxError) {
            try run.sandbox.bind(try mount.get(), at: SandboxEnvironment.codeDirectory)
            do throws(Errno) {
                let pipe = try environment.descriptors.pipe()
                let writer = pipe.writer
                run.reader = try PipeReader(pipe.reader) { bytes in
                    run.output.append(contentsOf: bytes.prefix(Self.largestResult + 1 - run.output.count))
                    if run.output.count > Self.largestResult {
                        run.problem = "the analyser's answer has more than \(Self.largestResult >> 20) MiB"
                        run.sandbox.kill()
                    }
                }
                do throws(SandboxError) {
                    let null = environment.null.rawValue
                    run.program = try run.sandbox.spawn(
                        request, descriptors: [script.rawValue, writer.rawValue, null])
                } catch {
                    run.problem = error.description
                    throw Errno.invalidArgument
                }
            } catch {
                throw .failed(error, at: .request)
            }
        } catch {
            throw AgentError(error)
        }
    }

    private func handle(_ event: SandboxEvent, _ run: Run) {
        switch event {
        case .exited(let cookie, let end) where cookie == run.program:
            run.exit = end.exit
            run.reader?.drain(limit: Self.largestResult)
            run.sandbox.kill()
        case .failed(_, let error):
            run.problem = run.problem ?? AgentError(error).message
            run.sandbox.kill()
        case .ended(let end): finish(run, end)
        default: break
        }
    }

    private func finish(_ run: Run, _ end: SandboxEnd) {
        run.timer?.cancel()
        run.reader?.drain(limit: Self.largestResult)
        run.reader?.close()
        running = nil
        guard !isStopped else { return }
        let took = UInt64(max(0, monotonicNow() - run.started))
        var analysis: HearthCodeAnalysis
        if let problem = run.problem {
            analysis = Self.failed(problem)
        } else if end.oomKills > 0 {
            analysis = Self.failed("reading it takes more than \(Self.memory >> 20) MiB")
        } else {
            switch run.exit {
            case .status(0)?: analysis = Self.parse(run.output)
            case .status(let status)?: analysis = Self.failed("the analyser left with status \(status)")
            case .signal(let signal)?: analysis = Self.failed("the analyser was ended by \(SignalName.of(signal))")
            case nil:
                analysis = Self.failed(end.failure?.description ?? "the analyser's sandbox ended by itself")
            }
        }
        analysis.tookNs = took
        conclude(run.function, analysis)
    }

    private func conclude(_ function: FunctionRecord, _ analysis: HearthCodeAnalysis) {
        if analysis.state == .failed {
            logger.notice(
                "code was not analysed", metadata: ["function": "\(function.name)", "reason": "\(analysis.reason)"])
        }
        onResult?(function, analysis)
        schedule(after: 1_000_000)
    }

    static func failed(_ reason: String) -> HearthCodeAnalysis {
        var analysis = HearthCodeAnalysis()
        analysis.state = .failed
        analysis.reason = FunctionRecord.printable(reason)
        return analysis
    }
}
