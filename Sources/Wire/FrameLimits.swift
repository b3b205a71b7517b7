/// How large things may be on one connection. A server states them in WELCOME; before that the handshake's apply.
package struct FrameLimits: Sendable, Hashable {
    /// Largest body of a REQUEST or RESPONSE, in bytes.
    package var maximumMessage: UInt32
    /// Requests of one connection that have not been answered yet.
    package var maximumStreams: UInt32
    /// DATA bytes that either side may send on a new stream before it is given more.
    package var initialCredit: UInt32

    package init(maximumMessage: UInt32 = 1 << 20, maximumStreams: UInt32 = 256, initialCredit: UInt32 = 256 << 10) {
        self.maximumMessage = maximumMessage
        self.maximumStreams = maximumStreams
        self.initialCredit = initialCredit
    }

    package static let `default` = FrameLimits()

    /// Largest body of a DATA frame. Small enough that a control frame never waits long behind one.
    package static let maximumData: UInt32 = 64 << 10
    /// Descriptors of one frame (the kernel's own limit is 253, SCM_MAX_FD).
    package static let maximumDescriptors: UInt8 = 16
    /// What the credit of one direction of a stream never exceeds.
    package static let maximumCredit = Int(Int32.max)
    /// Largest body of HELLO and WELCOME: longer ones of later versions still have to fit.
    package static let maximumHandshake: UInt32 = 256
    package static let maximumGoAway: UInt32 = 1024

    func bodyLengths(of kind: FrameKind) -> ClosedRange<UInt32> {
        switch kind {
        case .hello: UInt32(Hello.size)...Self.maximumHandshake
        case .welcome: UInt32(Welcome.size)...Self.maximumHandshake
        case .request: UInt32(RequestBody.prefix)...max(maximumMessage, UInt32(RequestBody.prefix))
        case .response: 0...maximumMessage
        case .data: 0...Self.maximumData
        case .credit: 4...4
        case .cancel: 0...0
        case .ping, .pong: 8...8
        case .goAway: 8...Self.maximumGoAway
        }
    }
}
