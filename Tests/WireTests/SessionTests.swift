import Foundation
import SwiftProtobuf
import Testing

@testable import Wire

@Suite struct SessionTests {
    @Test func invocationRoundTrip() throws {
        var pair = Pair()
        var request = HearthInvokeRequest()
        request.function = "echo"
        request.payload = Data([1, 2, 3])
        let id = try pair.client.request(.invoke, request, deadline: 5_000)
        pair.exchange()
        guard case .request(let arrived)? = pair.server.nextEvent() else {
            Issue.record("no request")
            return
        }
        #expect(arrived.stream == id && arrived.method == 6 && arrived.deadline == 5_000 && arrived.isComplete)
        #expect(try arrived.message(HearthInvokeRequest.self) == request)
        var response = HearthInvokeResponse()
        response.outcome = .ok
        response.payload = Data([3, 2, 1])
        let taken1 = pair.server.respond(id, response)
        #expect(taken1)
        let taken2 = pair.server.respond(id, response)
        #expect(!taken2, "a second response is not sent")
        pair.exchange()
        guard case .response(let stream, let isError, let body, _)? = pair.client.nextEvent() else {
            Issue.record("no response")
            return
        }
        #expect(stream == id && !isError)
        #expect(try HearthInvokeResponse(serializedBytes: body) == response)
        #expect(pair.client.openStreamCount == 0 && pair.server.openStreamCount == 0)
    }

    @Test func descriptorsTravelWithTheirFrame() throws {
        var pair = Pair()
        let fds = [FakeFD(1), FakeFD(2), FakeFD(3)]
        _ = try pair.client.request(method: 1, message: [])
        let second = try pair.client.request(method: 7, message: [9], fds: fds)
        let third = try pair.client.request(method: 7, message: [9], fds: [FakeFD(4)])
        let pieces = pair.client.output.takePieces()
        #expect(pieces.map(\.fds.count) == [0, 3, 1])
        for piece in pieces { pair.server.feed(piece.bytes, fds: piece.fds) }
        let requests = pair.server.allEvents().compactMap { event -> ServerRequest<FakeFD>? in
            if case .request(let request) = event { request } else { nil }
        }
        #expect(requests.map(\.fds) == [[], fds, [FakeFD(4)]])
        #expect(requests.map(\.stream) == [1, second, third])
    }

    @Test func payloadWaitsForCreditAndResponseForPayload() throws {
        var pair = Pair(limits: FrameLimits(initialCredit: 8192))
        let id = try pair.client.request(method: 6, message: [])
        pair.exchange()
        _ = pair.server.allEvents()
        let result = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let taken3 = pair.server.send(id, channel: 3, result)
        #expect(taken3)
        #expect(pair.server.pendingBytes(of: id) == 100_000 - 8191)
        pair.server.respond(id, body: [42])
        let taken4 = pair.server.send(id, channel: 3, [1])
        #expect(!taken4, "nothing after the response")
        var received: [UInt8] = []
        var responded = false
        for _ in 0..<1000 where !responded {
            pair.exchange()
            for event in pair.client.allEvents() {
                switch event {
                case .data(let stream, let bytes):
                    #expect(bytes.first == 3 && bytes.count <= 65536)
                    received += bytes.dropFirst()
                    pair.client.consumed(stream, bytes.count)
                case .response(_, _, let body, _):
                    #expect(body == [42])
                    responded = true
                default:
                    Issue.record("unexpected \(event)")
                }
            }
        }
        #expect(responded && received == result)
        #expect(pair.server.openStreamCount == 0)
    }

    @Test func uploadEndsOnce() throws {
        var pair = Pair(limits: FrameLimits(initialCredit: 4096))
        let id = try pair.client.request(method: 2, message: [], isComplete: false)
        let code = [UInt8](repeating: 5, count: 30_000)
        pair.client.send(id, code)
        pair.client.endData(id)
        let taken5 = pair.client.send(id, [1])
        #expect(!taken5, "nothing after the end")
        var received = 0
        var ended = 0
        for _ in 0..<100 where ended == 0 {
            pair.exchange()
            for event in pair.server.allEvents() {
                if case .data(let stream, let bytes, let end) = event {
                    received += bytes.count
                    ended += end ? 1 : 0
                    pair.server.consumed(stream, bytes.count)
                }
            }
        }
        #expect(received == code.count && ended == 1)
    }

