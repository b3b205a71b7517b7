import Glibc
import Testing

@testable import Linux

private func canUseCgroups() -> Bool {
    guard geteuid() == 0, let mount = try? Cgroup.mountPoint() else { return false }
    return Files.exists(mount + "/cgroup.procs")
}

/// In a group of its own under the v2 mount, taken away afterwards.
@Suite(.serialized, .enabled(if: canUseCgroups(), "skipped: takes root and a cgroup v2 mount"))
struct CgroupTests {
    private func withGroup(_ body: (borrowing Cgroup) throws -> Void) throws {
        let mount = try #require(try Cgroup.mountPoint())
        let root = try Cgroup(opening: mount)
        let group = try root.child("hearth-linux-tests-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
        defer { try? Cgroup.removeTree(group.path) }
        try body(group)
        try Cgroup.removeTree(group.path)
        #expect(!Files.exists(group.path))
    }

    private func sleeper(in group: borrowing Cgroup) throws -> Process {
        let null = try Files.open("/dev/null", flags: O_RDWR)
        return try Process.spawn(
            ["/bin/sleep", "1000"], environment: [], descriptors: [null.rawValue, null.rawValue, null.rawValue],
            cgroup: group.directory.rawValue)
    }

    @Test func theMountIsVersionTwo() throws {
        let mount = try #require(try Cgroup.mountPoint())
        let root = try Cgroup(opening: mount)
        #expect(root.has("cgroup.controllers") && root.has("cgroup.subtree_control"))
        #expect(try Cgroup.ownPath().hasPrefix("/"))
        _ = try root.availableControllers()
        #expect(throws: Errno.noEntry) { _ = try Cgroup(opening: mount + "/no-such-group") }
    }

    @Test func processesAreBornInside() throws {
        try withGroup { (group: borrowing Cgroup) throws in
            #expect(try !group.isPopulated())
            let process = try sleeper(in: group)
            #expect(try group.read("cgroup.procs") == "\(process.pid)\n")
            #expect(try group.isPopulated())
            #expect(throws: Errno.busy) { try Cgroup.removeTree(group.path) }
            try group.kill()
            #expect(try process.wait(timeout: 30_000_000_000) == .signal(SIGKILL))
            for _ in 0..<5000 where try group.isPopulated() { usleep(2000) }
            #expect(try !group.isPopulated())
        }
    }

    @Test func freezesAndKillsWhileFrozen() throws {
        let ready = try DescriptorPair.pipe()
        try withGroup { (group: borrowing Cgroup) throws in
            // With a handler of its own: the default action of SIGTERM would end it even frozen, as SIGKILL does.
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let process = try Process.spawn(
                ["/bin/sh", "-c", "trap 'exit 3' TERM; echo up >&3; while :; do sleep 0.01; done"],
                environment: ["PATH=/usr/bin:/bin"],
                descriptors: [null.rawValue, null.rawValue, null.rawValue, ready.second.rawValue],
                cgroup: group.directory.rawValue)
            var byte: UInt8 = 0
            #expect(read(ready.first.rawValue, &byte, 1) == 1)
            try group.setFrozen(true)
            for _ in 0..<5000 where try group.keyedValues("cgroup.events")["frozen"] != 1 { usleep(2000) }
            #expect(try group.keyedValues("cgroup.events")["frozen"] == 1)
            try process.signal(SIGTERM)
            #expect(try process.wait(timeout: 50_000_000) == nil)
            try group.setFrozen(false)
            #expect(try process.wait(timeout: 30_000_000_000) == .status(3))
            let second = try sleeper(in: group)
            try group.setFrozen(true)
            try group.kill()
            #expect(try second.wait(timeout: 30_000_000_000) == .signal(SIGKILL))
        }
    }

    @Test func childrenAreOpenedWhenTheyExistAndRemovedWithTheTree() throws {
        try withGroup { (group: borrowing Cgroup) throws in
            let child = try group.child("a")
            let same = try group.child("a")
            #expect(same.path == child.path)
            let grandchild = try child.child("b")
            #expect(Files.exists(grandchild.path))
            #expect(throws: Errno.self) { try group.write("nonsense", to: "cgroup.freeze") }
            #expect(throws: Errno.self) { try group.write("1", to: "no.such.file") }
            #expect(throws: Errno.noEntry) { _ = try group.read("no.such.file") }
            try Cgroup.removeTree(child.path)
            #expect(!Files.exists(child.path))
            try Cgroup.removeTree(child.path)
        }
    }

    @Test func keyedValuesAreNumbers() throws {
        try withGroup { (group: borrowing Cgroup) throws in
            #expect(try group.keyedValues("cgroup.events") == ["populated": 0, "frozen": 0])
            #expect(try group.keyedValues("cgroup.procs").isEmpty)
        }
    }
}
