import Glibc
package import Linux
package import NurseryABI
@testable package import Sandbox

/// A nursery spoken to byte by byte, as a hearthd that has been taken over would.
package final class RawNursery {
    package let directory: String
    package let cgroups: CgroupTree
    package let configuration: NurseryConfiguration
    package let process: Linux.Process
    package private(set) var connection: SharedFD
    private var lastCookie: UInt64 = 1 << 32

    /// - Parameter executable: another program than the one of this build.
    package init(linger: Int = 30, networks: Int = 2, executable: String? = nil, user: UInt32? = nil) throws {
        directory = try TestFiles.temporaryDirectory()
        var configuration = try TestNode.makeDirectories(directory, networks: networks, linger: linger)
        if let executable { configuration.executable = executable }
        configuration.user = user
        self.configuration = configuration
        cgroups = try CgroupTree(instance: "raw-" + (directory.split(separator: "-").last ?? ""))
        let started = try NurseryProcess.start(configuration, cgroup: cgroups.nurseryDirectory)
        process = try Linux.Process(opening: started.process.pid)
        connection = SharedFD(started.takeConnection())
    }

    /// How many descriptors the nursery has when it has made all that it keeps ready: network namespaces and the next
    /// sandbox's copy of an image, which it makes while it has nothing else to do.
    package func descriptorsAtRest() throws -> Int {
        let wanted = UInt32(configuration.networks)
        for _ in 0..<4000 where try ask(NurseryClient.request(HN_HELLO)).0.networks < wanted { usleep(5000) }
        var count = try Files.list("/proc/\(process.pid)/fd").count
        for _ in 0..<200 {
            usleep(100_000)
            let next = try Files.list("/proc/\(process.pid)/fd").count
            if next == count { break }
            count = next
        }
        return count
    }

    /// A control group to be born in.
    package func group(_ name: String) throws -> Cgroup {
        try Cgroup(opening: cgroups.path + "/sandboxes").child(name)
    }

    package func disconnect() throws {
        // Any other descriptor: closing is what counts.
        connection = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
    }

    package func reconnect() throws {
        try disconnect()
        connection = SharedFD(try UnixSocket.connect(path: configuration.socket, kind: .sequencedPacket))
    }

    package func send(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws {
        _ = try Message.send(connection.rawValue, bytes, descriptors: descriptors, wait: true)
    }

    package func send(_ request: hn_request, _ descriptors: [Int32] = []) throws {
        try send(withUnsafeBytes(of: request) { Array($0) }, descriptors)
    }

    /// The next packet; nil when none comes in time, or the nursery closed the connection.
    package static func receive<Packet>(
        _ fd: Int32, as empty: Packet, within milliseconds: Int32
    ) throws -> (Packet, [SharedFD])? {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard try systemCall({ poll(&entry, 1, milliseconds) }) == 1 else { return nil }
        var packet = empty
        let (count, descriptors) = try withUnsafeMutableBytes(of: &packet) { try Message.receive(fd, into: $0) }
        guard count > 0 else { return nil }
        guard count == MemoryLayout<Packet>.size else { throw TestFailure("a packet of \(count) bytes") }
        return (packet, descriptors)
    }

    /// Takes every reply that is there.
    package func drain() throws {
        while try Self.receive(connection.rawValue, as: hn_reply(), within: 0) != nil {}
    }

    /// Sends a request and waits for its own reply, passing over others.
    package func ask(_ request: hn_request, _ descriptors: [Int32] = []) throws -> (hn_reply, [SharedFD]) {
        lastCookie += 1
        var copy = request
        copy.cookie = lastCookie
        try send(copy, descriptors)
        while let (reply, fds) = try Self.receive(connection.rawValue, as: hn_reply(), within: 30_000) {
            if reply.cookie == lastCookie { return (reply, fds) }
        }
        throw TestFailure("the nursery does not answer request \(request.op)")
    }

    package func prepareHost() throws -> UInt32 {
        var request = NurseryClient.request(HN_IMAGE)
        request.image_kind = HN_IMAGE_HOST.rawValue
        try FixedText.store("host", in: &request.name, what: "name")
        let (reply, _) = try ask(request)
        guard reply.error == 0 else { throw TestFailure("image: \(Errno(rawValue: reply.error))") }
        return reply.image
    }

    package static func creation(slot: UInt32, image: UInt32) -> hn_request {
        var request = NurseryClient.request(HN_CREATE)
        request.sandbox = UInt64(slot) + 1
        request.slot = slot
        request.image = image
        request.tmp_bytes = 1 << 20
        request.tmp_inodes = 100
        request.shm_bytes = 1 << 20
        return request
    }

    /// A sandbox of its own: the test holds hearthd's end of PID 1's socket.
    package func create(slot: UInt32, image: UInt32) throws -> RawSandbox {
        let cgroup = try group("s\(slot)")
        let path = cgroup.path
        let pair = try DescriptorPair.socket(.sequencedPacket).take()
        let inside = OwnedFD(owning: pair.second)
        let control = SharedFD(owning: pair.first)
        let (reply, _) = try ask(
            Self.creation(slot: slot, image: image),
            [inside.rawValue, control.rawValue, cgroup.directory.rawValue])
        guard reply.error == 0 else {
            throw TestFailure("create: \(Errno(rawValue: reply.error)) \(SandboxStage(rawValue: reply.stage))")
        }
        return RawSandbox(slot: slot, pid: reply.pid, control: control, cgroup: path)
    }

    package func kill(_ sandbox: RawSandbox) throws {
        var request = NurseryClient.request(HN_KILL)
        request.sandbox = UInt64(sandbox.slot) + 1
        request.slot = sandbox.slot
        _ = try ask(request)
        for _ in 0..<400 where Files.exists(sandbox.cgroup) {
            try? Cgroup.removeTree(sandbox.cgroup)
            usleep(5000)
        }
    }

    /// The proof that nothing is broken: a sandbox is made, runs a program, and ends.
    package func checkItWorks(slot: UInt32 = 4095, image: UInt32) throws {
        let sandbox = try create(slot: slot, image: image)
        try sandbox.runTrue()
        try kill(sandbox)
    }

    package func stop() throws {
        try? process.signal(SIGKILL)
        // ECHILD: the test has seen it end already.
        _ = try? process.wait(timeout: 30_000_000_000)
        for _ in 0..<400 where Files.exists(cgroups.path) {
            cgroups.remove()
            usleep(5000)
        }
        guard !Files.exists(cgroups.path) else { throw TestFailure("\(cgroups.path) is left over") }
        try Files.removeTree(directory)
    }
}

/// The far end of a PID 1.
package struct RawSandbox {
    package let slot: UInt32
    package let pid: Int32
    package let control: SharedFD
    package let cgroup: String

    package init(slot: UInt32, pid: Int32, control: SharedFD, cgroup: String) {
        self.slot = slot
        self.pid = pid
        self.control = control
        self.cgroup = cgroup
    }

    package func send(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws {
        _ = try Message.send(control.rawValue, bytes, descriptors: descriptors, wait: true)
    }

    package func next(within milliseconds: Int32 = 5000) throws -> hp_message? {
        try RawNursery.receive(control.rawValue, as: hp_message(), within: milliseconds)?.0
    }

    package func drain() throws { while try next(within: 0) != nil {} }

    package static func spawnTrue(cookie: UInt32 = 0x77) throws -> [UInt8] {
        var bytes = try SpawnRequest(argv: ["/bin/true"], environment: ["A=b"]).encoded(descriptors: 0)
        withUnsafeBytes(of: cookie) { bytes.replaceSubrange(8..<12, with: $0) }
        return bytes
    }

    /// Starts /bin/true and waits for its end; answers to whatever was asked before are passed over.
    package func runTrue() throws {
        let cookie = UInt32.random(in: 0x1000...UInt32.max)
        try send(try Self.spawnTrue(cookie: cookie))
        while let message = try next() {
            guard message.cookie == cookie else { continue }
            if message.op == HP_EXITED.rawValue {
                guard message.exit_status == 0 else { throw TestFailure("exit \(message.exit_status)") }
                return
            }
            if message.op == HP_FAILED.rawValue {
                throw TestFailure("\(Errno(rawValue: message.error)) at \(SandboxStage(rawValue: message.stage))")
            }
        }
        throw TestFailure("PID 1 is silent")
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a seed that a failure prints repeats the run.
package struct SeededGenerator: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    /// HEARTH_SEED, or a new one.
    package init() {
        let given = getenv("HEARTH_SEED").flatMap { UInt64(String(cString: $0)) }
        seed = given ?? UInt64.random(in: 0...UInt64.max)
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    package mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
