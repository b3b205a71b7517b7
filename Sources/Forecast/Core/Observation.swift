/// Something that happened, from wherever it was heard: the agent's own invocations, a log, a topic, a coordinator.
package struct Observation: Sendable, Equatable {
    /// Nanoseconds since 1970-01-01 UTC, or of a virtual clock; the engine has no clock of its own.
    package var time: Int64
    package var kind: Kind

    package enum Kind: Sendable, Equatable {
        /// A call of a function. `user` and `session` as far as they are known; `arguments` is a digest of the payload
        /// (0: none), so that equal requests are recognised without keeping them.
        case request(function: String, user: String?, session: String?, arguments: UInt64)
        /// An event on a topic.
        case event(topic: String, key: String?)
        /// A user or session began (`true`) or ended, where a front end tells.
        case session(user: String, session: String, begins: Bool)
        /// One function calls another, or a topic starts a function: known beforehand, from static analysis or a binding.
        case dependency(from: Source, to: String, lag: Double)
    }

    package enum Source: Sendable, Equatable {
        case function(String)
        case topic(String)
    }

    package init(time: Int64, _ kind: Kind) {
        self.time = time
        self.kind = kind
    }
}
