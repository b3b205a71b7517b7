package import Linux

/// Why a benchmark, or one of its subjects, cannot go on.
package enum BenchError: Error, CustomStringConvertible {
    /// A program that the subject needs is not installed.
    case missing(program: String, remedy: String)
    /// The subject's process ended, or said something that is no figure. It wrote the reason to stderr.
    case helper(subject: String, said: String)
    /// The agent answered, and not as the measurement needs it.
    case agent(about: String, said: String)
    case system(what: String, Errno)
    case nothingToMeasure(String)

    package var description: String {
        switch self {
        case .missing(let program, let remedy): "\(program) was not found; \(remedy)"
        case .helper(let subject, let said):
            "the subject \(subject) gave no figure (\(said)); its own message is above, run it by hand to see more"
        case .agent(let about, let said): "\(about): \(said)"
        case .system(let what, let error): "\(what): \(error)"
        case .nothingToMeasure(let why): "there is nothing to measure: \(why)"
        }
    }
}

/// Gives an `Errno` the thing that it happened to.
func about<Result>(
    _ what: @autoclosure () -> String, _ body: () throws(Errno) -> Result
) throws(BenchError) -> Result {
    do { return try body() } catch { throw .system(what: what(), error) }
}
