/// What a client did, as the agent sees it.
package enum ServerEvent<FD: Sendable>: Sendable {
    /// The handshake is done; requests may come.
    case opened(Features)
    /// A new stream. It is answered by exactly one `respond`.
    case request(ServerRequest<FD>)
    /// Payload of an open stream. The bytes count against the stream's credit until `consumed` is called for them.
    case data(stream: UInt32, bytes: [UInt8], end: Bool)
    /// The client no longer wants the answer. The stream still ends with a `respond`.
    case cancel(stream: UInt32)
    /// All payload that was queued for the stream is in the output: more may be read from where it comes from.
    case drained(stream: UInt32)
    case pong(UInt64)
    /// The client opens no more streams.
    case goAway(GoAway)
    /// The client broke the protocol. GOAWAY is in the output; the connection is to be closed once that is written,
    /// and every stream of `openStreams` is to be cancelled.
    case failed(WireError)
}

/// The beginning of a stream.
package struct ServerRequest<FD: Sendable>: Sendable {
    package let stream: UInt32
    /// The number as it came: unknown ones are answered with UNIMPLEMENTED.
    package let method: UInt16
    /// Nanoseconds from arrival; nil for none.
    package let deadline: UInt64?
    /// No DATA follows.
    package let isComplete: Bool
    package let fds: [FD]
    /// The frame's body: the deadline and then the message.
    package let body: [UInt8]

    /// The method's protobuf message.
    package func withMessage<R, E: Error>(_ use: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body.span.bytes.withUnsafeBytes { (all) throws(E) in
            try use(UnsafeRawBufferPointer(rebasing: all[RequestBody.prefix...]))
        }
    }
}
