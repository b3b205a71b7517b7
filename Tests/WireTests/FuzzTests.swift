import SwiftProtobuf
import Testing

@testable import Wire

/// Random and mutated input: no crash, no event after the end, and no more memory than the limits allow.
@Suite struct FuzzTests {
    private static let seeds: [UInt64] = (1...8).map { $0 &* 0x1234_5678_9ABC }

    /// The bytes that the stories have arrive, as a corpus.
    private static let corpus: [(isServer: Bool, wire: [UInt8])] = VectorFile.all("stories").compactMap { file in
        guard let story = try? file.json() else { return nil }
        let wire = story["steps"].list.flatMap { $0["receive"].bytes.prefix(5000) }
        return (story["side"].string == "server", wire)
    }

    private static func mutated(_ wire: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = wire
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            case 4: bytes.removeSubrange(at..<min(bytes.count, at + 24))
            default:
                // A frame twice, or in another place.
                let piece = Array(bytes[at..<min(bytes.count, at + 24)])
                bytes.insert(contentsOf: piece, at: Int.random(in: 0...bytes.count, using: &random))
            }
        }
        return bytes
    }

    @Test(arguments: seeds)
    func mutatedStories(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<4 {
            for (isServer, wire) in Self.corpus {
                let bytes = Self.mutated(wire, &random)
                if isServer { server(bytes, &random, seed) } else { client(bytes, &random, seed) }
            }
        }
    }

    @Test(arguments: seeds)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let length = Int.random(in: 0..<400, using: &random)
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...3, using: &random) }
            server(bytes, &random, seed)
            client(bytes, &random, seed)
        }
    }

    private func chunks(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + Int.random(in: 1...64, using: &random))
            pieces.append(bytes[at..<end])
            at = end
        }
        return pieces
    }

    /// A server whose user answers, streams and grants at random.
    private func server(_ bytes: [UInt8], _ random: inout SeededGenerator, _ seed: UInt64) {
        let limits = FrameLimits(maximumMessage: 8192, maximumStreams: 4, initialCredit: 4096)
        var session = TestServer(limits: limits)
        var credit: [UInt32: Int] = [:]
        var failed = false
        for piece in chunks(bytes, &random) {
            let fds = Int.random(in: 0..<8, using: &random) == 0 ? [FakeFD(0)] : []
            session.feed(Array(piece), fds: fds)
            while let event = session.nextEvent() {
                if failed { Issue.record("an event after the end, seed \(seed)") }
                switch event {
                case .request(let request):
                    if credit[request.stream] != nil { Issue.record("stream \(request.stream) twice, seed \(seed)") }
                    credit[request.stream] = 4096
                    _ = try? request.message(HearthInvokeRequest.self)
                    session.send(request.stream, channel: 1, [UInt8](repeating: 7, count: 5000))
                    if Bool.random(using: &random) { session.respond(request.stream, body: [1]) }
                case .data(let stream, let bytes, _):
                    credit[stream, default: -1] -= bytes.count
                    if credit[stream, default: -1] < 0 { Issue.record("credit overrun, seed \(seed)") }
                    if Bool.random(using: &random) {
                        // Consumption may be granted in parts: the bound is what was consumed.
                        session.consumed(stream, bytes.count)
                        credit[stream, default: 0] += bytes.count
                    }
                case .cancel(let stream):
                    session.respond(stream, error: HearthError(.cancelled, "cancelled", remedy: "none"))
                case .failed: failed = true
                default: break
                }
            }
            if session.openStreamCount > 4 { Issue.record("\(session.openStreamCount) streams, seed \(seed)") }
            if session.pendingBytes > 200_000 { Issue.record("\(session.pendingBytes) bytes wait, seed \(seed)") }
            if Bool.random(using: &random) { _ = session.output.takeBytes() }
        }
        session.receiveEnd()
        #expect(session.isClosed)
    }

    private func client(_ bytes: [UInt8], _ random: inout SeededGenerator, _ seed: UInt64) {
        var session = TestClient()
        var open: Set<UInt32> = []
        for piece in chunks(bytes, &random) {
            session.feed(Array(piece), fds: Int.random(in: 0..<8, using: &random) == 0 ? [FakeFD(0)] : [])
            while let event = session.nextEvent() {
                switch event {
                case .opened:
                    for _ in 0..<3 {
                        if let id = try? session.request(method: 6, message: [], isComplete: false) { open.insert(id) }
                    }
                case .response(let stream, _, let body, _):
                    if open.remove(stream) == nil { Issue.record("a second response of \(stream), seed \(seed)") }
                    _ = try? HearthInvokeResponse(serializedBytes: body)
                case .data(let stream, let bytes):
                    if !open.contains(stream) { Issue.record("data of a closed stream, seed \(seed)") }
                    session.consumed(stream, bytes.count)
                    session.send(stream, bytes)
                case .unprocessed(let stream): open.remove(stream)
                default: break
                }
            }
            if Bool.random(using: &random) { session.cancel(1) }
            if Bool.random(using: &random) { session.endData(3) }
            _ = session.output.takeBytes()
        }
        session.receiveEnd()
        #expect(session.isClosed)
    }

    /// Whatever one side sends by its rules, the other takes; and every request is answered once.
    @Test(arguments: seeds)
    func honestPeersNeverFail(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pair = Pair(limits: FrameLimits(maximumMessage: 8192, maximumStreams: 8, initialCredit: 4096))
        var waiting: [UInt32] = []
        var sent = 0
        var answered: Set<UInt32> = []
        for _ in 0..<2000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                let fds = (0..<Int.random(in: 0...3, using: &random)).map(FakeFD.init)
                let id = try? pair.client.request(
                    method: 6, message: [UInt8](repeating: 1, count: Int.random(in: 0..<3000, using: &random)),
                    fds: fds, isComplete: Bool.random(using: &random))
                if id != nil { sent += 1 }
            case 2:
                let id = UInt32.random(in: 0...UInt32(2 * sent), using: &random) | 1
                pair.client.send(id, [UInt8](repeating: 2, count: Int.random(in: 0..<9000, using: &random)))
                if Bool.random(using: &random) { pair.client.endData(id) }
            case 3:
                pair.client.cancel(UInt32.random(in: 0...UInt32(2 * sent), using: &random) | 1)
            case 4:
                if let id = waiting.randomElement(using: &random) {
                    let count = Int.random(in: 0..<9000, using: &random)
                    pair.server.send(id, channel: 3, [UInt8](repeating: 3, count: count))
                }
            case 5:
                if let index = waiting.indices.randomElement(using: &random) {
                    pair.server.respond(waiting.remove(at: index), body: [4])
                }
            default:
                step(&pair, &random, &waiting, &answered, seed)
            }
        }
        while answered.count < sent {
            for id in waiting { pair.server.respond(id, body: [5]) }
            waiting = []
            let before = answered.count
            for _ in 0..<200 { step(&pair, &random, &waiting, &answered, seed) }
            guard answered.count > before || !waiting.isEmpty else { break }
        }
        #expect(answered.count == sent, "seed \(seed)")
        #expect(pair.server.openStreamCount == 0 && pair.client.openStreamCount == 0, "seed \(seed)")
    }

    private func step(
        _ pair: inout Pair, _ random: inout SeededGenerator, _ waiting: inout [UInt32], _ answered: inout Set<UInt32>,
        _ seed: UInt64
    ) {
        for piece in pair.client.output.takePieces() { pair.server.feed(piece.bytes, fds: piece.fds) }
        for event in pair.server.allEvents() {
            switch event {
            case .request(let request): waiting.append(request.stream)
            case .data(let stream, let bytes, _): pair.server.consumed(stream, bytes.count)
            case .failed(let error): Issue.record("\(error), seed \(seed)")
            default: break
            }
        }
        for piece in pair.server.output.takePieces() { pair.client.feed(piece.bytes, fds: piece.fds) }
        for event in pair.client.allEvents() {
            switch event {
            case .response(let stream, _, _, _):
                if !answered.insert(stream).inserted { Issue.record("\(stream) answered twice, seed \(seed)") }
            case .data(let stream, let bytes): pair.client.consumed(stream, bytes.count)
            case .failed(let error): Issue.record("\(error), seed \(seed)")
            default: break
            }
        }
    }
}
