/// What the agent did, as a client sees it.
package enum ClientEvent<FD: Sendable>: Sendable {
    /// The handshake is done; requests may be sent.
    case opened(Welcome)
    /// The end of a stream. `isError`: the body is an `Error` message.
    case response(stream: UInt32, isError: Bool, body: [UInt8], fds: [FD])
    /// Payload of an open stream; `consumed` gives the agent its credit back.
    case data(stream: UInt32, bytes: [UInt8])
    /// All payload that was queued for the stream is in the output.
    case drained(stream: UInt32)
    case pong(UInt64)
    case goAway(GoAway)
    /// The stream came after what a GOAWAY covers: the agent never touched the request, it may be repeated elsewhere.
    case unprocessed(stream: UInt32)
    /// The agent broke the protocol. GOAWAY is in the output; the connection is to be closed.
    case failed(WireError)
}

/// Why a client session did not take a request.
package enum RequestRefusal: Error, Hashable, Sendable {
    /// Before WELCOME, or after the end.
    case notOpen
    /// The agent is going away and takes no new streams.
    case goingAway
    case tooManyStreams(limit: UInt32)
    case messageTooLarge(size: Int, limit: Int)
    case tooManyDescriptors(Int)
    /// The handshake did not agree on passing descriptors.
    case descriptorsNotAgreed
    /// All stream numbers of this connection are used up: open another one.
    case streamsUsedUp
}
