import Glibc

/// A forecast in the minute replay: told who was active, says who will be.
///
/// The adapter to the agent's own models is `HearthForecaster`; `HazardForecaster` is a simple one to compare with.
package protocol MinuteForecaster {
    /// Takes in minute `minute` and writes into `logOdds[unit]` how likely each unit is active in the next one.
    /// Units never seen keep `LogOdds.unknown`. `calls`: who called whom in it, where the trace tells.
    mutating func step(
        minute: Int, active: ArraySlice<Int32>, calls: ArraySlice<UserCall>, logOdds: inout [Float])
}

/// A call of a unit by a known user.
package struct UserCall: Sendable, Equatable {
    package var unit: Int32
    package var user: Int32

    package init(unit: Int32, user: Int32) {
        self.unit = unit
        self.user = user
    }
}

/// Natural log-odds of a probability.
package enum LogOdds {
    /// What a unit has before its first activity: never worth a load.
    package static let unknown = -Float.infinity

    package static func of(_ probability: Double) -> Float { Float(log(probability / (1 - probability))) }
    package static func probability(_ logOdds: Double) -> Double { 1 / (1 + exp(-logOdds)) }
}
