import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// SIGKILL to PID 1 and to the nursery at every step of a creation: nothing of it is left, and life goes on.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct CrashSafety {
        static let initSteps = Array(HN_FAULT_ARMED.rawValue...HN_FAULT_LAST_INIT.rawValue)
        static let nurserySteps = Array(HN_FAULT_IMAGE.rawValue...HN_FAULT_LAST.rawValue)

        /// A creation that stops at a step. `inside` is PID 1's process, where there is one yet.
        private struct Stopped {
            let group: String
            let control: SharedFD
            let inside: Int32?
        }

        private func stop(_ nursery: RawNursery, slot: UInt32, image: UInt32, at step: UInt32) throws -> Stopped {
            let group = try nursery.group("s\(slot)")
            let pair = try DescriptorPair.socket(.sequencedPacket).take()
            let inside = OwnedFD(owning: pair.second)
            let control = SharedFD(owning: pair.first)
            var request = RawNursery.creation(slot: slot, image: image)
            request.flags = HN_CREATE_TEST_FAULT.rawValue
            request.fault = step
            request.cookie = UInt64(step) << 40
            try nursery.send(request, [inside.rawValue, control.rawValue, group.directory.rawValue])
            _ = consume inside
            if step <= HN_FAULT_LAST_INIT.rawValue {
                let told = try RawNursery.receive(control.rawValue, as: hp_message(), within: 60_000)?.0
                guard told?.op == UInt16(HP_FAILED.rawValue), told?.stage == HN_STAGE_FAULT.rawValue else {
                    throw TestFailure("PID 1 did not stop at step \(step): \(String(describing: told))")
                }
            } else {
                let told = try RawNursery.receive(nursery.connection.rawValue, as: hn_reply(), within: 60_000)?.0
                guard told?.cookie == 0, told?.stage == HN_STAGE_FAULT.rawValue else {
                    throw TestFailure("the nursery did not stop at step \(step): \(String(describing: told))")
                }
            }
            let pids = try group.read("cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
            // Born, or not born yet.
            guard pids.count == (step >= HN_FAULT_IMAGE.rawValue && step < HN_FAULT_CLONED.rawValue ? 0 : 1) else {
                throw TestFailure("at step \(step) the group has the processes \(pids)")
            }
            return Stopped(group: group.path, control: control, inside: pids.first)
        }

        private func isAlive(_ pid: Int32) -> Bool {
            guard let status = try? Files.readText("/proc/\(pid)/status") else { return false }
            return !status.contains("\nState:\tZ") && !status.contains("\nState:\tX")
        }

        private func eventually(_ what: String, _ condition: () throws -> Bool) throws {
            for _ in 0..<4000 {
                if try condition() { return }
                usleep(2500)
            }
            throw TestFailure("not within 10 s: \(what)")
        }

        /// Descriptors, mounts and children of the nursery.
        private func count(_ nursery: RawNursery) throws -> [Int] {
            let pid = nursery.process.pid
            let children = try Files.readText("/proc/\(pid)/task/\(pid)/children").split(separator: " ").count
            return [
                try Files.list("/proc/\(pid)/fd").count,
                try Files.readText("/proc/\(pid)/mountinfo").split(separator: "\n").count, children,
            ]
        }

        @Test func pid1IsKilledAtEveryStep() throws {
            let nursery = try RawNursery(networks: 0)
            do {
                let image = try nursery.prepareHost()
                try nursery.checkItWorks(image: image)
                var before: [Int] = []
                try eventually("the nursery rests") {
                    before = try count(nursery)
                    usleep(20_000)
                    return try count(nursery) == before
                }
                try nursery.drain()
                // Always the same slot: its ids must be free again each time.
                for step in Self.initSteps {
                    let stopped = try stop(nursery, slot: 7, image: image, at: step)
                    let pid = try #require(stopped.inside)
                    // Until PID 1 has its own descriptors the nursery waits for it: that is a refused birth. Later it is a death.
                    let isBorn = step > HN_FAULT_DESCRIPTORS.rawValue
                    if isBorn {
                        let born = try RawNursery.receive(nursery.connection.rawValue, as: hn_reply(), within: 60_000)?
                            .0
                        #expect(born?.op == UInt16(HN_CREATE.rawValue) && born?.error == 0, "step \(step)")
                    }
                    #expect(kill(pid, SIGKILL) == 0)
                    let end = try RawNursery.receive(nursery.connection.rawValue, as: hn_reply(), within: 60_000)?.0
                    let expected = isBorn ? HN_EXITED : HN_CREATE
                    #expect(end?.op == UInt16(expected.rawValue), "step \(step)")
                    #expect(end?.error == (expected == HN_CREATE ? ESRCH : 0), "step \(step)")
                    try eventually("the group is empty") {
                        try Cgroup.removeTree(stopped.group)
                        return !Files.exists(stopped.group)
                    }
                    try eventually("step \(step): the nursery is as before") { try count(nursery) == before }
                    try nursery.checkItWorks(slot: 7, image: image)
                    try nursery.drain()
                }
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }

        @Test(arguments: initSteps + nurserySteps)
        func theNurseryIsKilled(at step: UInt32) throws {
            let nursery = try RawNursery(networks: step % 2 == 0 ? 2 : 0)
            do {
                let image = try nursery.prepareHost()
                // One that is there already, with a child of its own.
                let other = try nursery.create(slot: 1, image: image)
                let stopped = try stop(nursery, slot: 2, image: image, at: step)
                try nursery.process.signal(SIGKILL)
                try eventually("step \(step): all have ended") {
                    !isAlive(other.pid) && !(stopped.inside.map(isAlive) ?? false)
                }
                for group in [other.cgroup, stopped.group] {
                    try eventually("\(group) is empty") {
                        try? Cgroup.removeTree(group)
                        return !Files.exists(group)
                    }
                }
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }

        /// The nursery is killed while many sandboxes live, some with processes that left their session: never an orphan.
        @Test func aDeadNurseryLeavesNoOrphan() throws {
            let nursery = try RawNursery(networks: 2)
            do {
                let image = try nursery.prepareHost()
                var sandboxes: [RawSandbox] = []
                for slot in 0..<UInt32(8) {
                    let sandbox = try nursery.create(slot: slot, image: image)
                    var bytes = try SpawnRequest(
                        argv: [
                            "/bin/sh", "-c", "setsid sh -c 'sleep 1000 & sleep 1000' & trap '' TERM HUP; sleep 1000",
                        ],
                        environment: ["PATH=/bin:/usr/bin"]
                    ).encoded(descriptors: 0)
                    withUnsafeBytes(of: UInt32(5)) { bytes.replaceSubrange(8..<12, with: $0) }
                    try sandbox.send(bytes)
                    sandboxes.append(sandbox)
                }
                var all: [Int32] = []
                try eventually("all of them run") {
                    all = try sandboxes.flatMap {
                        try Files.readText($0.cgroup + "/cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
                    }
                    return all.count >= 8 * 5
                }
                try nursery.process.signal(SIGKILL)
                try eventually("every process has ended") { !all.contains(where: isAlive) }
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }

        /// Fault injection is not in what is installed.
        @Test func aReleaseNurseryRefusesTheFlag() throws {
            let debug = try TestFiles.nursery()
            let release = debug.replacing("/debug/", with: "/release/")
            guard release != debug, Files.exists(release) else {
                print("skipped: no release build of hearth-nursery; make build")
                return
            }
            let nursery = try RawNursery(executable: release)
            do {
                let image = try nursery.prepareHost()
                let group = try nursery.group("s3")
                for (flags, fault) in [(HN_CREATE_TEST_FAULT.rawValue, UInt32(1)), (2, 0), (0, 1)] {
                    let pair = try DescriptorPair.socket(.sequencedPacket).take()
                    let inside = OwnedFD(owning: pair.second)
                    let control = OwnedFD(owning: pair.first)
                    var request = RawNursery.creation(slot: 3, image: image)
                    request.flags = flags
                    request.fault = fault
                    let (reply, _) = try nursery.ask(
                        request, [inside.rawValue, control.rawValue, group.directory.rawValue])
                    #expect(reply.error == EINVAL || reply.error == EPROTO, "\(flags) \(fault): \(reply.error)")
                    #expect(reply.stage == HN_STAGE_REQUEST.rawValue)
                }
                try nursery.checkItWorks(image: image)
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }
    }
}
