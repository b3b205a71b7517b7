/// What the fuzzer and the replay of the corpus run: a function that takes any bytes and returns. What is wrong shows by a trap,
/// by the address sanitiser, or by `expect`.
package struct FuzzTarget: Sendable {
    /// The name of its directory in Tests/Fuzz/corpus.
    package let name: String
    /// The longest input worth trying, in bytes.
    package let maximumLength: Int
    package let run: @Sendable ([UInt8]) -> Void

    package static let all: [FuzzTarget] = [
        frames, serverSession, clientSession, messages, nurseryRequests, initMessages, functionChannel, codeArchive,
        imageArchive, observations, traces, forecastArchive, configuration, seccompProfile,
    ]

    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// A promise that must hold for every input. It stops the program where it does not, which is what the fuzzer looks for.
func expect(_ condition: Bool, _ promise: @autoclosure () -> String) {
    precondition(condition, "fuzzing: \(promise())")
}

/// The input, taken piece by piece: numbers decide what is done, the rest is data.
struct InputBytes {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position >= bytes.count }

    /// The next byte, 0 after the end.
    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + count)
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}
