import CreateBench
import FoundationEssentials
import Linux
import SwiftProtobuf
import Wire

/// Frames and messages without I/O. One measurement is the mean of a batch: a single one is shorter than a clock reading is
/// exact.
struct CodecCost {
    private static let batch = 1_000
    let count: Int

    func rows() -> [BenchReport.Row] {
        var request = HearthInvokeRequest()
        request.function = "native"
        request.payload = .init(BenchFunction.payload)
        let message: [UInt8] = (try? request.serializedBytes()) ?? []
        var frame: [UInt8] = []
        Self.header(message.count).encode(into: &frame)
        frame.append(contentsOf: message)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frame.count)
        var sink = 0
        let rows = [
            row("frame.encode") {
                bytes.removeAll(keepingCapacity: true)
                Self.header(message.count).encode(into: &bytes)
                bytes.append(contentsOf: message)
                sink &+= bytes.count
            },
            row("frame.decode") {
                frame.withUnsafeBytes {
                    if let header = try? FrameHeader(decoding: $0, limits: .default) { sink &+= Int(header.length) }
                }
            },
            row("message.encode") {
                let encoded: [UInt8]? = try? request.serializedBytes()
                sink &+= encoded?.count ?? 0
            },
            row("message.decode") {
                let decoded = try? HearthInvokeRequest(serializedBytes: message)
                sink &+= decoded?.payload.count ?? 0
            },
        ].compactMap { $0 }
        // What nobody reads would be optimized away.
        withExtendedLifetime(sink) {}
        return sink == 0 ? [] : rows
    }

    private static func header(_ length: Int) -> FrameHeader {
        FrameHeader(
            length: UInt32(length), stream: 1, kind: .request, flags: .endStream,
            method: UInt16(HearthMethod.invoke.rawValue))
    }

    private func row(_ name: String, _ body: () -> Void) -> BenchReport.Row? {
        let batches = max(count / 100, 10)
        var nanoseconds: [Double] = []
        for _ in 0..<batches {
            let begin = monotonicNow()
            for _ in 0..<Self.batch { body() }
            nanoseconds.append(Double(monotonicNow() - begin) / Double(Self.batch))
        }
        nanoseconds.sort()
        func microseconds(_ percent: Int) -> Double {
            let rank = (nanoseconds.count * percent + 99) / 100
            return nanoseconds[max(rank - 1, 0)].rounded() / 1_000
        }
        return BenchReport.Row(
            name: name, n: batches * Self.batch, p50: microseconds(50), p90: microseconds(90), p99: microseconds(99))
    }
}
