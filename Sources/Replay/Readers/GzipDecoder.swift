import CZlib

/// A gzip stream decoder over zlib. Concatenated members are decoded as one stream, as `zcat` does.
final class GzipDecoder: StreamDecoder {
    // zlib's inflate state points back at its z_stream, so the stream must never move: it lives on the heap.
    private let stream: UnsafeMutablePointer<z_stream>
    private(set) var isComplete = false

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Fails only when memory is gone, which Swift's own allocations would not survive either.
        precondition(hearth_inflate_gzip(stream) == Z_OK, "zlib has no memory for a decoder")
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func decode(
        _ input: UnsafeMutableRawBufferPointer, atEnd: Bool, into output: UnsafeMutableRawBufferPointer
    ) -> Result<(used: Int, made: Int), DecodeFailure> {
        if isComplete && !input.isEmpty {
            inflateReset(stream)
            isComplete = false
        }
        stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let status = inflate(stream, Z_NO_FLUSH)
        let progress = (
            used: input.count - Int(stream.pointee.avail_in), made: output.count - Int(stream.pointee.avail_out)
        )
        switch status {
        case Z_OK, Z_BUF_ERROR: return .success(progress)
        case Z_STREAM_END:
            isComplete = true
            return .success(progress)
        default:
            let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(status)"
            return .failure(DecodeFailure(reason: reason))
        }
    }
}
