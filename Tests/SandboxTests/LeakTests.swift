import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

/// What a sandbox could leave behind, counted.
struct Census: Equatable, CustomStringConvertible {
    var nurseryDescriptors = 0
    var ownDescriptors = 0
    var groups = 0
    var processes = 0
    var mounts = 0
    var nurseryMounts = 0

    /// What was there before may have ended meanwhile, such as groups that were on their way out.
    func isNoMore(than before: Census) -> Bool {
        nurseryDescriptors <= before.nurseryDescriptors && ownDescriptors <= before.ownDescriptors
            && groups <= before.groups && processes <= before.processes && mounts <= before.mounts
            && nurseryMounts <= before.nurseryMounts
    }

    @LoopActor
    static func take(_ node: TestNode) throws -> Census {
        var census = Census()
        census.nurseryDescriptors = try descriptors(of: node.nurseryPid)
        census.ownDescriptors = try own(below: node.cgroups.path)
        let groups = node.cgroups.path + "/sandboxes/"
        census.groups = try Files.list(groups).filter { Files.exists(groups + $0 + "/cgroup.procs") }.count
        census.processes = try children(of: node.nurseryPid)
        census.mounts = try MountTable.current().entries.count
        census.nurseryMounts = try Files.readText("/proc/\(node.nurseryPid)/mountinfo").split(separator: "\n").count
        return census
    }

    static func descriptors(of pid: Int32) throws -> Int { try Files.list("/proc/\(pid)/fd").count }

    /// This process's descriptors that a sandbox needs: groups of this tree, pidfds, packet sockets. Tests of other modules
    /// run at the same time, so all descriptors together would say nothing.
    private static func own(below tree: String) throws -> Int {
        var count = 0
        for name in try Files.list("/proc/self/fd") {
            guard let fd = Int32(name), let link = try? TestFiles.link("/proc/self/fd/" + name) else { continue }
            if link.hasPrefix(tree + "/sandboxes/") {
                count += 1
            } else if link.hasPrefix("socket:") {
                var kind: Int32 = 0
                var length = socklen_t(4)
                if getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length) == 0, kind == SOCK_SEQPACKET.rawValue {
                    count += 1
                }
            }
        }
        return count
    }

    private static func children(of parent: Int32) throws -> Int {
        try Files.readText("/proc/\(parent)/task/\(parent)/children").split(separator: " ").count
    }

    var description: String {
        "descriptors \(nurseryDescriptors)+\(ownDescriptors), groups \(groups), processes \(processes), "
            + "mounts \(mounts)+\(nurseryMounts)"
    }
}

extension SandboxTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct Leaks {
        /// The nursery makes networks and the factory makes groups ahead, while nobody waits: counts settle after that.
        @LoopActor
        private func settled(_ node: TestNode) async throws -> Census {
            var last = try Census.take(node)
            for _ in 0..<200 {
                try await Task.sleep(for: .milliseconds(30))
                let now = try Census.take(node)
                if now == last { return now }
                last = now
            }
            return last
        }

        @LoopActor
        private func comesBack(_ node: TestNode, to before: Census) async throws {
            var now = before
            do {
                try await eventually("the counts of before") {
                    now = try Census.take(node)
                    return now.isNoMore(than: before)
                }
            } catch {
                Issue.record("left over: before \(before); after \(now)")
            }
        }

        @Test @LoopActor func twoHundredAtOnceLeaveNothing() async throws {
            try await withNode(networks: 4) { node in
                try await node.create().end()
                let before = try await settled(node)
                var sandboxes: [TestSandbox] = []
                for _ in 0..<200 { sandboxes.append(try node.create()) }
                var cookies: [UInt32] = []
                for sandbox in sandboxes { cookies.append(try sandbox.spawn(["/bin/sleep", "1000"])) }
                for (sandbox, cookie) in zip(sandboxes, cookies) { _ = try await sandbox.started(cookie) }
                var ranges: Set<String> = []
                for sandbox in sandboxes { ranges.insert(try await sandbox.proc("uid_map")) }
                #expect(ranges.count == 200, "two sandboxes share a range of uids")
                #expect(Set(sandboxes.map(\.sandbox.slot)).count == 200)
                let during = try Census.take(node)
                #expect(during.groups >= 200 && during.processes == 200, "\(during)")
                for sandbox in sandboxes { sandbox.sandbox.kill() }
                for sandbox in sandboxes { #expect(try await sandbox.waitForEnd().failure == nil) }
                // A handle keeps its socket and group until it is let go.
                sandboxes.removeAll()
                try await comesBack(node, to: before)
                #expect(node.factory.count == 0)
            }
        }

        @Test @LoopActor func failuresLeaveNothing() async throws {
            try await withNode(networks: 2) { node in
                try Files.makeDirectories(node.directory + "/code/c")
                // An image without mount points fails when half of it is mounted.
                try Files.makeDirectories(node.directory + "/images/hollow/rootfs/usr")
                try await node.create().end()
                let before = try await settled(node)
                for round in 0..<10 {
                    _ = try? await node.prepare("hollow", host: true)
                    // Not even begun; begun and refused; killed at birth; programs, mounts and directories that are not there.
                    #expect(throws: SandboxError.self) {
                        _ = try node.create { $0.hostname = String(repeating: "x", count: 64) }
                    }
                    _ = try await node.create { $0.image = 9 }.waitForEnd()
                    try await node.create().end()
                    let sandbox = try node.create()
                    _ = try? await sandbox.run(["/nowhere"])
                    try sandbox.sandbox.bind(try await node.code("c"), at: "/missing")
                    _ = try? await node.code("missing")
                    _ = try? await node.prepare("missing", host: round % 2 == 0)
                    _ = try? await sandbox.run(["/bin/true"], { $0.directory = "/missing" })
                    try await sandbox.end()
                }
                try await comesBack(node, to: before)
            }
        }

        @Test @LoopActor func aNurseryKilledLeavesNothing() async throws {
            let mounts = try MountTable.current().entries.count
            let node = try await TestNode.start(networks: 2)
            var sandboxes: [TestSandbox] = []
            var pids: [Int32] = []
            for _ in 0..<10 { sandboxes.append(try node.create()) }
            for sandbox in sandboxes {
                _ = try await sandbox.started(
                    try sandbox.spawn(["/bin/sh", "-c", "trap '' TERM HUP; sleep 1000 & sleep 1000"]))
                let text = try sandbox.sandbox.cgroup.read("cgroup.procs")
                pids += text.split(separator: "\n").compactMap { Int32($0) }
            }
            #expect(pids.count >= 20)
            let handles = try pids.map { SharedFD(try Linux.Process(opening: $0).pidfd.duplicate()) }
            try node.killNursery()
            #expect(try await node.nurseryEnd() == .signal(SIGKILL))
            for handle in handles {
                try await eventually("every process dies with the nursery") {
                    var entry = pollfd(fd: handle.rawValue, events: Int16(POLLIN), revents: 0)
                    return poll(&entry, 1, 0) == 1
                }
            }
            for sandbox in sandboxes {
                let end = try await sandbox.waitForEnd()
                #expect("\(try #require(end.failure))".contains("nursery has ended"))
            }
            try await eventually("the tree goes") {
                node.cgroups.remove()
                return !Files.exists(node.cgroups.path)
            }
            #expect(try MountTable.current().entries.count == mounts)
            try Files.removeTree(node.directory)
            #expect(!Files.exists(node.directory))
        }
    }
}
