/// The decompressed bytes of one file. Plain, gzip and xz are told apart by their first bytes, never by the name.
struct ByteReader: ~Copyable {
    private let file: OwnedFile
    private var raw: [UInt8]
    private var used = 0
    private var filled = 0
    private var fileEnded = false
    private let decoder: (any StreamDecoder)?

    /// Compressed bytes taken from the file so far, for a progress display.
    private(set) var position = 0
    var path: String { file.path }
    var size: Int { file.size }

    init(path: String) throws(ReplayError) {
        let file = try OwnedFile(reading: path)
        var raw = [UInt8](repeating: 0, count: 64 << 10)
        filled = try file.read(into: &raw)
        position = filled
        fileEnded = filled == 0
        decoder = Self.decoder(for: raw.prefix(min(filled, 6)))
        self.file = file
        self.raw = raw
    }

    private static func decoder(for head: ArraySlice<UInt8>) -> (any StreamDecoder)? {
        if head.starts(with: [0x1f, 0x8b]) { return GzipDecoder() }
        if head.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) { return XzDecoder() }
        return nil
    }

    /// Writes the next bytes into `buffer[offset...]`. Returns how many, 0 at the end.
    mutating func read(into buffer: inout [UInt8], from offset: Int) throws(ReplayError) -> Int {
        precondition(offset < buffer.count)
        while true {
            if used == filled && !fileEnded { try refill() }
            guard let decoder else {
                let count = min(filled - used, buffer.count - offset)
                buffer.replaceSubrange(offset..<offset + count, with: raw[used..<used + count])
                used += count
                return count
            }
            let step = try decode(decoder, into: &buffer, from: offset)
            if step > 0 { return step }
            if used == filled && fileEnded && decoder.isComplete { return 0 }
            if used == filled && fileEnded {
                throw .corrupt(path: path, reason: "the compressed stream ends early")
            }
        }
    }

    private mutating func decode(
        _ decoder: any StreamDecoder, into buffer: inout [UInt8], from offset: Int
    ) throws(ReplayError) -> Int {
        let rest = used..<filled
        let atEnd = fileEnded
        // The decoders write straight into the caller's buffer: both pointers live only for the call.
        let result = raw.withUnsafeMutableBytes { input in
            buffer.withUnsafeMutableBytes { output in
                decoder.decode(
                    UnsafeMutableRawBufferPointer(rebasing: input[rest]), atEnd: atEnd,
                    into: UnsafeMutableRawBufferPointer(rebasing: output[offset...]))
            }
        }
        switch result {
        case .success(let progress):
            used += progress.used
            return progress.made
        case .failure(let failure):
            throw .corrupt(path: path, reason: failure.reason)
        }
    }

    private mutating func refill() throws(ReplayError) {
        filled = try file.read(into: &raw)
        used = 0
        position += filled
        fileEnded = filled == 0
    }
}
