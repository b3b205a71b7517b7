/// Unload a fixed time after the last use: what providers do. `minutes` of nil never unloads.
package struct FixedKeepAlive: IdleWindowPolicy {
    let minutes: Int?

    package init(minutes: Int?) { self.minutes = minutes }

    package mutating func windows(afterIdle idle: Int?) -> [IdleWindow] {
        guard let minutes else { return [.forever] }
        return minutes > 0 ? [IdleWindow(0, minutes - 1)] : []
    }
}
