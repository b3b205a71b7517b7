import Foundation
import Glibc
import Linux
import SwiftProtobuf
import Synchronization
import Testing

@testable import HearthClient
@testable import Wire

@Suite struct ClientTests {
    /// Answers Invoke with its payload.
    private static let echo: FakeAgent.Handler = { session, event in
        guard case .request(let request) = event,
            let invoke = try? request.message(HearthInvokeRequest.self)
        else { return }
        var response = HearthInvokeResponse()
        response.outcome = .ok
        response.startKind = .warm
        response.payload = invoke.payload
        session.respond(request.stream, response)
    }

    private func invocation(_ payload: [UInt8] = []) -> HearthInvokeRequest {
        var request = HearthInvokeRequest()
        request.function = "echo"
        request.payload = Data(payload)
        return request
    }

    @Test func invokes() throws {
        let (client, agent) = try FakeAgent.pair(Self.echo)
        for length in [0, 1, 1000, 500_000] {
            let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            let response = try client.invoke(invocation(payload))
            #expect(response.outcome == .ok && response.payload == Data(payload))
        }
        withExtendedLifetime(agent) {}
    }

    @Test func manyAtOnceAnsweredInAnyOrder() throws {
        let held = Mutex<[ServerRequest<SharedFD>]>([])
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request(let request) = event else { return }
            held.withLock {
                $0.append(request)
                guard $0.count == 20 else { return }
                for request in $0.reversed() { Self.echo(&session, .request(request)) }
            }
        }
        let pending = try (0..<20).map { try client.begin(invocation([UInt8($0)])) }
        for (index, invocation) in pending.enumerated() {
            #expect(try client.finish(invocation).payload == Data([UInt8(index)]))
        }
    }

    @Test func streamsBothWays() throws {
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(initialCredit: 8192)) { session, event in
            // Streams every payload byte back as the result.
            guard case .data(let stream, let bytes, let end) = event else { return }
            session.consumed(stream, bytes.count)
            if bytes.count > 1 { session.send(stream, channel: 3, Array(bytes.dropFirst())) }
            guard end else { return }
            var response = HearthInvokeResponse()
            response.outcome = .ok
            response.payloadStreamed = true
            session.respond(stream, response)
        }
        let payload = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var result: [UInt8] = []
        let response = try client.invoke(invocation(), payload: .bytes(payload)) { channel, bytes in
            #expect(channel == .result)
            result += bytes
            return .more
        }
        #expect(response.payloadStreamed && result == payload)
    }

    /// A wide window: nothing comes back that would wake the client between two pieces.
    @Test(arguments: [4096, 300_000, 16 << 20] as [UInt32])
    func uploadsWhateverTheCredit(credit: UInt32) throws {
        let received = Mutex(0)
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(initialCredit: credit)) { session, event in
            guard case .data(let stream, let bytes, let end) = event else { return }
            received.withLock { $0 += bytes.count }
            session.consumed(stream, bytes.count)
            if end { session.respond(stream, HearthFunctionInfo()) }
        }
        let code = [UInt8](repeating: 9, count: 3_000_001)
        _ = try client.putFunction(HearthPutFunctionRequest(), code: .bytes(code))
        #expect(received.withLock { $0 } == code.count)
    }

    @Test func uploadsFromADescriptor() throws {
        let received = Mutex<[UInt8]>([])
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(initialCredit: 8192)) { session, event in
            guard case .data(let stream, let bytes, let end) = event else { return }
            received.withLock { $0 += bytes }
            session.consumed(stream, bytes.count)
            if end { session.respond(stream, HearthFunctionInfo()) }
        }
        let code = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let file = try #require(tmpfile())
        defer { fclose(file) }
        #expect(fwrite(code, 1, code.count, file) == code.count)
        rewind(file)
        var request = HearthPutFunctionRequest()
        request.codeFormat = .zip
        request.codeSize = UInt64(code.count)
        _ = try client.putFunction(request, code: .descriptor(fileno(file)))
        #expect(received.withLock { $0 } == code)
    }

    @Test func errorsKeepTheirRemedy() throws {
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request(let request) = event else { return }
            session.respond(
                request.stream, error: HearthError(.notFound, "no function nope", remedy: "put it first"))
        }
        let error = #expect(throws: HearthClientError.self) { try client.getFunction("nope") }
        #expect(error?.code == .notFound)
        #expect(error?.description == "no function nope; put it first")
    }

    @Test func anEarlyRefusalEndsAnUpload() throws {
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(initialCredit: 4096)) { session, event in
            guard case .request(let request) = event else { return }
            session.respond(request.stream, error: HearthError(.tooLarge, "code too large", remedy: "less"))
        }
        let error = #expect(throws: HearthClientError.self) {
            try client.putFunction(
                HearthPutFunctionRequest(), code: .bytes([UInt8](repeating: 0, count: 1_000_000)))
        }
        #expect(error?.code == .tooLarge)
    }

    @Test func runPassesDescriptors() throws {
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request(let request) = event, request.fds.count == 3 else { return }
            _ = write(request.fds[1].rawValue, "out", 3)
            _ = write(request.fds[2].rawValue, "err", 3)
            var response = HearthRunResponse()
            response.outcome = .ok
            response.exitStatus = 7
            session.respond(request.stream, response)
        }
        let out = try DescriptorPair.pipe()
        let err = try DescriptorPair.pipe()
        var request = HearthRunRequest()
        request.argv = ["true"]
        let response = try client.run(request, stdio: (0, out.second.rawValue, err.second.rawValue))
        #expect(response.exitStatus == 7)
        for (fd, expected) in [(out.first.rawValue, "out"), (err.first.rawValue, "err")] {
            var bytes = [UInt8](repeating: 0, count: 10)
            let count = read(fd, &bytes, 10)
            #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == expected)
        }
    }

    @Test func stoppingAStreamCancels() throws {
        let cancelled = Mutex(false)
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(initialCredit: 4096)) { session, event in
            switch event {
            case .request(let request):
                session.send(request.stream, channel: 1, [UInt8](repeating: 65, count: 100_000))
            case .cancel(let stream):
                cancelled.withLock { $0 = true }
                var response = HearthRunResponse()
                response.outcome = .cancelled
                session.respond(stream, response)
            default: break
            }
        }
        let response = try client.run(HearthRunRequest()) { _, _ in .stop }
        #expect(response.outcome == .cancelled)
        #expect(cancelled.withLock { $0 })
    }

    @Test func interruptDescriptorCancels() throws {
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .cancel(let stream) = event else { return }
            var response = HearthInvokeResponse()
            response.outcome = .cancelled
            session.respond(stream, response)
        }
        let pipe = try DescriptorPair.pipe()
        try Linux.Message.writeAll(pipe.second.rawValue, [1])
        let response = try client.invoke(invocation(), options: CallOptions(interrupt: pipe.first.rawValue))
        #expect(response.outcome == .cancelled)
    }

    @Test func deadlineTravels() throws {
        let seen = Mutex<UInt64?>(nil)
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request(let request) = event else { return }
            seen.withLock { $0 = request.deadline }
            session.respond(request.stream, HearthInvokeResponse())
        }
        _ = try client.invoke(invocation(), options: CallOptions(deadlineNanoseconds: 123_456_789))
        #expect(seen.withLock { $0 } == 123_456_789)
    }

    @Test func aConnectionThatEndsSaysSo() throws {
        let (client, agent) = try FakeAgent.pair { session, event in
            guard case .request = event else { return }
            session.close(WireError(.overloaded, "too many connections"))
        }
        let error = #expect(throws: HearthClientError.self) { try client.invoke(invocation()) }
        guard case .disconnected("too many connections")? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        agent.join()
        #expect(throws: HearthClientError.self) { try client.invoke(invocation()) }
    }

    @Test func anOrderlyEndTellsWhatMayBeRepeated() throws {
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request = event else { return }
            session.goAway("draining")
            if case .request(let request) = event { session.respond(request.stream, HearthInvokeResponse()) }
        }
        _ = try client.invoke(invocation())
        let error = #expect(throws: HearthClientError.self) { try client.invoke(invocation()) }
        guard case .unprocessed? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func tooLargeIsRefusedHere() throws {
        let (client, _) = try FakeAgent.pair(limits: FrameLimits(maximumMessage: 4096), Self.echo)
        let error = #expect(throws: HearthClientError.self) {
            try client.invoke(invocation([UInt8](repeating: 0, count: 5000)))
        }
        guard case .refused? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try client.invoke(invocation([1])).payload == Data([1]), "the connection goes on")
    }

    @Test func noAgentAtThePath() {
        let error = #expect(throws: HearthClientError.self) {
            try HearthClient(socketPath: "/nonexistent/agent.sock")
        }
        #expect(error?.description.contains("/nonexistent/agent.sock") == true)
    }
}
