import FoundationEssentials
import Glibc
package import HearthClient
import Images
import Linux
package import Wire

extension HearthClient {
    /// Puts a function whose code are these files.
    @discardableResult
    package func put(
        _ name: String, _ runtime: HearthRuntime, files: [String: String] = [:],
        _ change: (inout HearthFunctionSpec) -> Void = { _ in }
    ) throws -> HearthFunctionInfo {
        let scratch = try ScratchDirectory()
        for (file, text) in files { try scratch.write(text, to: file) }
        return try put(name, runtime, directory: files.isEmpty ? nil : scratch.path, change)
    }

    /// Puts a function whose code is a directory.
    @discardableResult
    package func put(
        _ name: String, _ runtime: HearthRuntime, directory: String?,
        _ change: (inout HearthFunctionSpec) -> Void = { _ in }
    ) throws -> HearthFunctionInfo {
        var request = HearthPutFunctionRequest()
        request.spec.name = name
        request.spec.runtime = runtime
        if runtime == .python || runtime == .node { request.spec.handler = "app.handler" }
        change(&request.spec)
        request.codeFormat = .none
        guard let directory else { return try putFunction(request, options: .patient) }
        let archive = try MemoryFile.empty(name: "code")
        try ZipWriter.pack(directory: directory, to: archive)
        request.codeFormat = .zip
        request.codeSize = UInt64(lseek(archive.rawValue, 0, SEEK_END))
        lseek(archive.rawValue, 0, SEEK_SET)
        // The client gets the bare number: the file has to live until it has answered.
        defer { withExtendedLifetime(archive) {} }
        return try putFunction(request, code: .descriptor(archive.rawValue), options: .patient)
    }

    /// Puts a function with an archive as it is.
    @discardableResult
    package func put(
        _ name: String, archive: [UInt8], format: HearthCodeFormat = .zip, size: Int? = nil
    ) throws -> HearthFunctionInfo {
        var request = HearthPutFunctionRequest()
        request.spec.name = name
        request.spec.runtime = .python
        request.spec.handler = "app.handler"
        request.codeFormat = format
        request.codeSize = UInt64(size ?? archive.count)
        return try putFunction(request, code: .bytes(archive), options: .patient)
    }

    /// Invokes a function with a text as its payload.
    package func invoke(
        _ name: String, _ payload: String = "", _ change: (inout HearthInvokeRequest) -> Void = { _ in }
    ) throws -> HearthInvokeResponse {
        var request = HearthInvokeRequest()
        request.function = name
        request.payload = .init(payload.utf8)
        change(&request)
        return try invoke(request, options: .patient)
    }
}

extension CallOptions {
    /// Long enough for anything that works, so that what does not ends the call and not the test run.
    package static let patient = CallOptions(deadlineNanoseconds: 60_000_000_000)
}

extension HearthInvokeResponse {
    package var text: String { String(decoding: payload, as: UTF8.self) }
    package var logText: String { String(decoding: logs, as: UTF8.self) }

    /// One line that says everything, for the message of a failed expectation.
    package var summary: String {
        "\(outcome) \(startKind) \(text.prefix(200)) \(error.type): \(error.message) | \(logText.suffix(400))"
    }
}

/// The agent's answer to a request that must be refused.
package func refusal<Value>(_ body: () throws -> Value) throws -> HearthError {
    do {
        _ = try body()
    } catch HearthClientError.agent(let error) {
        return error
    }
    throw TestFailure("the agent took what it must refuse")
}
