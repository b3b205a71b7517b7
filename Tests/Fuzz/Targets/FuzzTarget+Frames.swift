import Wire

extension FuzzTarget {
    /// The frame decoder. However the stream is cut, the frames are the same, and so is the error.
    /// Input: how it is cut (one byte), then the stream.
    static let frames = FuzzTarget(name: "frames", maximumLength: 4096) { input in
        var script = InputBytes(input)
        let piece = Int(script.byte() % 64) + 1
        let stream = script.rest()
        let whole = decode(stream, piece: max(1, stream.count))
        let cut = decode(stream, piece: piece)
        expect(whole.frames == cut.frames, "frames depend on how the stream is cut")
        expect(whole.error == cut.error, "the error depends on how the stream is cut")
    }

    private static func decode(_ stream: [UInt8], piece: Int) -> (frames: [[UInt8]], error: WireErrorCode?) {
        let limits = FrameLimits(maximumMessage: 2048, maximumStreams: 4, initialCredit: 1024)
        var decoder = FrameDecoder(limits: limits)
        decoder.expectsHandshake = false
        var frames: [[UInt8]] = []
        var at = 0
        do throws(WireError) {
            while at < stream.count {
                let bytes = Array(stream[at..<min(stream.count, at + piece)])
                at += bytes.count
                try bytes.span.bytes.withUnsafeBytes { (buffer) throws(WireError) in
                    var offset = 0
                    while let frame = try decoder.next(buffer, offset: &offset) {
                        expect(frame.body.count == Int(frame.header.length), "a body of another length")
                        var encoded: [UInt8] = []
                        frame.header.encode(into: &encoded)
                        frames.append(encoded + frame.body)
                    }
                    expect(offset == buffer.count, "input is left over")
                }
                expect(decoder.bufferedBytes <= 65536 + FrameHeader.size, "more is held than a frame may have")
            }
            try decoder.checkEnd()
            return (frames, nil)
        } catch {
            return (frames, error.code)
        }
    }
}
