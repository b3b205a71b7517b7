import Linux
import Sandbox
import Wire

/// Runtimes that keep the function loaded and speak protocol/FUNCTION.md on descriptor 3: python, node, native.
extension FunctionSandbox {
    func spawnResident(_ command: SpawnRequest) throws(AgentError) {
        let inner: SharedFD
        do throws(Errno) {
            let pair = try DescriptorPair.socket(.stream).take()
            inner = SharedFD(owning: pair.second)
            channel = try FunctionChannel(OwnedFD(owning: pair.first), maximumResult: environment.limits.maximumResult)
            {
                [weak self] event in self?.channelEvent(event)
            }
        } catch {
            throw outOfDescriptors(error)
        }
        let writers = try openPipes { [weak self] bytes in self?.logged(1, bytes) }
        do throws(SandboxError) {
            program = try sandbox.spawn(
                command,
                descriptors: [
                    environment.null.rawValue, writers.output.rawValue, writers.errors.rawValue, inner.rawValue,
                ])
        } catch {
            throw AgentError(error)
        }
    }

    /// Pipes for stdout and stderr: we keep the reading ends, the program gets the others.
    func openPipes(
        onOutput: @escaping @LoopActor (ArraySlice<UInt8>) -> Void
    ) throws(AgentError) -> (output: SharedFD, errors: SharedFD) {
        do throws(Errno) {
            let outputPipe = try environment.descriptors.pipe()
            output = try PipeReader(outputPipe.reader, handler: onOutput)
            let errorPipe = try environment.descriptors.pipe()
            errors = try PipeReader(errorPipe.reader) { [weak self] bytes in self?.logged(2, bytes) }
            return (outputPipe.writer, errorPipe.writer)
        } catch {
            throw outOfDescriptors(error)
        }
    }

    func outOfDescriptors(_ error: Errno) -> AgentError {
        AgentError(
            .resourceExhausted, "no descriptors for '\(label)': \(error)",
            remedy: "raise LimitNOFILE of hearthd", retryable: true, errno: error)
    }

    /// HELLO has come, the code is bound, and PID 1 is sealed.
    func initialize(_ function: FunctionRecord) {
        hasInitialized = true
        var fields: [String: JSONValue] = [
            "protocol": .integer(1), "function": .string(function.name), "handler": .string(function.handler),
            "code": .string(SandboxEnvironment.codeDirectory), "memory_bytes": .integer(function.memoryBytes),
            "timeout_ns": .integer(function.timeout),
            "max_result_bytes": .integer(Int64(environment.limits.maximumResult)),
        ]
        fields["env"] = .object(function.environment.mapValues { .string($0) })
        channel?.send(.initialize, body: Array(JSONValue.object(fields).text.utf8))
    }

    func channelEvent(_ event: FunctionChannel.Event) {
        switch event {
        case .message(let message): received(message)
        case .closed(let reason): channelClosed(reason)
        }
    }

    private func received(_ message: FunctionChannel.Message) {
        switch message {
        case .hello:
            guard state == .creating, !isGreeted else { return misbehaved("a second HELLO") }
            isGreeted = true
            proceed()
        case .ready:
            guard state == .creating, hasInitialized, functionReadyAt == 0 else {
                return misbehaved("a READY that was not due")
            }
            loaded()
        case .initError(let body):
            guard state == .creating, hasInitialized, functionReadyAt == 0 else {
                return misbehaved("an INIT_ERROR that was not due")
            }
            var detail = BootstrapError.read(body).detail
            detail.hint = "correct the function's code and put it again"
            failStart(.initFailed, detail)
        case .result(let invocation, let payload):
            answered(invocation, InvocationResult(outcome: .ok, payload: payload))
        case .error(let invocation, let body):
            let error = BootstrapError.read(body)
            answered(
                invocation, InvocationResult(outcome: .functionError, failure: error.detail), reusable: !error.isFatal)
        case .chunk(let invocation, let bytes):
            guard let current, invocation == wireNumber(current) else { return misbehaved("a CHUNK that was not due") }
            takeChunk(bytes)
        }
    }

    /// A piece of a streamed result: passed on, or collected where the client wants it whole.
    private func takeChunk(_ bytes: [UInt8]) {
        guard let current else { return }
        if let onChunk = current.onChunk { return onChunk(bytes) }
        guard collected.count + bytes.count <= environment.limits.maximumResult else {
            return resultTooLarge()
        }
        collected += bytes
    }

    func resultTooLarge() {
        guard let invocation = current else { return }
        current = nil
        conclude(
            invocation,
            InvocationResult(
                outcome: .functionError,
                failure: FailureDetail(
                    type: "ResultTooLarge",
                    message: "the result of '\(label)' passes \(environment.limits.maximumResult) bytes",
                    hint: "return less, or take the result as a stream")), reusable: false)
        end()
    }

    /// - Parameter reusable: false when the process ends after its answer.
    private func answered(_ number: UInt32, _ answer: InvocationResult, reusable: Bool = true) {
        guard let invocation = current, number == wireNumber(invocation) else {
            return misbehaved("an answer that was not due")
        }
        timer?.cancel()
        // While it is still the current one: what it wrote last is streamed to its client too.
        drainLogs()
        guard current === invocation else { return }
        current = nil
        var result = answer
        if !collected.isEmpty {
            result.payload = collected + result.payload
            collected = []
        }
        conclude(invocation, result, reusable: reusable)
    }

    func runResident(_ invocation: Invocation) {
        channel?.send(
            .invoke, invocation: wireNumber(invocation), prefix: invocation.invokePrefix(), body: invocation.payload)
    }

    /// FUNCTION.md numbers invocations from 1 within a process.
    private func wireNumber(_ invocation: Invocation) -> UInt32 {
        // The warm-up is the first; the others follow it.
        invocation.isWarmup ? 1 : UInt32(truncatingIfNeeded: served + 2)
    }

    /// Something only a function that found descriptor 3 would send: it has hurt itself, and is ended.
    private func misbehaved(_ what: String) {
        let detail = FailureDetail(
            type: "ProtocolViolation", message: "'\(label)' sent \(what) on descriptor 3",
            hint: "descriptor 3 belongs to the runtime; the function must leave it alone")
        if state == .creating, current == nil { return failStart(.initFailed, detail) }
        if let invocation = current {
            current = nil
            drainLogs()
            conclude(invocation, InvocationResult(outcome: .crashed, failure: detail), reusable: false)
        }
        end()
    }

    private func channelClosed(_ reason: String) {
        channel = nil
        guard state != .ending else { return }
        // An exit closes the channel first and is reported a moment later. When no report comes the sandbox is ended, and its end
        // brings the evidence: the OOM killer's count, or the lack of any other reason.
        Reactor.shared.schedule(after: 100_000_000) { [weak self] in
            guard let self, self.state != .ending, self.programEnd == nil else { return }
            self.channelFailure = FailureDetail(
                type: "ChannelClosed", message: reason,
                hint: "descriptor 3 belongs to the runtime; the function must leave it open")
            self.end()
        }
    }
}
