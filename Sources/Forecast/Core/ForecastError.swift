/// What can go wrong in the prediction engine; all of it leaves a working engine behind.
package enum ForecastError: Error, Equatable, CustomStringConvertible {
    /// The bytes are not what this library writes, or were damaged since.
    case damaged(what: String, reason: String)
    /// A later release wrote it.
    case newer(what: String, version: UInt32, known: UInt32)
    /// An earlier release wrote it, in another form.
    case older(what: String, version: UInt32, known: UInt32)
    /// A line of observations that cannot be read.
    case badObservation(line: Int, reason: String)
    /// A setting outside its range.
    case badSetting(name: String, reason: String)

    package var description: String {
        switch self {
        case .damaged(let what, let reason):
            "\(what) is damaged: \(reason); remove it to start from the built-in prior"
        case .newer(let what, let version, let known):
            "\(what) has format version \(version), this release reads up to \(known); use the release that wrote it, "
                + "or remove it to start from the built-in prior"
        case .older(let what, let version, let known):
            "\(what) has format version \(version), this release reads version \(known) only; what it knew is learned again, "
                + "remove it to start from the built-in prior"
        case .badObservation(let line, let reason):
            "observation in line \(line): \(reason)"
        case .badSetting(let name, let reason):
            "forecast setting \(name): \(reason)"
        }
    }
}
