import Linux
import Sandbox
import Wire

/// The method Run: one program in a sandbox of its own, its stdio in the client's own descriptors or in DATA frames.
@LoopActor
final class RunStream: Session.StreamHandler {
    private static let slowReader = 1 << 20

    private let session: Session
    private let stream: UInt32
    private let request: HearthRunRequest
    private let arrived = monotonicNow()
    private var sandbox: Sandbox?
    private var program: UInt32?
    private var input: PipeWriter?
    private var outputs: [PipeReader] = []
    private var outcome: Outcome?
    private var failure: FailureDetail?
    private var programEnd: ProcessEnd?
    private var end: SandboxEnd?
    private var readyAt: Int64 = 0
    private var startedAt: Int64 = 0
    private var timer: Reactor.Timer?

    private init(_ session: Session, _ stream: UInt32, _ request: HearthRunRequest) {
        self.session = session
        self.stream = stream
        self.request = request
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthRunRequest.self)
        guard request.fds.isEmpty || request.fds.count == 3 else {
            throw .invalid(
                "Run takes 0 or 3 descriptors, not \(request.fds.count)", remedy: "send stdin, stdout and stderr")
        }
        guard request.fds.count == 3 || !message.tty else {
            throw .invalid("tty without descriptors", remedy: "send the terminal as the three descriptors")
        }
        guard request.fds.isEmpty || !message.stdinFollows else {
            throw .invalid("stdin_follows with descriptors", remedy: "use one or the other")
        }
        let run = RunStream(session, request.stream, message)
        try run.begin(request.fds)
        return run
    }

    private func begin(_ descriptors: [SharedFD]) throws(AgentError) {
        let agent = session.agent
        try agent.checkAccepting()
        let image = try agent.environment.imageHandle(request.image.isEmpty ? "host" : request.image)
        var spec = SandboxSpec(image: image, terminals: request.tty)
        let limits = agent.environment.limits
        let resources = try RunResources(validating: request, limits: limits)
        spec.limits.memory = resources.memory
        spec.limits.processes = resources.processes
        spec.limits.cpus = resources.cpus
        spec.limits.tmpBytes = resources.tmp
        var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"]
        variables.merge(request.env) { _, new in new }
        let uid = request.uid == 0 ? 1000 : request.uid
        let command = SpawnRequest(
            argv: request.argv, environment: variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
            directory: request.cwd.isEmpty ? "/" : request.cwd, uid: uid, gid: uid, filter: agent.environment.filter,
            rlimits: agent.environment.resourceLimits(memory: spec.limits.memory, processes: spec.limits.processes),
            terminal: request.tty)
        do throws(SandboxError) {
            let sandbox = try agent.environment.factory.create(spec)
            self.sandbox = sandbox
            sandbox.onEvent = { [self] event in handle(event) }
            agent.runStarted(sandbox)
            do throws(SandboxError) {
                try spawn(command, sandbox, descriptors)
            } catch {
                sandbox.kill()
                throw error
            }
        } catch {
            throw AgentError(error)
        }
        if request.timeoutNs > 0 {
            timer = Reactor.shared.schedule(after: Int64(clamping: request.timeoutNs)) { [weak self] in self?.timedOut()
            }
        }
    }

    private func spawn(
        _ command: SpawnRequest, _ sandbox: Sandbox, _ descriptors: [SharedFD]
    ) throws(SandboxError) {
        if descriptors.count == 3 {
            program = try sandbox.spawn(command, descriptors: descriptors.map(\.rawValue))
            return
        }
        do throws(Errno) {
            var inner = [session.agent.environment.null]
            if request.stdinFollows {
                let pipe = try DescriptorPair.pipe().take()
                inner[0] = SharedFD(owning: pipe.first)
                input = try PipeWriter(OwnedFD(owning: pipe.second)) { [weak self] count in self?.took(count) }
            }
            for channel in 1...2 as ClosedRange<UInt8> {
                let pipe = try session.agent.environment.descriptors.pipe()
                inner.append(pipe.writer)
                outputs.append(try PipeReader(pipe.reader) { [weak self] bytes in self?.wrote(channel, bytes) })
            }
            do throws(SandboxError) {
                program = try sandbox.spawn(command, descriptors: inner.map(\.rawValue))
            } catch {
                failure = FailureDetail(type: "SandboxError", message: error.description)
                throw Errno.invalidArgument
            }
        } catch {
            if let failure { throw .invalid(failure.message) }
            throw .failed(error, at: .request)
        }
    }

    // MARK: Stdio in DATA frames

    private func took(_ count: Int) { session.consumed(stream, count) }

    private func wrote(_ channel: UInt8, _ bytes: ArraySlice<UInt8>) {
        session.send(stream, channel: channel, Array(bytes))
        if session.pendingBytes(of: stream) > Self.slowReader { outputs.forEach { $0.pause() } }
    }

    func drained() { outputs.forEach { $0.resume() } }

    func received(_ bytes: [UInt8], end: Bool) {
        guard let input else { return session.consumed(stream, bytes.count) }
        if bytes.count > 1 { input.write(Array(bytes.dropFirst())) }
        session.consumed(stream, min(1, bytes.count))
        if end { input.finish() }
    }

    // MARK: Its life

    private func handle(_ event: SandboxEvent) {
        switch event {
        case .ready(let time): readyAt = time
        case .started(_, _, let time): startedAt = time
        case .exited(let cookie, let end) where cookie == program:
            programEnd = end
            for reader in outputs { reader.drain(limit: 8 << 20) }
            sandbox?.kill()
        case .failed(_, let error):
            let detail = AgentError(error)
            if outcome == nil { outcome = .initFailed }
            failure = FailureDetail(type: "ExecError", message: detail.message, hint: detail.remedy)
            sandbox?.kill()
        case .ended(let end):
            self.end = end
            finish()
        default: break
        }
    }

    private func timedOut() {
        guard outcome == nil, programEnd == nil else { return }
        outcome = .timeout
        failure = FailureDetail(
            type: "Timeout", message: "the program had not ended after \(request.timeoutNs / 1_000_000) ms",
            hint: "allow more time, or make it faster")
        sandbox?.kill()
    }

    func cancelled(_ reason: Session.CancelReason) {
        guard outcome == nil, programEnd == nil else { return }
        outcome = reason == .deadline ? .timeout : .cancelled
        failure = FailureDetail(
            type: reason == .deadline ? "Timeout" : "Cancelled",
            message: reason == .deadline ? "the request's deadline passed" : "the client cancelled the run")
        sandbox?.kill()
    }

    private func finish() {
        timer?.cancel()
        for reader in outputs {
            reader.drain(limit: 8 << 20)
            reader.close()
        }
        outputs = []
        input?.close()
        let now = monotonicNow()
        var response = HearthRunResponse()
        var exit: Linux.Process.Exit?
        if let end, end.oomKills > 0, outcome == nil {
            outcome = .outOfMemory
            failure = FailureDetail(
                type: "OutOfMemory", message: "the program needed more than its memory and was ended by the kernel",
                signal: 9, hint: "raise the memory of the run")
        }
        if outcome == nil { exit = programEnd?.exit }
        switch exit {
        case .status(let status)?:
            outcome = .ok
            response.exitStatus = status
        case .signal(let signal)?:
            outcome = .crashed
            response.signal = signal
            failure = FailureDetail(
                type: "Signal", message: "the program was ended by signal \(signal) (\(SignalName.of(signal)))",
                signal: signal)
        case nil:
            break
        }
        if outcome == nil {
            outcome = .initFailed
            failure = FailureDetail(
                type: "SandboxError", message: end?.failure?.description ?? "the sandbox ended by itself",
                hint: "see 'hearth doctor' and the agent's log")
        }
        response.outcome = (outcome ?? .initFailed).wire
        if let failure { response.error = failure.wire }
        response.sandboxID = sandbox?.name ?? ""
        response.timing.sandboxNs = readyAt == 0 ? 0 : UInt64(max(0, readyAt - arrived))
        response.timing.initNs = startedAt == 0 ? 0 : UInt64(max(0, startedAt - max(readyAt, arrived)))
        response.timing.runNs = startedAt == 0 ? 0 : UInt64(max(0, (programEnd?.at ?? now) - startedAt))
        response.timing.totalNs = UInt64(now - arrived)
        if let programEnd {
            response.usage.cpuUserNs = UInt64(max(0, programEnd.userMicroseconds)) * 1000
            response.usage.cpuSystemNs = UInt64(max(0, programEnd.systemMicroseconds)) * 1000
            response.usage.peakMemoryBytes = UInt64(max(0, programEnd.maxResidentKiB)) * 1024
        }
        if let sandbox { session.agent.runEnded(sandbox, outcome ?? .initFailed) }
        sandbox = nil
        session.respond(stream, response)
    }
}
