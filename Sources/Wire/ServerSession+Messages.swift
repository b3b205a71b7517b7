package import SwiftProtobuf

extension ServerSession {
    /// Ends a stream with the method's response.
    @discardableResult
    package mutating func respond(_ stream: UInt32, _ message: some Message, fds: [FD] = []) -> Bool {
        // A proto3 message without required fields always encodes; an empty body is what is left to say otherwise.
        let body: [UInt8] = (try? message.serializedBytes()) ?? []
        return respond(stream, body: body, fds: fds)
    }

    /// Ends a stream with an error; payload that waits for credit is dropped.
    @discardableResult
    package mutating func respond(_ stream: UInt32, error: HearthError) -> Bool {
        discardQueuedData(stream)
        let body: [UInt8] = (try? error.serializedBytes()) ?? []
        return respond(stream, flags: .error, body: body)
    }
}

extension ServerRequest {
    /// Decodes the method's message.
    package func message<M: Message>(_ type: M.Type = M.self) throws(HearthError) -> M {
        do {
            return try withMessage { (bytes) in
                var message = M()
                try message.merge(serializedBytes: bytes.bytes)
                return message
            }
        } catch {
            throw .malformedMessage(String(describing: M.protoMessageName))
        }
    }
}
