/// What an occurrence forecast draws on beside how long a unit has been idle and how often it is called: each can be
/// left out, to find what it is worth. The other estimates then learn without it.
package enum OccurrenceSource: UInt8, Sendable, CaseIterable {
    /// The unit's gaps between activities: those like the present idle time, and what followed the like sequences.
    case gaps
    /// Distances of the unit's activities that recur: periods of a few minutes to a day.
    case periods
    /// The minute of the hour, the hour of the day and of the week.
    case clock
    /// How busy all units together are at the moment.
    case load
    /// The users that are about, where the callers are known.
    case users
    /// Tables of the unit alone, in place of what all units together teach.
    case unit

    package struct Set: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package init(_ source: OccurrenceSource) { rawValue = 1 << source.rawValue }

        func has(_ source: OccurrenceSource) -> Bool { rawValue & 1 << source.rawValue != 0 }
    }
}
