import FoundationEssentials
import Wire

/// The analyser's answer, believed in nothing: lengths, counts and characters are bounded again.
extension CodeAnalyzer {
    private static let mostListed = 200
    private static let longestText = 256

    private struct Answer: Decodable {
        struct Package: Decodable {
            var name: String
            var origin: String
            var bytes: UInt64
            var import_us: UInt64
            var files: [String]
        }
        struct Call: Decodable {
            var target: String
            var topic: Bool
            var file: String
            var line: UInt32
        }
        struct Skipped: Decodable {
            var file: String
            var reason: String
        }
        var failure: String?
        var files: UInt32?
        var packages: [Package]?
        var calls: [Call]?
        var skipped: [Skipped]?
        var skipped_count: UInt32?
    }

    static func parse(_ bytes: [UInt8]) -> HearthCodeAnalysis {
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        } catch {
            return failed("the analyser gave no answer that can be read")
        }
        if let failure = answer.failure { return failed(failure) }
        var analysis = HearthCodeAnalysis()
        analysis.state = .done
        analysis.files = answer.files ?? 0
        for found in (answer.packages ?? []).prefix(mostListed) {
            var package = HearthPackageImport()
            package.name = text(found.name)
            package.origin = text(found.origin)
            package.bytes = found.bytes
            package.importNs = found.import_us.multipliedReportingOverflow(by: 1000).partialValue
            package.files = found.files.prefix(4).map(text)
            analysis.packages.append(package)
        }
        for found in (answer.calls ?? []).prefix(mostListed) where !found.target.isEmpty {
            var call = HearthCodeCall()
            call.target = text(found.target)
            call.topic = found.topic
            call.file = text(found.file)
            call.line = found.line
            analysis.calls.append(call)
        }
        for found in (answer.skipped ?? []).prefix(20) {
            var skipped = HearthSkippedCode()
            skipped.file = text(found.file)
            skipped.reason = text(found.reason)
            analysis.skipped.append(skipped)
        }
        analysis.skippedCount = max(answer.skipped_count ?? 0, UInt32(analysis.skipped.count))
        return analysis
    }

    private static func text(_ text: String) -> String { FunctionRecord.printable(String(text.prefix(longestText))) }
}
