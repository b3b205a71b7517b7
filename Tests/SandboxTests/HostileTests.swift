import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// The nursery against a hostile hearthd, PID 1 against rubbish on its socket: one refusal each, and life goes on.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct Hostile {
        func withRaw(user: UInt32? = nil, _ body: (RawNursery, UInt32) throws -> Void) throws {
            let nursery = try RawNursery(user: user)
            do {
                let image = try nursery.prepareHost()
                try body(nursery, image)
                try nursery.checkItWorks(image: image)
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }

        private func refusal(_ nursery: RawNursery, _ request: hn_request, _ fds: [Int32] = []) throws -> String {
            let (reply, descriptors) = try nursery.ask(request, fds)
            #expect(descriptors.isEmpty)
            return
                "\(Errno(rawValue: reply.error).description.prefix { $0 != " " }) \(SandboxStage(rawValue: reply.stage))"
        }

        @Test func headersMustFit() throws {
            try withRaw { nursery, _ in
                var request = NurseryClient.request(HN_HELLO)
                let (hello, _) = try nursery.ask(request)
                #expect(hello.error == 0 && hello.more == 0 && hello.op == HN_HELLO.rawValue)
                request.magic = 0
                #expect(try refusal(nursery, request) == "EPROTO checking the request")
                request = NurseryClient.request(HN_HELLO)
                request.version = UInt16(HN_VERSION) + 1
                #expect(try refusal(nursery, request) == "EPROTO checking the request")
                request = NurseryClient.request(HN_HELLO)
                request.fault = 1
                #expect(try refusal(nursery, request) == "EPROTO checking the request")
                for op: UInt16 in [0, 9, 63, 64, 65, 0xffff] {
                    request = NurseryClient.request(HN_HELLO)
                    request.op = op
                    #expect(try refusal(nursery, request) == "ENOSYS checking the request", "op \(op)")
                }
            }
        }

        @Test func namesAreOneHarmlessComponent() throws {
            try withRaw { nursery, _ in
                try Files.makeDirectories(nursery.directory + "/images/upper/rootfs")
                try Files.makeDirectories(nursery.directory + "/code/real")
                #expect(symlink("real", nursery.directory + "/code/link") == 0)
                #expect(symlink("/etc", nursery.directory + "/code/out") == 0)
                for name in [
                    "", ".", "..", ".hidden", "a/b", "/etc", "../code", "A", "a b", "a\n", "ä", "a\\", "a%", "a:b",
                ] {
                    for op in [HN_IMAGE, HN_TREE] {
                        var request = NurseryClient.request(op)
                        try FixedText.store(name, in: &request.name, what: "name")
                        #expect(try refusal(nursery, request) == "EINVAL checking the request", "\(name)")
                    }
                }
                for name in ["missing", "link", "out", "a..b"] {
                    var request = NurseryClient.request(HN_TREE)
                    try FixedText.store(name, in: &request.name, what: "name")
                    let answer = try refusal(nursery, request)
                    #expect(
                        answer == "ENOENT opening the image" || answer == "ELOOP opening the image",
                        "\(name): \(answer)")
                }
                // No NUL anywhere.
                var request = NurseryClient.request(HN_TREE)
                withUnsafeMutableBytes(of: &request.name) { $0.copyBytes(from: [UInt8](repeating: 97, count: 72)) }
                #expect(try refusal(nursery, request) == "EINVAL checking the request")
                request = NurseryClient.request(HN_IMAGE)
                request.image_kind = 2
                try FixedText.store("host", in: &request.name, what: "name")
                #expect(try refusal(nursery, request) == "EINVAL checking the request")
            }
        }

        @Test func creationsAreCheckedFieldByField() throws {
            try withRaw { nursery, image in
                let cgroup = try nursery.group("x")
                let pair = try DescriptorPair.socket(.sequencedPacket)
                let fds = [pair.first.rawValue, pair.second.rawValue, cgroup.directory.rawValue]
                let good = RawNursery.creation(slot: 7, image: image)
                func with(_ change: (inout hn_request) -> Void) -> hn_request {
                    var copy = good
                    change(&copy)
                    return copy
                }
                let cases: [(String, hn_request)] = [
                    ("slot 4096", with { $0.slot = 4096 }), ("slot 2^32-1", with { $0.slot = .max }),
                    ("sandbox 0", with { $0.sandbox = 0 }), ("image 1", with { $0.image = image + 1 }),
                    ("image 2^32-1", with { $0.image = .max }), ("flags 2", with { $0.flags = 2 }),
                    ("flags all", with { $0.flags = .max }), ("tmp", with { $0.tmp_bytes = .max }),
                    ("shm", with { $0.shm_bytes = 1 << 47 }), ("capabilities", with { $0.capabilities = 1 << 41 }),
                    ("host /", with { $0.hostname.0 = 47 }), ("host control", with { $0.hostname.0 = 10 }),
                    (
                        "host no NUL",
                        with { request in
                            withUnsafeMutableBytes(of: &request.hostname) {
                                $0.copyBytes(from: [UInt8](repeating: 97, count: 64))
                            }
                        }
                    ),
                ]
                for (name, request) in cases {
                    #expect(try refusal(nursery, request, fds) == "EINVAL checking the request", "\(name)")
                }
                for count in [0, 1, 2, 4, 5, 16] {
                    let wrong = (0..<count).map { fds[$0 % 3] }
                    #expect(try refusal(nursery, good, wrong) == "EINVAL checking the request", "\(count) descriptors")
                }
                #expect(try refusal(nursery, good, [fds[0], fds[1], fds[0]]) == "EBADF clone3")
                let sandbox = try nursery.create(slot: 7, image: image)
                #expect(try refusal(nursery, good, fds) == "EEXIST finding a free place")
                // KILL and KEEP want number and slot to fit.
                for op in [HN_KILL, HN_KEEP] {
                    var request = good
                    request.op = UInt16(op.rawValue)
                    for (number, slot): (UInt64, UInt32) in [(9, 7), (8, 8), (8, 4096), (8, .max), (0, 7)] {
                        request.sandbox = number
                        request.slot = slot
                        #expect(try refusal(nursery, request) == "ESRCH checking the request", "\(number) in \(slot)")
                    }
                }
                var keep = good
                keep.op = UInt16(HN_KEEP.rawValue)
                let five = [Int32](repeating: fds[0], count: 5)
                #expect(try refusal(nursery, keep, five) == "EINVAL checking the request")
                try sandbox.runTrue()
                try nursery.kill(sandbox)
            }
        }

        @Test func packetsOfEveryLengthAreSurvived() throws {
            try withRaw { nursery, _ in
                var random = SeededGenerator()
                for length in 0...400 {
                    var bytes = random.bytes(length)
                    // Every second one begins like a request.
                    if length % 2 == 0, length >= 8 {
                        bytes.replaceSubrange(0..<8, with: [0x48, 0x45, 0x4e, 0x31, UInt8(HN_VERSION), 0, 1, 0])
                    }
                    do {
                        try nursery.send(bytes)
                        try nursery.drain()
                    } catch let error as Errno where error == .brokenPipe || error == .connectionReset {
                        try nursery.reconnect()
                    }
                    // An empty packet cannot be told from the end of the connection: the nursery takes the next one.
                    if length == 0 { try nursery.reconnect() }
                }
                let (reply, _) = try nursery.ask(NurseryClient.request(HN_HELLO))
                #expect(reply.error == 0, "seed \(random.seed)")
            }
        }

        @Test func randomFieldsAreSurvived() throws {
            try withRaw { nursery, image in
                var random = SeededGenerator()
                let cgroup = try nursery.group("fuzz")
                let pair = try DescriptorPair.socket(.sequencedPacket)
                let null = try Files.open("/dev/null", flags: O_RDWR)
                let choice = [pair.first.rawValue, pair.second.rawValue, null.rawValue, cgroup.directory.rawValue]
                let before = try nursery.descriptorsAtRest()
                for _ in 0..<1500 {
                    var request = RawNursery.creation(slot: UInt32.random(in: 0..<8, using: &random), image: image)
                    // Everything but SHUTDOWN, which a good header entitles to.
                    request.op = [1, 2, 3, 3, 3, 4, 5, 6, 7, 99].randomElement(using: &random) ?? 1
                    var bytes = withUnsafeBytes(of: request) { Array($0) }
                    for _ in 0..<Int.random(in: 0...4, using: &random) {
                        let at = Int.random(in: 16..<bytes.count, using: &random)
                        bytes[at] =
                            [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)].randomElement(
                                using: &random) ?? 0
                    }
                    let count = Bool.random(using: &random) ? 3 : Int.random(in: 0...16, using: &random)
                    try nursery.send(bytes, (0..<count).map { _ in choice.randomElement(using: &random) ?? 0 })
                    try nursery.drain()
                }
                // End what was made by chance, then nothing may be left.
                try cgroup.kill()
                for _ in 0..<400 where try cgroup.isPopulated() { usleep(5000) }
                for _ in 0..<200 {
                    if try nursery.ask(NurseryClient.request(HN_HELLO)).0.more == 0 { break }
                    usleep(5000)
                }
                #expect(try nursery.ask(NurseryClient.request(HN_HELLO)).0.more == 0, "seed \(random.seed)")
                var after = 0
                for _ in 0..<200 {
                    after = try Census.descriptors(of: nursery.process.pid)
                    if after <= before { break }
                    usleep(10_000)
                }
                #expect(after <= before + 2, "descriptors \(before) -> \(after), seed \(random.seed)")
            }
        }
    }
}
