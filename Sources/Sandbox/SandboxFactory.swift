import Glibc
package import Linux
import NurseryABI

/// Makes sandboxes: numbers, slots, groups and sockets here, the privileged part in the nursery.
@LoopActor
package final class SandboxFactory {
    package let cgroups: CgroupTree
    let nursery: NurseryClient
    var slots = SlotAllocator()
    var alive: [UInt64: Sandbox] = [:]
    /// Sandboxes of an earlier hearthd that could not be taken over, until the nursery reports their end: their slots.
    var strays: [UInt64: UInt32] = [:]
    private var lastID: UInt64
    private var lastGroup: UInt64
    private var spareGroups: [SpareGroup] = []
    private var isRefilling = false
    /// The nursery has ended; nothing can be made any more.
    package var onNurseryLost: (@LoopActor () -> Void)?

    /// - Parameter firstID: numbers are given above this one, so that a restarted agent does not repeat any.
    package init(nursery: NurseryClient, cgroups: CgroupTree, firstID: UInt64 = 0) {
        self.nursery = nursery
        self.cgroups = cgroups
        lastID = firstID
        lastGroup = firstID
        nursery.onExited = { [weak self] reply in self?.exited(reply) }
        nursery.onLost = { [weak self] in self?.lost() }
        refillSoon()
    }

    package var count: Int { alive.count }
    package var sandboxes: [Sandbox] { alive.values.sorted { $0.id < $1.id } }

    /// Prepares an image directory; the handle goes into `SandboxSpec.image`.
    package func prepareImage(
        _ name: String, host: Bool, completion: @escaping @LoopActor (Result<UInt32, SandboxError>) -> Void
    ) {
        var request = NurseryClient.request(HN_IMAGE)
        request.image_kind = host ? HN_IMAGE_HOST.rawValue : HN_IMAGE_DIRECTORY.rawValue
        do throws(SandboxError) {
            try FixedText.store(name, in: &request.name, what: "image name")
        } catch {
            return completion(.failure(error))
        }
        nursery.send(request) { result in completion(result.map { $0.reply.image }) }
    }

    /// A detached, read-only mount of a code directory, good for one `bind`.
    package func codeMount(
        _ name: String, completion: @escaping @LoopActor (Result<SharedFD, SandboxError>) -> Void
    ) {
        var request = NurseryClient.request(HN_TREE)
        do throws(SandboxError) {
            try FixedText.store(name, in: &request.name, what: "code name")
        } catch {
            return completion(.failure(error))
        }
        nursery.send(request) { result in
            completion(
                result.flatMap { answer in
                    answer.descriptors.first.map { .success($0) }
                        ?? .failure(.invalid("the nursery sent no mount"))
                })
        }
    }

    /// Begins a sandbox. What it is asked before it is ready waits in PID 1's socket, so that nothing waits for an answer.
    package func create(_ spec: SandboxSpec) throws(SandboxError) -> Sandbox {
        guard !nursery.isLost else { throw .nurseryLost }
        guard let slot = slots.take() else { throw .noFreeSlot(capacity: SlotAllocator.capacity) }
        lastID += 1
        do throws(SandboxError) {
            let cgroup: Cgroup
            if let spare = spareGroups.popLast() { cgroup = spare.take() } else { cgroup = try makeGroup() }
            let path = cgroup.path
            do throws(SandboxError) {
                try cgroups.limit(cgroup, to: spec.limits)
                FaultPoint.reach(.groupMade)
                let sandbox = try begin(lastID, slot, "s\(lastID)", spec, cgroup)
                refillSoon()
                return sandbox
            } catch {
                try? Cgroup.removeTree(path)
                throw error
            }
        } catch {
            slots.give(back: slot)
            throw error
        }
    }

    // MARK: Groups made ahead

    /// Making a group costs about 75 us here, an eighth of a creation: it is done while nobody waits.
    private static let spareCount = 16
    private static let quiet: Int64 = 2_000_000

    private func makeGroup() throws(SandboxError) -> Cgroup {
        lastGroup += 1
        return try cgroups.makeLeaf("g\(lastGroup)")
    }

    private func refillSoon() {
        guard !isRefilling, spareGroups.count < Self.spareCount else { return }
        isRefilling = true
        Reactor.shared.schedule(after: Self.quiet) { [weak self] in
            guard let self else { return }
            self.isRefilling = false
            // One a turn: a request that arrives meanwhile waits for one at most.
            guard !self.nursery.isLost, let group = try? self.makeGroup() else { return }
            self.spareGroups.append(SpareGroup(group))
            self.refillSoon()
        }
    }

    var spareGroupNames: [String] { spareGroups.map(\.name) }

    /// A group that has no sandbox yet; a class, since arrays do not hold types that cannot be copied.
    private final class SpareGroup {
        private var group: Cgroup?
        let name: String

        init(_ group: consuming Cgroup) {
            name = group.path.split(separator: "/").last.map(String.init) ?? ""
            self.group = consume group
        }

        func take() -> Cgroup {
            // Taken once: the caller has removed this from its list.
            guard let group = group.take() else { preconditionFailure("a spare group was taken twice") }
            return group
        }
    }

    private func begin(
        _ id: UInt64, _ slot: UInt32, _ name: String, _ spec: SandboxSpec, _ cgroup: consuming Cgroup
    ) throws(SandboxError) -> Sandbox {
        var request = NurseryClient.request(HN_CREATE)
        request.sandbox = id
        request.slot = slot
        request.image = spec.image
        request.tmp_bytes = UInt64(clamping: spec.limits.tmpBytes)
        request.tmp_inodes = UInt32(clamping: spec.limits.tmpFiles)
        request.shm_bytes = UInt64(clamping: spec.limits.shmBytes)
        request.capabilities = spec.capabilities.mask
        request.flags = spec.terminals ? HN_CREATE_DEVPTS.rawValue : 0
        request.fault = FaultPoint.creationStep
        if request.fault != 0 { request.flags |= HN_CREATE_TEST_FAULT.rawValue }
        try FixedText.store(spec.hostname, in: &request.hostname, what: "host name")
        let group = cgroup.directory.rawValue
        do throws(Errno) {
            let pair = try DescriptorPair.socket(.sequencedPacket)
            let ends = pair.take()
            let inside = OwnedFD(owning: ends.second)
            let sandbox = try Sandbox(
                id: id, slot: slot, name: name, spec: spec, control: OwnedFD(owning: ends.first), cgroup: cgroup,
                factory: self)
            alive[id] = sandbox
            FaultPoint.reach(.socketsMade)
            nursery.send(request, descriptors: [inside.rawValue, ends.first, group]) {
                [weak self, weak sandbox] result in
                guard let self, let sandbox else { return }
                switch result {
                case .success(let answer):
                    sandbox.pid = answer.reply.pid
                    if sandbox.isBackground { sandbox.applyWeight() }
                case .failure(let error):
                    if self.alive[id] != nil { sandbox.birthFailed(error) }
                }
            }
            FaultPoint.reach(.creationSent)
            return sandbox
        } catch {
            throw .failed(error, at: .request)
        }
    }

    func kill(_ sandbox: Sandbox) {
        var request = NurseryClient.request(HN_KILL)
        request.sandbox = sandbox.id
        request.slot = sandbox.slot
        // ESRCH: it was faster than we; its end is on the way.
        nursery.send(request) { _ in }
    }

    private func exited(_ reply: hn_reply) {
        if strays[reply.sandbox] == reply.slot {
            strays[reply.sandbox] = nil
            return slots.give(back: reply.slot)
        }
        guard let sandbox = alive[reply.sandbox], sandbox.slot == reply.slot else { return }
        sandbox.finish(user: reply.user_us, system: reply.system_us)
    }

    /// Takes a sandbox's group away, then gives its slot back: ids are reused only when nothing can hold them.
    func bury(_ sandbox: Sandbox) {
        alive[sandbox.id] = nil
        remove(sandbox.cgroup.path, slot: sandbox.slot, attempt: 0)
    }

    private func remove(_ path: String, slot: UInt32, attempt: Int) {
        do throws(Errno) {
            try Cgroup.removeTree(path)
            slots.give(back: slot)
        } catch {
            // EBUSY: the last task is still leaving. The kernel needs a moment, never long.
            guard attempt < 400 else { return }
            Reactor.shared.schedule(after: attempt < 10 ? 1_000_000 : 25_000_000) { [weak self] in
                self?.remove(path, slot: slot, attempt: attempt + 1)
            }
        }
    }

    private func lost() {
        for sandbox in sandboxes { sandbox.birthFailed(.nurseryLost) }
        onNurseryLost?()
    }

    /// Ends every sandbox and the nursery with them.
    package func shutdown(completion: @escaping @LoopActor () -> Void) {
        guard !nursery.isLost else { return completion() }
        // Holding on to ourselves until the nursery has gone: the caller may let go at once.
        nursery.onLost = {
            self.nursery.onLost = nil
            self.lost()
            completion()
        }
        nursery.send(NurseryClient.request(HN_SHUTDOWN)) { _ in }
    }
}
