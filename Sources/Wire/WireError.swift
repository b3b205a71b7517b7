/// The peer broke the protocol: the connection ends. Sent to it as GOAWAY with the code and the text.
package struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: WireErrorCode
    /// What was wrong, with which frame.
    package let detail: String

    package init(_ code: WireErrorCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "\(code.name): \(detail)" }
}

/// The codes of GOAWAY (SPEC section "Connection errors"), with the names that the test vectors use.
package enum WireErrorCode: UInt32, Sendable, CaseIterable {
    /// An orderly end: no new streams.
    case none = 0
    case badMagic = 1
    case unsupportedVersion = 2
    case badFrame = 3
    case reservedBits = 4
    case frameTooLarge = 5
    case unknownKind = 6
    case unexpectedFrame = 7
    case badStreamID = 8
    case streamReused = 9
    case unknownStream = 10
    case streamClosed = 11
    case tooManyStreams = 12
    case flowControl = 13
    case badDescriptors = 14
    case truncated = 15
    case timeout = 16
    case notPermitted = 17
    case overloaded = 18
    case internalFault = 19

    package var name: String {
        switch self {
        case .none: "none"
        case .badMagic: "bad_magic"
        case .unsupportedVersion: "unsupported_version"
        case .badFrame: "bad_frame"
        case .reservedBits: "reserved_bits"
        case .frameTooLarge: "frame_too_large"
        case .unknownKind: "unknown_kind"
        case .unexpectedFrame: "unexpected_frame"
        case .badStreamID: "bad_stream_id"
        case .streamReused: "stream_reused"
        case .unknownStream: "unknown_stream"
        case .streamClosed: "stream_closed"
        case .tooManyStreams: "too_many_streams"
        case .flowControl: "flow_control"
        case .badDescriptors: "bad_descriptors"
        case .truncated: "truncated"
        case .timeout: "timeout"
        case .notPermitted: "not_permitted"
        case .overloaded: "overloaded"
        case .internalFault: "internal"
        }
    }
}
