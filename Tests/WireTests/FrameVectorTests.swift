import Testing

@testable import Wire

@Suite struct FrameVectorTests {
    @Test func thereAreVectors() {
        #expect(VectorFile.all("frames").count > 90)
        #expect(VectorFile.all("stories").count > 90)
    }

    @Test(arguments: VectorFile.all("frames"))
    func decodes(_ file: VectorFile) throws {
        let vector = try file.json()
        let wire = vector["wire"].bytes
        let body = vector["frame"]["body"].bytes
        for cut in Cut.all(for: wire.count) {
            let result = decode(wire, fds: vector["fds"].int, handshake: vector["handshake"].bool, cut)
            if vector["error"].exists {
                #expect(result.error == vector["error"].string, "cut \(cut)")
            } else {
                let expected = vector["frame"]
                #expect(result.error == nil && result.frames.count == 1, "cut \(cut)")
                guard let frame = result.frames.first else { return }
                let header = frame.header
                #expect(UInt64(header.length) == expected["length"].number)
                #expect(UInt64(header.stream) == expected["stream"].number)
                #expect(UInt64(header.kind.rawValue) == expected["kind"].number)
                #expect(UInt64(header.flags.rawValue) == expected["flags"].number)
                #expect(UInt64(header.fds) == expected["fds"].number)
                #expect(UInt64(header.method) == expected["method"].number)
                #expect(frame.body == body, "cut \(cut)")
                var again: [UInt8] = []
                header.encode(into: &again)
                #expect(again + frame.body == wire, "encoding gives the same bytes")
            }
        }
    }

    private func decode(
        _ wire: [UInt8], fds: Int, handshake: Bool, _ cut: Cut
    ) -> (frames: [Frame], error: String?) {
        var decoder = FrameDecoder()
        decoder.expectsHandshake = handshake
        var frames: [Frame] = []
        do throws(WireError) {
            try decoder.descriptorsArrived(fds)
            for piece in cut.pieces(wire) {
                let bytes = Array(piece)
                var offset = 0
                while let frame = try decoder.next(bytes, &offset) { frames.append(frame) }
                if offset != bytes.count { Issue.record("\(bytes.count - offset) bytes were left, cut \(cut)") }
                try decoder.checkDescriptors()
            }
            try decoder.checkEnd()
        } catch {
            return (frames, error.code.name)
        }
        return (frames, nil)
    }

    /// A header that announces a mebibyte does not make the decoder reserve one.
    @Test func announcedLengthBuysNoMemory() throws {
        var decoder = FrameDecoder()
        decoder.expectsHandshake = false
        var bytes: [UInt8] = []
        FrameHeader(length: 1 << 20, stream: 1, kind: .request).encode(into: &bytes)
        bytes += [1, 2, 3]
        var offset = 0
        let frame = try bytes.withUnsafeBytes { try decoder.next($0, offset: &offset) }
        #expect(frame == nil && decoder.bufferedBytes == 3 && decoder.reservedBytes < 256)
    }
}

extension FrameDecoder {
    fileprivate mutating func next(_ bytes: [UInt8], _ offset: inout Int) throws(WireError) -> Frame? {
        try bytes.span.bytes.withUnsafeBytes { (bytes) throws(WireError) in try next(bytes, offset: &offset) }
    }
}
