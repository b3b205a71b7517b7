import Glibc
import Linux
import NurseryABI

/// A sandbox that outlives its hearthd.
extension Sandbox {
    /// Cookies of an adopted sandbox begin here, above those of the hearthd before: an answer that was still on its way to that
    /// one is then told apart from any that this one waits for.
    private static let generationOfCookies: UInt32 = 1 << 20

    convenience init(
        adopting reply: hn_reply, control: consuming OwnedFD, cgroup: consuming Cgroup, factory: SandboxFactory
    ) throws(Errno) {
        let frozen = try cgroup.read("cgroup.freeze").hasPrefix("1")
        try self.init(
            id: reply.sandbox, slot: reply.slot, name: "s\(reply.sandbox)", spec: SandboxSpec(image: reply.image),
            control: control, cgroup: cgroup, factory: factory)
        markAdopted(pid: reply.pid, isFrozen: frozen)
    }

    /// Continues the cookies of the former hearthd; `last` is one that it gave.
    package func continueCookies(after last: UInt32) {
        nextCookie = (last & ~(Self.generationOfCookies - 1)) &+ Self.generationOfCookies
    }

    /// Gives this sandbox's tag and what else belongs to it, at most 4 descriptors, into the nursery's keeping.
    package func keep(tag: [UInt8], descriptors: [Int32]) {
        factory.keep(self, tag: tag, descriptors: descriptors)
    }
}
