import Linux
import Sandbox
import WarmPool

/// A function's sandbox that outlives its hearthd: what the nursery keeps of it, and how the next one takes it over.
extension FunctionSandbox {
    /// Gives the nursery what the next hearthd needs: the channel of the program inside, the reading ends of its output, the tag.
    func keep() {
        mustKeep = false
        var kept: SandboxTag.Kept = []
        var descriptors: [Int32] = []
        if runtime != .command, let channel, let output, let errors {
            kept = .all
            descriptors = [channel.descriptor, output.descriptor, errors.descriptor]
        }
        let tag = SandboxTag(
            tier: tier, kept: kept, runtime: runtime?.index ?? 0, program: kept.isEmpty ? 0 : program ?? 0,
            generation: tier == .ready ? function?.generation ?? 0 : 0, created: created,
            posture: environment.posture, tmpBytes: base.tmpBytes, memory: launch?.memory ?? 0,
            processes: UInt32(clamping: launch?.processes ?? 0)
        ).encoded
        keptTag = Checksum.of(tag)
        sandbox.keep(tag: tag, descriptors: descriptors)
        noteServed()
    }

    /// In the restart file: how often it has served, and which tag goes with that.
    func noteServed() {
        environment.restart.note(
            slot: sandbox.slot, sandbox: sandbox.id,
            RestartFile.Served(invocations: served, lastUsed: lastUsed, tag: keptTag))
    }

    /// Takes an earlier hearthd's sandbox over.
    /// - Parameter function: of the ready tier.
    /// - Returns: nil where what was kept of it does not fit together: the caller ends the sandbox.
    static func adopt(
        id: UInt64, function: FunctionRecord?, image: String, kept: KeptSandbox, tag: SandboxTag,
        environment: SandboxEnvironment, owner: any FunctionSandboxOwner
    ) -> FunctionSandbox? {
        let runtime = RuntimeKind.allCases[Int(tag.runtime)]
        let launch =
            tag.tier == .bare || tag.processes == 0
            ? nil : RuntimeLaunch(runtime: runtime, memory: tag.memory, processes: Int64(tag.processes))
        let base = SandboxBase(image: image, tmpBytes: tag.tmpBytes)
        if let function {
            guard function.runtime == runtime, environment.base(of: function) == base,
                environment.launch(of: function) == launch
            else { return nil }
        } else {
            guard tag.tier == .bare || launch != nil else { return nil }
        }
        let hasProgram = tag.tier > .bare && runtime != .command
        guard tag.kept == (hasProgram ? .all : []), kept.descriptors.count == tag.kept.count,
            (tag.program != 0) == hasProgram,
            // The tag that was sent last: one that was still on its way at the kill describes another state than the nursery's.
            let notes = environment.restart.served(kept.sandbox.id), notes.tag == Checksum.of(kept.tag)
        else { return nil }
        let adopted = FunctionSandbox(
            id: id, base: base, launch: launch, function: function, environment: environment, owner: owner,
            adopting: kept.sandbox, tag: tag)
        adopted.served = notes.invocations
        adopted.lastUsed = min(max(notes.lastUsed, tag.created), monotonicNow())
        adopted.keptTag = notes.tag
        if hasProgram {
            do throws(Errno) {
                try adopted.resume(kept.descriptors)
            } catch {
                // Its owner never hears of it, so its end goes no further than the kernel.
                kept.sandbox.onEvent = nil
                return nil
            }
        }
        adopted.noteServed()
        return adopted
    }

    private func resume(_ descriptors: [SharedFD]) throws(Errno) {
        channel = try FunctionChannel(
            descriptors[0].duplicate(), maximumResult: environment.limits.maximumResult
        ) { [weak self] event in self?.channelEvent(event) }
        let (outputs, errorOutputs) = (descriptors[1], descriptors[2])
        // They are that already, unless whoever kept them did not mean well by the loop.
        for descriptor in [outputs, errorOutputs] { try descriptor.setNonblocking(true) }
        output = try PipeReader(outputs) { [weak self] bytes in self?.logged(1, bytes) }
        errors = try PipeReader(errorOutputs) { [weak self] bytes in self?.logged(2, bytes) }
    }
}

extension RuntimeKind {
    /// Its place among all, for the sandboxes' tags.
    var index: UInt8 { UInt8(Self.allCases.firstIndex(of: self) ?? 0) }
}
