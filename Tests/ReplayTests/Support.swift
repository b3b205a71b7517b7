import CLzma
import CZlib
import Foundation
import Testing

@testable import Replay

/// Real traces, kept outside the repository: HEARTH_DATA, or ../shared/data beside the package.
enum TestData {
    static let folder: String? = {
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let candidates: [String?] = [
            ProcessInfo.processInfo.environment["HEARTH_DATA"], "/\(package)/../shared/data",
            FileManager.default.currentDirectoryPath + "/../shared/data",
        ]
        return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
    }()

    static let missing: Comment = "skipped: no data (set HEARTH_DATA)"

    static func path(_ name: String) -> String { "\(folder ?? "")/\(name)" }

    static let apps100 = "azure2019-24h-100apps/apps100_concurrency.csv"
    static let alibaba = "alibaba-gentd26/lora_request_trace.csv"
}

/// A folder that is removed when the test ends.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "hearth-replay-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

    func write(_ name: String, _ data: Data) throws -> String {
        let file = "\(path)/\(name)"
        try data.write(to: URL(filePath: file))
        return file
    }
}

enum Compress {
    static func gzip(_ text: String) -> Data {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        var input = Array(text.utf8)
        var output = [UInt8](repeating: 0, count: input.count + 1024)
        let made = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                deflate(&stream, Z_FINISH)
                return target.count - Int(stream.avail_out)
            }
        }
        deflateEnd(&stream)
        return Data(output.prefix(made))
    }

    static func xz(_ text: String) -> Data {
        let input = Array(text.utf8)
        var output = [UInt8](repeating: 0, count: input.count + 4096)
        var made = 0
        lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nil, input, input.count, &output, &made, output.count)
        return Data(output.prefix(made))
    }
}

/// A trace from rows of active minutes.
func minuteTrace(_ rows: [[Int]], minutes: Int, memoryMB: [Double] = []) -> MinuteTrace {
    let units = rows.enumerated().map { index, active in
        TraceUnit(
            id: "u\(index)", app: "", owner: "", trigger: "", memoryMB: index < memoryMB.count ? memoryMB[index] : nil,
            activity: active.map { ActiveMinute(minute: Int32($0), value: 1) })
    }
    return MinuteTrace(
        Trace(
            name: "tiny", resolution: .counts, minutes: minutes, originMinute: 0, units: units, invocations: [],
            users: []))
}

/// splitmix64: enough for property tests, and the seed can be printed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
