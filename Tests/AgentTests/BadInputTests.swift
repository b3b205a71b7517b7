import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import SwiftProtobuf
import Testing
import Wire

extension AgentTests {
    /// Whatever a client sends: one clear error, the agent goes on, and nothing is left.
    @Suite @TestThread
    struct BadInputTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        /// Counts what the agent holds before and after; the agent must answer in between and afterwards.
        private func leavingNothing(_ body: (HearthClient) throws -> Void) throws {
            let client = try agent.client()
            // Once before counting: what is opened on first use and kept is no leak.
            try client.put("witness", .python, files: PythonKit.files)
            try withFunctions(["witness"], of: agent) {
                let first = try client.invoke("witness", "{}")
                #expect(first.outcome == .ok, "\(first.summary)")
            }
            try eventually("all sandboxes are gone") { try agent.populatedGroups().isEmpty }
            let before = try NodeCount.atRest(agent)
            try body(client)
            try client.put("witness", .python, files: PythonKit.files)
            try withFunctions(["witness"], of: agent) {
                let last = try client.invoke("witness", "{}")
                #expect(last.outcome == .ok, "\(last.summary)")
            }
            let after = try agent.settled(before)
            #expect(after == before, "before: \(before); after: \(after)")
        }

        // MARK: Frames

        @Test func malformedFrames() throws {
            let request = RawConnection.request(.info, [])
            let cases: [(String, UInt32, greet: Bool, [UInt8])] = [
                ("HTTP", 1, false, Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
                ("a wrong magic", 1, false, RawConnection.hello(magic: 0x1234_5678)),
                ("version 7", 2, false, RawConnection.hello(major: 7)),
                ("a REQUEST before HELLO", 1, false, request),
                ("a length of 4 GiB", 5, true, RawConnection.frame(kind: 3, stream: 1, method: 1, length: .max)),
                ("DATA of 64 KiB + 1", 5, true, RawConnection.frame(kind: 5, stream: 1, length: 65537)),
                ("an unknown kind", 6, true, RawConnection.frame(kind: 77)),
                ("an even stream", 8, true, RawConnection.request(.info, stream: 2, [])),
                ("a stream again", 9, true, request + request),
                ("DATA for nobody", 10, true, RawConnection.frame(kind: 5, stream: 9, body: [0])),
                ("a second HELLO", 7, true, RawConnection.hello()),
                ("a RESPONSE from a client", 7, true, RawConnection.frame(kind: 4, stream: 1)),
                (
                    "unknown flags", 4, true,
                    RawConnection.frame(kind: 8, flags: 4, body: [UInt8](repeating: 0, count: 8))
                ),
            ]
            try leavingNothing { _ in
                for (name, code, greet, bytes) in cases {
                    let connection = try RawConnection(agent, greet: greet)
                    try connection.send(bytes)
                    let (got, text) = try connection.goAway()
                    #expect(got == code, "\(name): \(got) \(text)")
                    #expect(!text.isEmpty, "\(name)")
                    let closed = connection.isClosed()
                    #expect(closed, "\(name)")
                    if code == 2 { #expect(text.contains("1"), "the version that it speaks: \(text)") }
                }
            }
        }

        @Test func randomBytes() throws {
            let seed = UInt64.random(in: .min ... .max)
            var random = SplitMix(state: seed)
            try leavingNothing { client in
                for round in 0..<200 {
                    let connection = try RawConnection(agent, greet: round % 2 == 1)
                    let bytes = (0..<Int.random(in: 1...300, using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                    // The agent may have closed before all of it is written.
                    try? connection.send(bytes)
                }
                let info = try client.info()
                #expect(info.protocolVersions == [1], "seed \(seed)")
            }
        }

        @Test func unknownMethodsAndMessages() throws {
            try leavingNothing { _ in
                let connection = try RawConnection(agent)
                for (index, method) in [0, 14, 29, 34, 43, 999, 65535].enumerated() {
                    let stream = UInt32(index * 2 + 1)
                    try connection.send(
                        RawConnection.frame(
                            kind: 3, stream: stream, flags: 1, method: UInt16(method),
                            body: RawConnection.big(UInt64(0))))
                    let answer = try connection.receiveFrame()
                    #expect(answer.kind == 4)
                    #expect(answer.stream == stream)
                    let error = try HearthError(serializedBytes: answer.body)
                    #expect(error.code == .unimplemented, "\(method): \(error.message)")
                    #expect(error.message.contains("\(method)"), "\(error.message)")
                }
                // Bytes that are no message; the connection goes on.
                for (index, method) in [HearthMethod.putFunction, .invoke, .run, .getFunction].enumerated() {
                    try connection.send(
                        RawConnection.request(method, stream: UInt32(index * 2 + 101), [0xff, 0xff, 0xff]))
                    let error = try HearthError(serializedBytes: try connection.receiveFrame().body)
                    #expect(error.code == .invalidArgument, "\(method): \(error.message)")
                }
            }
        }

        // MARK: Clients that go away

        @Test func clientsThatDie() throws {
            try leavingNothing { client in
                try client.put("slow", .python, files: PythonKit.files)
                try withFunctions(["slow"], of: agent) {
                    for _ in 0..<3 {
                        // In the middle of a header, of a body, of an upload, and of a streamed result.
                        try RawConnection(agent, greet: false).send([0, 0])
                        try RawConnection(agent).send(Array(RawConnection.request(.info, [1, 2, 3]).prefix(20)))
                        try dieUploading()
                        try dieStreaming()
                    }
                }
            }
        }

        private func dieUploading() throws {
            let connection = try RawConnection(agent)
            var put = HearthPutFunctionRequest()
            put.spec.name = "half"
            put.spec.runtime = .python
            put.spec.handler = "app.handler"
            put.codeFormat = .zip
            put.codeSize = 1 << 20
            try connection.send(RawConnection.request(.putFunction, complete: false, try put.serializedBytes()))
            try connection.send(RawConnection.frame(kind: 5, stream: 1, body: [UInt8](repeating: 7, count: 60000)))
            usleep(20_000)
            withExtendedLifetime(connection) {}
        }

        private func dieStreaming() throws {
            let connection = try RawConnection(agent)
            var invoke = HearthInvokeRequest()
            invoke.function = "slow"
            invoke.payload = .init("{\"do\":\"bytes\",\"size\":5242880}".utf8)
            invoke.streamResult = true
            try connection.send(RawConnection.request(.invoke, try invoke.serializedBytes()))
            // Its first piece, and no more.
            let frame = try connection.receiveFrame()
            #expect(frame.kind == 5)
        }

        @Test func aThousandConnections() throws {
            try leavingNothing { client in
                for round in 0..<1000 {
                    if round % 2 == 0 {
                        _ = try RawConnection(agent, greet: false)
                    } else {
                        _ = try RawConnection(agent)
                    }
                }
                // And many at the same time.
                var held: [HearthClient] = []
                for _ in 0..<200 { held.append(try agent.client()) }
                for client in held { _ = try client.info() }
                withExtendedLifetime(held) {}
                _ = try client.info()
            }
        }

        /// A client that asks for much and reads nothing: its function waits, nobody else does.
        @Test func aClientThatDoesNotRead() throws {
            try leavingNothing { client in
                try client.put("large", .python, files: PythonKit.files)
                try client.put("other", .python, files: PythonKit.files)
                try withFunctions(["large", "other"], of: agent) {
                    _ = try client.invoke("other", "{}")
                    let connections = try (0..<4).map { _ in try RawConnection(agent) }
                    for connection in connections {
                        var invoke = HearthInvokeRequest()
                        invoke.function = "large"
                        invoke.payload = .init("{\"do\":\"bytes\",\"size\":5242880}".utf8)
                        invoke.streamResult = true
                        try connection.send(RawConnection.request(.invoke, try invoke.serializedBytes()))
                    }
                    var worst = 0.0
                    for _ in 0..<200 {
                        let (time, answer) = try milliseconds { try client.invoke("other", "{}") }
                        #expect(answer.outcome == .ok)
                        worst = max(worst, time)
                    }
                    withExtendedLifetime(connections) {}
                    #expect(worst < 400, "another function waited \(worst) ms")
                }
            }
        }

        // MARK: Requests

        @Test func whatDoesNotExist() throws {
            try leavingNothing { client in
                for (name, shown) in [("no-such", "no-such"), ("a\u{1b}[31mb", "\\u{1b}"), ("", "''")] {
                    let error = try refusal { try client.invoke(name) }
                    #expect(error.code == .notFound, "\(error.message)")
                    #expect(error.message.contains(shown), "\(error.message)")
                    #expect(!error.remedy.isEmpty)
                    #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
                }
                let digest = try refusal {
                    var request = HearthPutFunctionRequest()
                    request.spec.name = "x"
                    request.spec.runtime = .python
                    request.spec.handler = "app.handler"
                    request.reuseCodeDigest = "sha256:" + String(repeating: "0", count: 64)
                    return try client.putFunction(request)
                }
                #expect(digest.code == .notFound)
                let image = try refusal {
                    var request = HearthRunRequest()
                    request.argv = ["/bin/true"]
                    request.image = "missing-image"
                    return try client.run(request) { _, _ in .more }
                }
                #expect(image.code == .notFound)
                #expect(image.message.contains("missing-image"))
                let stats = try refusal { try client.stats(function: "no-such") }
                #expect(stats.code == .notFound)
            }
        }

        @Test func archivesThatAreRefused() throws {
            let good = ZipBytes.pack([ZipBytes.file("app.py", "def handler(e, c): return 1\n")])
            let cases: [(String, [UInt8], Int?)] = [
                ("../evil.py", ZipBytes.pack([ZipBytes.file("../evil.py")]), nil),
                ("a/../../evil.py", ZipBytes.pack([ZipBytes.file("a/../../evil.py")]), nil),
                ("/etc/evil", ZipBytes.pack([ZipBytes.file("/etc/evil")]), nil),
                ("out", ZipBytes.pack([ZipBytes.link("out", to: "../../../etc/shadow")]), nil),
                ("out", ZipBytes.pack([ZipBytes.link("out", to: "/etc/shadow")]), nil),
                ("through", ZipBytes.pack([ZipBytes.link("through", to: ".."), ZipBytes.file("through/x")]), nil),
                ("a\\x1b[2Jb", ZipBytes.pack([ZipBytes.file("a\u{1b}[2Jb")]), nil),
                ("zip", Array(good.prefix(good.count - 30)), nil),
                ("zip", Array(good.prefix(good.count / 2)), nil),
                ("zip", Array("this is not an archive".utf8), nil),
                ("zip", [], nil),
                ("\(good.count)", good, good.count + 1),
                ("\(good.count - 1)", good, good.count - 1),
            ]
            try leavingNothing { client in
                for (index, (thing, archive, size)) in cases.enumerated() {
                    let error = try refusal { try client.put("refused", archive: archive, size: size) }
                    #expect([.invalidArgument, .tooLarge].contains(error.code), "\(index) \(thing): \(error.message)")
                    #expect(error.message.contains(thing), "\(index) \(thing): \(error.message)")
                    #expect(error.message.contains("refused") || size != nil, "\(index): \(error.message)")
                    #expect(!error.remedy.isEmpty, "\(index): \(error.message)")
                    #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(index)")
                }
                let tar = try refusal { try client.put("refused", archive: Array("no tar".utf8), format: .tar) }
                #expect(tar.code == .invalidArgument)
                let huge = try refusal { try client.put("refused", archive: [], size: 1 << 40) }
                #expect(huge.code == .tooLarge)
                #expect(try refusal { try client.getFunction("refused") }.code == .notFound)
            }
        }

        @Test func payloadsOverTheLimit() throws {
            try leavingNothing { client in
                try client.put("limited", .python, files: PythonKit.files)
                try withFunctions(["limited"], of: agent) {
                    let limit = Int(try client.info().limits.maxPayloadBytes)
                    var request = HearthInvokeRequest()
                    request.function = "limited"
                    let payload = [UInt8](repeating: 1, count: limit + 1)
                    let error = try refusal { try client.invoke(request, payload: .bytes(payload), options: .patient) }
                    #expect(error.code == .tooLarge)
                    #expect(error.message.contains("\(limit)"), "\(error.message)")
                    let exact = [UInt8](repeating: 1, count: limit)
                    request.streamResult = true
                    var count = 0
                    let fits = try client.invoke(request, payload: .bytes(exact), options: .patient) { _, bytes in
                        count += bytes.count
                        return .more
                    }
                    #expect(fits.outcome == .ok, "\(fits.summary)")
                    #expect(count == limit)
                    let large = try client.invoke("limited", "{\"do\":\"bytes\",\"size\":7340032}")
                    #expect(large.outcome == .functionError, "\(large.summary)")
                    #expect(large.error.type.contains("TooLarge"), "\(large.summary)")
                    // More than one message holds, and not asked for as a stream.
                    let whole = try client.invoke("limited", "{\"do\":\"bytes\",\"size\":3145728}")
                    #expect(whole.outcome == .functionError)
                    #expect(whole.error.type == "ResultTooLarge")
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
