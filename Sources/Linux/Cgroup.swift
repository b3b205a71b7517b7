import Glibc

/// One group of the cgroup v2 hierarchy (Documentation/admin-guide/cgroup-v2.rst), held by its directory.
package struct Cgroup: ~Copyable, Sendable {
    package let path: String
    package let directory: OwnedFD

    /// Opens an existing group.
    package init(opening path: String) throws(Errno) {
        self.path = path
        directory = try Files.openDirectory(path)
    }

    /// Where the v2 hierarchy is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid machine.
    package static func mountPoint() throws(Errno) -> String? {
        // The last mount at a place is the visible one.
        try MountTable.current().entries.last { $0.fileSystem == "cgroup2" }?.mountPoint
    }

    /// This process's own group, relative to the mount point: `/` at the root.
    package static func ownPath() throws(Errno) -> String {
        let text = try Files.readText("/proc/self/cgroup")
        let line = text.split(separator: "\n").first { $0.hasPrefix("0::") }
        return line.map { String($0.dropFirst(3)) } ?? "/"
    }

    /// Makes a child group; one that exists already is opened.
    package borrowing func child(_ name: String) throws(Errno) -> Cgroup {
        do throws(Errno) {
            try Files.makeDirectory(name, in: directory.rawValue)
        } catch .exists {
            // Left by an earlier run, or ours: the caller decides.
        }
        return try Cgroup(opening: path + "/" + name)
    }

    package borrowing func write(_ value: String, to file: String) throws(Errno) {
        try Files.writeControl(value, to: file, in: directory.rawValue)
    }

    package borrowing func read(_ file: String) throws(Errno) -> String {
        try Files.readText(file, in: directory.rawValue)
    }

    package borrowing func has(_ file: String) -> Bool {
        Files.exists(file, in: directory.rawValue)
    }

    /// The controllers that children may be given.
    package borrowing func availableControllers() throws(Errno) -> [String] {
        try read("cgroup.controllers").split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// A flat keyed file such as `memory.events` or `cgroup.events`.
    package borrowing func keyedValues(_ file: String) throws(Errno) -> [String: Int64] {
        var values: [String: Int64] = [:]
        for line in try read(file).split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = Int64(fields[1]) { values[String(fields[0])] = value }
        }
        return values
    }

    /// Kills every process in the group and below it, forks under way included (cgroup.kill, kernel 5.14).
    package borrowing func kill() throws(Errno) {
        try write("1", to: "cgroup.kill")
    }

    package borrowing func setFrozen(_ frozen: Bool) throws(Errno) {
        try write(frozen ? "1" : "0", to: "cgroup.freeze")
    }

    package borrowing func isPopulated() throws(Errno) -> Bool {
        try keyedValues("cgroup.events")["populated"] != 0
    }

    /// Removes an empty group and its empty children; what is gone is fine.
    package static func removeTree(_ path: String) throws(Errno) {
        // As a rule it has no children, and one call does it.
        do throws(Errno) {
            return try Files.unlink(path, isDirectory: true)
        } catch .noEntry {
            return
        } catch {
            // EBUSY: it has children, or something runs in it; what follows tells which.
        }
        let names: [String]
        do throws(Errno) {
            names = try Files.list(path)
        } catch .noEntry {
            return
        }
        for name in names {
            // Control files are not removable; only groups are directories.
            guard let child = try? Files.open(path + "/" + name, flags: O_DIRECTORY | O_NOFOLLOW) else {
                continue
            }
            _ = consume child
            try removeTree(path + "/" + name)
        }
        do throws(Errno) {
            try Files.unlink(path, isDirectory: true)
        } catch .noEntry {
            return
        }
    }
}
