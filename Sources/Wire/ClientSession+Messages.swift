package import SwiftProtobuf

extension ClientSession {
    /// Opens a stream with a method's message.
    package mutating func request(
        _ method: HearthMethod, _ message: some Message, deadline: UInt64? = nil, fds: [FD] = [],
        isComplete: Bool = true
    ) throws(RequestRefusal) -> UInt32 {
        // A proto3 message without required fields always encodes.
        let body: [UInt8] = (try? message.serializedBytes()) ?? []
        return try request(
            method: UInt16(method.rawValue), message: body, deadline: deadline, fds: fds, isComplete: isComplete)
    }
}
