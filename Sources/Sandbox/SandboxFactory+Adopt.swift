import Glibc
package import Linux
import NurseryABI

/// A sandbox of an earlier hearthd, as the nursery handed it over. What comes from outside this process, the tag and the
/// descriptors, is for the owner to check.
package struct KeptSandbox: Sendable {
    package let sandbox: Sandbox
    /// Handle of its image, as `prepareImage` gives it.
    package let image: UInt32
    package let tag: [UInt8]
    /// What was kept with `Sandbox.keep`, in its order.
    package let descriptors: [SharedFD]
}

/// Taking over what outlived its hearthd.
extension SandboxFactory {
    /// Asks the nursery for every sandbox that it keeps, and becomes their owner. Those that the caller has no use for it
    /// must `kill`. To be called once, before anything is created.
    package func adopt(completion: @escaping @LoopActor (Result<[KeptSandbox], SandboxError>) -> Void) {
        var kept: [KeptSandbox] = []
        nursery.list { [weak self] reply, descriptors in
            guard let self, let found = self.takeOver(reply, descriptors) else { return }
            kept.append(found)
        } completion: { [weak self] result in
            self?.sweepStrays()
            completion(result.map { _ in kept })
        }
    }

    private func takeOver(_ reply: hn_reply, _ descriptors: [SharedFD]) -> KeptSandbox? {
        guard descriptors.count >= 2, reply.sandbox != 0, reply.slot < UInt32(SlotAllocator.capacity),
            alive[reply.sandbox] == nil
        else { return nil }
        // Its ids are in use for as long as the nursery has it, whatever becomes of it here.
        slots.reserve(reply.slot)
        do throws(Errno) {
            let group = try group(of: reply.pid, descriptors[0])
            let sandbox = try Sandbox(
                adopting: reply, control: descriptors[1].duplicate(), cgroup: Cgroup(opening: group), factory: self)
            alive[reply.sandbox] = sandbox
            return KeptSandbox(
                sandbox: sandbox, image: reply.image, tag: withUnsafeBytes(of: reply.tag) { Array($0) },
                descriptors: Array(descriptors.dropFirst(2)))
        } catch {
            // It ended a moment ago, or is in a group that is none of ours: the nursery ends it, and says so.
            strays[reply.sandbox] = reply.slot
            killStray(reply.sandbox, reply.slot)
            return nil
        }
    }

    /// The group that PID 1 is in, which must be one of ours.
    ///
    /// A pid is only a number: between the nursery's answer and the look into /proc it may have been given to another process.
    /// The pidfd tells: it names the process for good, and as long as that is alive nobody else has its number.
    private func group(of pid: Int32, _ pidfd: SharedFD) throws(Errno) -> String {
        let groups = try Files.readText("/proc/\(pid)/cgroup").split(separator: "\n")
        guard let name = groups.first(where: { $0.hasPrefix("0::") })?.split(separator: "/").last else {
            throw .noSuchProcess
        }
        let path = "\(cgroups.path)/sandboxes/\(name)"
        guard try Files.readText(path + "/cgroup.procs").split(separator: "\n").contains("\(pid)") else {
            throw .notPermitted
        }
        // "Pid: -1" once it has been reaped.
        let identity = try Files.readText("/proc/self/fdinfo/\(pidfd.rawValue)")
        guard identity.split(separator: "\n").contains("Pid:\t\(pid)") else { throw .noSuchProcess }
        return path
    }

    private func killStray(_ id: UInt64, _ slot: UInt32) {
        var request = NurseryClient.request(HN_KILL)
        request.sandbox = id
        request.slot = slot
        nursery.send(request) { _ in }
    }

    /// Groups that no sandbox is in: what the former hearthd had made ahead, or had not taken away yet.
    private func sweepStrays() {
        let used = Set(sandboxes.compactMap { $0.cgroup.path.split(separator: "/").last.map(String.init) })
        let ahead = Set(spareGroupNames)
        for leaf in cgroups.leaves() where !used.contains(leaf) && !ahead.contains(leaf) { cgroups.sweep(leaf) }
    }

    /// Gives what an adopted or new sandbox needs into the nursery's keeping, with a tag for whoever lists it.
    func keep(_ sandbox: Sandbox, tag: [UInt8], descriptors: [Int32]) {
        var request = NurseryClient.request(HN_KEEP)
        request.sandbox = sandbox.id
        request.slot = sandbox.slot
        withUnsafeMutableBytes(of: &request.tag) { $0.copyBytes(from: tag.prefix($0.count)) }
        // ESRCH: it has ended; EMFILE in the nursery: it is not kept, and ends with this hearthd.
        nursery.send(request, descriptors: descriptors) { _ in }
    }

    /// Leaves the nursery with its sandboxes to the next hearthd.
    package func letGo() {
        nursery.onLost = nil
        nursery.onExited = nil
        onNurseryLost = nil
        nursery.close()
    }
}
