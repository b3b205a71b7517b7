import ArgumentParser
import Foundation
import HearthClient
import Linux
import Wire

/// How the agent is reached.
struct AgentOptions: ParsableArguments {
    @Option(name: .long, help: "The agent's socket.")
    var socket: String?

    func connect() throws -> HearthClient {
        do {
            return try HearthClient(socketPath: socket)
        } catch {
            throw Failure(error)
        }
    }
}

/// An error on its way to stderr, with the exit status it means.
struct Failure: Error {
    let message: String
    let remedy: String
    let status: Int32

    init(_ message: String, remedy: String = "", status: Int32 = 1) {
        self.message = message
        self.remedy = remedy
        self.status = status
    }

    init(_ error: HearthClientError) {
        if case .agent(let answer) = error {
            self.init(answer.message, remedy: answer.remedy)
        } else {
            self.init("\(error)", status: ExitStatus.unavailable)
        }
    }
}

extension ParsableCommand {
    /// Runs a command's work; whatever fails goes to stderr as one message and a remedy.
    func reporting(status: Int32? = nil, _ work: () throws -> Void) throws {
        do {
            try work()
        } catch let error as HearthClientError {
            try fail(Failure(error), status)
        } catch let error as Failure {
            try fail(error, status)
        } catch let error as Errno {
            try fail(Failure("\(error)"), status)
        }
    }

    private func fail(_ failure: Failure, _ status: Int32?) throws -> Never {
        var text = "hearth: \(failure.message)\n"
        if !failure.remedy.isEmpty { text += "  \(failure.remedy)\n" }
        Terminal.writeError(text)
        throw ExitCode(status ?? failure.status)
    }
}

/// Exit statuses of `hearth invoke`, one for each outcome, and of commands that do not reach the agent.
enum ExitStatus {
    static let unavailable: Int32 = 69

    static func of(_ outcome: HearthOutcome) -> Int32 {
        switch outcome {
        case .ok: 0
        case .functionError: 10
        case .crashed: 11
        case .timeout: 12
        case .outOfMemory: 13
        case .initFailed: 14
        case .rejected: 15
        case .cancelled: 16
        case .agentRestarted: 17
        case .unspecified, .UNRECOGNIZED: 1
        }
    }
}
