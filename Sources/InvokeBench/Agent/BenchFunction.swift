package import CreateBench
import Glibc
package import HearthClient
import Images
import Linux
package import Wire

/// The functions that are measured: each does as little as its runtime allows.
package enum BenchFunction: String, CaseIterable, Sendable {
    case native
    case command
    case python
    case node

    /// Registers it under its own name, or another.
    package func register(
        _ client: HearthClient, executables: String, scratch: String, as name: String? = nil,
        _ adjust: (inout HearthFunctionSpec) -> Void = { _ in }
    ) throws(BenchError) {
        var request = HearthPutFunctionRequest()
        request.spec.name = name ?? rawValue
        request.spec.maxConcurrency = 1
        let code = scratch + "/code-\(rawValue)"
        do {
            try Files.makeDirectories(code)
            switch self {
            case .native:
                request.spec.runtime = .native
                request.spec.argv = ["/var/task/program", "function"]
                try Self.copy(executables + "/hearth-floor", to: code + "/program")
            case .command:
                request.spec.runtime = .command
                request.spec.argv = ["/var/task/program"]
                try Self.copy(executables + "/hearth-stamp", to: code + "/program")
            case .python:
                request.spec.runtime = .python
                request.spec.handler = "app.handler"
                try Files.write(Array("def handler(event, context):\n    return event\n".utf8), to: code + "/app.py")
            case .node:
                request.spec.runtime = .node
                request.spec.handler = "app.handler"
                try Files.write(Array("exports.handler = async event => event;\n".utf8), to: code + "/app.js")
            }
            adjust(&request.spec)
            let archive = try MemoryFile.empty(name: "code")
            try ZipWriter.pack(directory: code, to: archive)
            let fd = archive.rawValue
            request.codeFormat = .zip
            request.codeSize = UInt64(try systemCall { Int(lseek(fd, 0, SEEK_END)) })
            _ = try systemCall { Int(lseek(fd, 0, SEEK_SET)) }
            _ = try client.putFunction(request, code: .descriptor(fd))
        } catch {
            throw .agent(about: "the function \(request.spec.name)", said: "\(error)")
        }
    }

    private static func copy(_ from: String, to: String) throws {
        try Files.write(try Files.read(from, limit: 64 << 20), to: to, mode: 0o755)
    }

    /// 64 bytes of JSON, as many as a message of the relay has.
    package static let payload = Array(("\"" + String(repeating: "x", count: 62) + "\"").utf8)
}