    @Test func cancelIsIdempotentAndDropsPayload() throws {
        var pair = Pair(limits: FrameLimits(initialCredit: 4096))
        let id = try pair.client.request(method: 6, message: [], isComplete: false)
        pair.exchange()
        _ = pair.server.allEvents()
        pair.server.send(id, [UInt8](repeating: 0, count: 50_000))
        pair.client.cancel(id)
        pair.client.cancel(id)
        pair.exchange()
        let cancels = pair.server.allEvents().filter { if case .cancel(id) = $0 { true } else { false } }
        #expect(cancels.count == 1)
        #expect(pair.server.pendingBytes(of: id) == 0)
        let taken6 = pair.server.send(id, [1])
        #expect(!taken6)
        pair.server.respond(id, error: HearthError(.cancelled, "cancelled by the caller", remedy: "none"))
        // A cancel of a stream that is finished is ignored.
        var frame: [UInt8] = []
        FrameHeader(length: 0, stream: id, kind: .cancel).encode(into: &frame)
        pair.server.feed(frame)
        #expect(pair.server.allEvents().isEmpty && pair.server.isOpen)
        pair.exchange()
        let last = pair.client.allEvents().last
        guard case .response(id, true, let body, _)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(try HearthError(serializedBytes: body).code == .cancelled)
    }

    @Test func responseAboveTheLimitBecomesAnError() throws {
        var pair = Pair(limits: FrameLimits(maximumMessage: 4096))
        let id = try pair.client.request(method: 1, message: [])
        pair.exchange()
        pair.server.respond(id, body: [UInt8](repeating: 1, count: 4097))
        pair.exchange()
        guard case .response(_, true, let body, _)? = pair.client.allEvents().last else {
            Issue.record("no error")
            return
        }
        #expect(try HearthError(serializedBytes: body).code == .tooLarge)
    }

    @Test func requestAboveTheLimitIsRefusedHere() throws {
        var pair = Pair(limits: FrameLimits(maximumMessage: 4096, maximumStreams: 1))
        #expect(throws: RequestRefusal.messageTooLarge(size: 4089, limit: 4088)) {
            try pair.client.request(method: 1, message: [UInt8](repeating: 0, count: 4089))
        }
        _ = try pair.client.request(method: 1, message: [])
        #expect(throws: RequestRefusal.tooManyStreams(limit: 1)) {
            try pair.client.request(method: 1, message: [])
        }
    }

    @Test func orderlyEndFinishesWhatWasAccepted() throws {
        var pair = Pair()
        let first = try pair.client.request(method: 1, message: [])
        pair.exchange()
        let second = try pair.client.request(method: 1, message: [])
        pair.server.goAway("drain")
        pair.exchange()
        #expect(pair.server.openStreams == [first], "a request after GOAWAY is not taken up")
        let events = pair.client.allEvents()
        #expect(events.contains { if case .unprocessed(second) = $0 { true } else { false } })
        #expect(throws: RequestRefusal.goingAway) { try pair.client.request(method: 1, message: []) }
        pair.server.respond(first, body: [])
        pair.exchange()
        #expect(pair.client.openStreamCount == 0)
    }

    @Test func slowReaderIsSeen() throws {
        var pair = Pair(limits: FrameLimits(initialCredit: 4 << 20))
        let id = try pair.client.request(method: 6, message: [])
        pair.exchange()
        #expect(pair.server.acceptsInput)
        pair.server.send(id, [UInt8](repeating: 0, count: 2 << 20))
        #expect(!pair.server.acceptsInput && pair.server.pendingBytes > 2 << 20)
        pair.exchange()
        #expect(pair.server.acceptsInput && pair.server.pendingBytes == 0)
    }

    @Test func partialWritesKeepDescriptorsOnTheFirstByte() throws {
        var pair = Pair()
        _ = try pair.client.request(method: 1, message: [1, 2])
        _ = try pair.client.request(method: 7, message: [3, 4], fds: [FakeFD(1)])
        var got: [Int] = []
        var length = 0
        while !pair.client.output.isEmpty {
            _ = pair.client.output.writeNext { bytes, fds in
                got.append(fds.count)
                length += 1
                pair.server.receive(UnsafeRawBufferPointer(rebasing: bytes[..<1]), fds: fds)
                return 1
            }
        }
        #expect(got.reduce(0, +) == 1 && got[26] == 1 && length == 52)
        #expect(pair.server.openStreamCount == 2 && pair.server.isOpen)
    }
}
