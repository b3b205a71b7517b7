/// A decompressor that is fed piece by piece. A class, because both libraries tie their state to an address.
protocol StreamDecoder: AnyObject {
    /// Whether everything fed so far ends exactly where a compressed stream ends.
    var isComplete: Bool { get }

    /// Decodes from `input` into `output`; `atEnd` says that no input follows. Returns the bytes used and made.
    func decode(
        _ input: UnsafeMutableRawBufferPointer, atEnd: Bool, into output: UnsafeMutableRawBufferPointer
    ) -> Result<(used: Int, made: Int), DecodeFailure>
}

/// Why compressed bytes did not decode.
struct DecodeFailure: Error { let reason: String }
