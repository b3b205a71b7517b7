import Testing

@testable import Wire

/// A descriptor that counts itself, in place of a real one.
final class FakeFD: Sendable, Equatable {
    let number: Int

    init(_ number: Int) { self.number = number }

    static func == (a: FakeFD, b: FakeFD) -> Bool { a.number == b.number }
}

typealias TestServer = ServerSession<FakeFD>
typealias TestClient = ClientSession<FakeFD>

extension ServerSession {
    mutating func feed(_ bytes: [UInt8], fds: [FD] = []) {
        bytes.withUnsafeBytes { receive($0, fds: fds) }
    }

    mutating func allEvents() -> [ServerEvent<FD>] {
        var events: [ServerEvent<FD>] = []
        while let event = nextEvent() { events.append(event) }
        return events
    }

    @discardableResult
    mutating func send(_ stream: UInt32, channel: UInt8? = nil, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { sendData(stream, channel: channel, $0) }
    }
}

extension ClientSession {
    mutating func feed(_ bytes: [UInt8], fds: [FD] = []) {
        bytes.withUnsafeBytes { receive($0, fds: fds) }
    }

    mutating func allEvents() -> [ClientEvent<FD>] {
        var events: [ClientEvent<FD>] = []
        while let event = nextEvent() { events.append(event) }
        return events
    }

    @discardableResult
    mutating func send(_ stream: UInt32, channel: UInt8? = nil, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { sendData(stream, channel: channel, $0) }
    }
}

extension OutputBuffer {
    /// Everything, as the pieces that sendmsg would get.
    mutating func takePieces() -> [(bytes: [UInt8], fds: [FD])] {
        var pieces: [(bytes: [UInt8], fds: [FD])] = []
        while !isEmpty {
            _ = writeNext { bytes, fds in
                pieces.append(([UInt8](bytes), fds))
                return bytes.count
            }
        }
        return pieces
    }

    mutating func takeBytes() -> [UInt8] {
        takePieces().flatMap(\.bytes)
    }
}

/// A client and a server that have greeted each other.
struct Pair {
    var client: TestClient
    var server: TestServer

    init(limits: FrameLimits = .default) {
        client = TestClient()
        server = TestServer(limits: limits)
        exchange()
        _ = client.allEvents()
        _ = server.allEvents()
    }

    /// Carries bytes both ways until both are silent.
    mutating func exchange() {
        while !client.output.isEmpty || !server.output.isEmpty {
            for piece in client.output.takePieces() { server.feed(piece.bytes, fds: piece.fds) }
            for piece in server.output.takePieces() { client.feed(piece.bytes, fds: piece.fds) }
        }
    }
}

/// SplitMix64: small, seeded, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
