import Agent

extension FuzzTarget {
    /// What a function writes to its descriptor 3. However it is cut, the messages are the same.
    /// Input: how it is cut (one byte), then the stream.
    static let functionChannel = FuzzTarget(name: "function-channel", maximumLength: 4096) { input in
        var script = InputBytes(input)
        let piece = Int(script.byte() % 64) + 1
        let stream = script.rest()
        let whole = read(stream, piece: max(1, stream.count))
        let cut = read(stream, piece: piece)
        expect(whole.messages == cut.messages, "messages depend on how the stream is cut")
        expect(whole.refusal == cut.refusal, "the refusal depends on how the stream is cut")
        for message in whole.messages {
            guard case .error(_, let body) = message else { continue }
            // What is passed on must fit a RESPONSE.
            expect(BootstrapError.passedOn(body) <= 512 << 10, "an error of more bytes than a RESPONSE may have")
        }
    }

    private static func read(
        _ stream: [UInt8], piece: Int
    ) -> (messages: [FunctionMessageDecoder.Message], refusal: String?) {
        var decoder = FunctionMessageDecoder(maximumResult: 1024)
        var messages: [FunctionMessageDecoder.Message] = []
        var at = 0
        while at < stream.count {
            let bytes = stream[at..<min(stream.count, at + piece)]
            at = bytes.endIndex
            _ = decoder.fill { (buffer) in
                buffer.append(contentsOf: bytes)
                return bytes.count
            }
            do throws(FunctionMessageDecoder.Refusal) {
                while let message = try decoder.next() { messages.append(message) }
            } catch {
                return (messages, error.reason)
            }
            expect(
                decoder.heldBytes < FunctionMessageDecoder.headerSize + decoder.maximumBody,
                "more is held than one message")
            expect(decoder.missing >= 1, "a message that lacks nothing is not handed out")
        }
        return (messages, nil)
    }
}
