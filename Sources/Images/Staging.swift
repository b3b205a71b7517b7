import Glibc
import Linux
import Synchronization

/// A directory of the store's own file system in which something is made ready; removed with everything in it unless
/// it was moved away.
final class Staging {
    static let directoryName = ".staging"

    private static let counter = Atomic<UInt64>(0)

    /// The directory of all staging directories.
    private let parent: OwnedFD
    private let name: String
    /// The staging directory itself.
    let directory: OwnedFD
    let path: String

    /// - Parameter store: the store's path.
    init(store: String) throws(ImageError) {
        let place = store + "/" + Self.directoryName
        // Unique among processes and in this one; left-overs of a dead process with our pid are gone since start.
        let name = "\(getpid())-\(Self.counter.add(1, ordering: .relaxed).newValue)"
        let path = place + "/" + name
        let parent = try storing(place) { () throws(Errno) in try Files.openDirectory(place) }
        directory = try storing(path) { () throws(Errno) in
            try Files.makeDirectory(name, in: parent.rawValue, mode: 0o700)
            return try Files.open(name, in: parent.rawValue, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        self.parent = parent
        self.name = name
        self.path = path
    }

    deinit {
        // Whatever cannot be removed now is removed at the next start.
        try? Files.removeTree(name, in: parent.rawValue)
    }

    /// Removes what dead processes left.
    static func recover(store: String) throws(ImageError) {
        let place = store + "/" + directoryName
        try storing(place) { () throws(Errno) in
            try Files.makeDirectories(store, mode: 0o711)
            try Files.removeTree(place)
            try Files.makeDirectory(place, mode: 0o700)
        }
    }
}
