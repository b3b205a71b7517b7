import Foundation

/// What a bootstrap says of an exception: `{"type","message","trace":[...]}`, as hostile as anything of a function's.
package enum BootstrapError {
    /// The parts of it that are passed on, in bytes. Together they stay well below the largest RESPONSE, which the error has to
    /// fit: one character may be any number of bytes long, so characters are no measure.
    private static let typeBytes = 256
    private static let messageBytes = 64 << 10
    private static let lineBytes = 4096
    private static let traceBytes = 256 << 10
    private static let traceLines = 256

    private struct Body: Decodable {
        var type: String?
        var message: String?
        var trace: [String]?
        var fatal: Bool?
    }

    /// - Returns: the failure, and whether the process ends after it.
    static func read(_ bytes: [UInt8]) -> (detail: FailureDetail, isFatal: Bool) {
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(bytes)) else {
            return (FailureDetail(type: "Error", message: String(decoding: bytes.prefix(4096), as: UTF8.self)), false)
        }
        var trace: [String] = []
        var room = traceBytes
        for line in (body.trace ?? []).prefix(traceLines) {
            let kept = cut(line, lineBytes)
            room -= kept.utf8.count
            if room < 0 { break }
            trace.append(kept)
        }
        let detail = FailureDetail(
            type: cut(body.type ?? "Error", typeBytes), message: cut(body.message ?? "", messageBytes), trace: trace)
        return (detail, body.fatal ?? false)
    }

    /// For the fuzzer: everything that is passed on, in bytes.
    package static func passedOn(_ bytes: [UInt8]) -> Int {
        let detail = read(bytes).detail
        return detail.type.utf8.count + detail.message.utf8.count + detail.trace.reduce(0) { $0 + $1.utf8.count }
    }

    /// At most `limit` bytes of a text, cut between scalars.
    private static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: limit)
        // Not in the midst of a scalar: continuation bytes are 10xxxxxx.
        while end > text.utf8.startIndex, text.utf8[end] & 0xc0 == 0x80 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
