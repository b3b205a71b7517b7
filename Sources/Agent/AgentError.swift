import Images
package import Linux
import Sandbox
package import Wire

/// Why a request was not carried out: what the protocol calls an Error. Also the domain error of this module.
package struct AgentError: Error, Sendable, CustomStringConvertible {
    package var code: HearthErrorCode
    package var message: String
    package var remedy: String
    package var retryable: Bool
    package var errno: Errno?
    package var stage: String

    package init(
        _ code: HearthErrorCode, _ message: String, remedy: String, retryable: Bool = false, errno: Errno? = nil,
        stage: String = ""
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retryable = retryable
        self.errno = errno
        self.stage = stage
    }

    package var description: String { remedy.isEmpty ? message : "\(message); \(remedy)" }

    static func invalid(_ message: String, remedy: String) -> AgentError {
        AgentError(.invalidArgument, message, remedy: remedy)
    }

    static func functionNotFound(_ name: String) -> AgentError {
        AgentError(
            .notFound, "no function named '\(name)'",
            remedy: "see 'hearth function list', or register it with 'hearth function put'")
    }

    static func imageNotFound(_ name: String) -> AgentError {
        AgentError(
            .notFound, "no image named '\(name)'",
            remedy: "see 'hearth image list', or import it with 'hearth image import'")
    }

    static func cancelled() -> AgentError {
        AgentError(.cancelled, "the client cancelled the request", remedy: "", retryable: true)
    }

    /// The body of a RESPONSE with the ERROR flag.
    var wire: HearthError {
        var error = HearthError()
        error.code = code
        error.message = message
        error.remedy = remedy
        error.retryable = retryable
        error.errno = errno?.rawValue ?? 0
        error.stage = stage
        return error
    }

    init(_ error: SandboxError) {
        switch error {
        case .noFreeSlot:
            self.init(
                .resourceExhausted, error.description, remedy: "try again when sandboxes have ended", retryable: true)
        case .invalid(let why):
            self.init(.invalidArgument, why, remedy: "correct the request")
        case .failed(let errno, let stage):
            self.init(
                stage == .exec || stage == .directory ? .invalidArgument : .internal, error.description,
                remedy: stage == .exec
                    ? "check that the program exists in the image, is executable and is for this processor"
                    : stage == .directory
                        ? "check that the working directory exists in the image" : "see 'hearth doctor'",
                errno: errno, stage: stage.description)
        default:
            self.init(
                .unavailable, error.description, remedy: "see 'hearth doctor' and the agent's log", retryable: true)
        }
    }
}
