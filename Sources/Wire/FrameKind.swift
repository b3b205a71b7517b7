/// What a frame is for: the byte at offset 8 of its header.
package enum FrameKind: UInt8, Sendable, CaseIterable {
    case hello = 1
    case welcome = 2
    case request = 3
    case response = 4
    case data = 5
    case credit = 6
    case cancel = 7
    case ping = 8
    case pong = 9
    case goAway = 10

    /// The flags that may be set in a frame of this kind; any other is a protocol error.
    package var allowedFlags: FrameFlags {
        switch self {
        case .request, .data: .endStream
        case .response: .error
        default: []
        }
    }

    /// Whether frames of this kind belong to a stream; the others carry stream 0.
    package var belongsToStream: Bool {
        switch self {
        case .request, .response, .data, .credit, .cancel: true
        case .hello, .welcome, .ping, .pong, .goAway: false
        }
    }

    /// Whether descriptors may travel with a frame of this kind.
    package var mayCarryDescriptors: Bool {
        self == .request || self == .response
    }
}

/// The byte at offset 9 of a frame's header.
package struct FrameFlags: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// REQUEST and DATA of a client: it sends no DATA on this stream after this frame.
    package static let endStream = FrameFlags(rawValue: 0x01)
    /// RESPONSE: the body is an `Error`, not the method's response.
    package static let error = FrameFlags(rawValue: 0x02)
}
