/// What a REQUEST's body begins with: the deadline, `u64` nanoseconds counted from the request's arrival, 0 for none.
/// The method's protobuf message is the rest. It stands outside the message so that a relay or a queue reads it
/// without knowing the method.
package enum RequestBody {
    /// Bytes in front of the message.
    package static let prefix = 8

    /// The largest deadline: what a signed 64-bit clock can still add up (292 years).
    package static let longestDeadline = UInt64(Int64.max)
}
