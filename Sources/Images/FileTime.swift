/// A point in time as file systems keep it, in seconds and nanoseconds since 1970.
struct FileTime: Sendable, Hashable {
    var seconds: Int
    var nanoseconds: Int

    /// 1980-01-01, the first day that a zip archive can name: tools that pack a file of a tree do not stumble over it.
    static let fixed = FileTime(seconds: 315_532_800, nanoseconds: 0)
}
