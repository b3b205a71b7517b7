import CLzma

/// An .xz stream decoder over liblzma, through concatenated streams.
final class XzDecoder: StreamDecoder {
    /// A dictionary of `xz -9` needs 65 MiB; a file that wants more than this is refused rather than obeyed.
    private static let memoryLimit: UInt64 = 256 << 20

    // liblzma keeps its state behind the stream; the heap keeps the address stable between calls.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private(set) var isComplete = false

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        // Fails only when memory is gone, which Swift's own allocations would not survive either.
        precondition(hearth_xz_decoder(stream, Self.memoryLimit) == LZMA_OK, "liblzma has no memory for a decoder")
    }

    deinit {
        lzma_end(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func decode(
        _ input: UnsafeMutableRawBufferPointer, atEnd: Bool, into output: UnsafeMutableRawBufferPointer
    ) -> Result<(used: Int, made: Int), DecodeFailure> {
        stream.pointee.next_in = UnsafePointer(input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = input.count
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = output.count
        let status = lzma_code(stream, atEnd ? LZMA_FINISH : LZMA_RUN)
        let progress = (used: input.count - stream.pointee.avail_in, made: output.count - stream.pointee.avail_out)
        switch status {
        case LZMA_OK: return .success(progress)
        case LZMA_STREAM_END:
            isComplete = true
            return .success(progress)
        case LZMA_MEMLIMIT_ERROR: return .failure(DecodeFailure(reason: "it needs more than 256 MiB to decode"))
        case LZMA_BUF_ERROR: return .failure(DecodeFailure(reason: "the xz stream ends early"))
        case LZMA_DATA_ERROR: return .failure(DecodeFailure(reason: "the xz data does not match its checks"))
        default: return .failure(DecodeFailure(reason: "liblzma error \(status.rawValue)"))
        }
    }
}
