import CNursery
import NurseryABI

/// Images made ready once: a tree of read-only mounts under /templates/N, cloned whole for each sandbox.
struct ImageTemplates {
    private(set) var count: UInt32 = 0
    /// Of each template, the directory it was made of: a hearthd that comes back asks for the same images again.
    private var identities = InlineArray<32, UInt64>(repeating: 0)
    /// A copy of the image used last, made while nobody waited; -1 for none.
    private var spare: Int32 = -1
    private var spareImage: UInt32 = 0
    private var wantsSpare = false

    /// A copy for one sandbox: the one made ahead where it is of this image.
    mutating func take(_ image: UInt32) throws(Failure) -> FD {
        wantsSpare = true
        guard spare >= 0, spareImage == image else {
            if spare >= 0 { _ = cn_close(spare) }
            spare = -1
            spareImage = image
            return try clone(image)
        }
        let tree = FD(spare)
        spare = -1
        return tree
    }

    var needsSpare: Bool { wantsSpare && spare < 0 }

    /// Makes the copy for the next sandbox of the image used last.
    mutating func refill() throws(Failure) {
        wantsSpare = false
        spare = try clone(spareImage).raised().release()
    }

    /// Builds the tree of an image and returns its handle.
    ///
    /// hearthd names the image by one path component beneath its own images directory. Inside, every target is resolved
    /// without following a link and without leaving the image: a /dev or /proc that is a symbolic link is refused
    /// (CVE-2019-19921, CVE-2023-27561, CVE-2024-45310).
    mutating func prepare(name: UnsafePointer<CChar>, length: Int, host: Bool) throws(Failure) -> UInt32 {
        var source = ShortText()
        source.append("/images/")
        source.append(text: name, length: length)
        source.append("/rootfs")
        // Resolved from the images directory on: the first eight characters are its own name.
        let directory = FD(
            try source.withPath { (name) throws(Failure) in
                let flags = CN_O_PATH | CN_O_DIRECTORY
                let images = FD(try check(cn_openat(CN_AT_FDCWD, path("/images"), Int32(CN_O_PATH), 0), HN_STAGE_TREE))
                return try check(
                    cn_openat2(images.raw, name + 8, flags, CN_RESOLVE_STRICT),
                    HN_STAGE_TREE)
            })
        // Mounted, so no other directory has its number. With another /usr on it, it is another image.
        let identity = cn_identity(directory.raw) ^ (host ? 1 : 0)
        for index in 0..<Int(count) where identities[index] == identity { return UInt32(index) }
        guard count < UInt32(HN_MAX_IMAGES.rawValue) else { throw Failure(CN_ENOSPC, HN_STAGE_TABLE) }
        var place = ShortText()
        place.append("/templates/")
        place.append(UInt64(count))
        // A second attempt after a failure finds the directory there.
        let made = try place.withPath { (place) throws(Failure) in cn_mkdir(place, 0o755) }
        if made < 0, made != -Int(CN_EEXIST) { throw Failure(Int32(-made), HN_STAGE_TREE) }

        do throws(Failure) {
            try Self.build(directory, place, host: host)
        } catch {
            // Half a template would stay mounted, one more with each try.
            _ = try? place.withPath { (place) throws(Failure) in cn_detach(place) }
            throw error
        }
        identities[Int(count)] = identity
        count += 1
        return count - 1
    }

    private static func build(_ directory: borrowing FD, _ place: ShortText, host: Bool) throws(Failure) {
        let root = try readOnlyTree(directory.raw, path(""), flags: CN_AT_EMPTY_PATH)
        try place.withPath { (place) throws(Failure) in
            _ = try check(cn_move_mount(root.raw, CN_AT_FDCWD, place), HN_STAGE_TREE)
        }
        // The mount's own descriptor now names its root in place: targets are resolved beneath it.
        if host { try attach(path("/usr"), recursive: true, beneath: root.raw, at: path("usr")) }
        try attach(path("/dev"), beneath: root.raw, at: path("dev"), devices: true)
        try attach(path("/runtimes"), beneath: root.raw, at: path("opt/hearth/runtimes"))
    }

    /// A private copy of the tree, detached, for one sandbox.
    func clone(_ image: UInt32) throws(Failure) -> FD {
        guard image < count else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        var place = ShortText()
        place.append("/templates/")
        place.append(UInt64(image))
        return FD(
            try place.withPath { (place) throws(Failure) in
                try check(
                    cn_open_tree(CN_AT_FDCWD, place, CN_OPEN_TREE_CLONE | CN_AT_RECURSIVE),
                    HN_STAGE_TREE)
            })
    }

    /// A function's code, detached and read-only. The name is one component beneath the code directory.
    static func code(name: UnsafePointer<CChar>) throws(Failure) -> FD {
        let store = FD(try check(cn_openat(CN_AT_FDCWD, path("/code"), Int32(CN_O_PATH), 0), HN_STAGE_TREE))
        let directory = FD(
            try check(
                cn_openat2(store.raw, name, CN_O_PATH | CN_O_DIRECTORY, CN_RESOLVE_STRICT),
                HN_STAGE_TREE))
        return try readOnlyTree(directory.raw, path(""), flags: CN_AT_EMPTY_PATH)
    }

    private static func readOnlyTree(
        _ directory: Int32, _ name: cn_path, flags: UInt32, devices: Bool = false
    ) throws(Failure) -> FD {
        let tree = FD(try check(cn_open_tree(directory, name, CN_OPEN_TREE_CLONE | flags), HN_STAGE_TREE))
        let attributes = CN_ATTR_RDONLY | CN_ATTR_NOSUID | (devices ? CN_ATTR_NOEXEC : CN_ATTR_NODEV)
        try check(
            cn_mount_setattr(
                tree.raw, flags & CN_AT_RECURSIVE, UInt64(attributes), 0, CN_MS_PRIVATE),
            HN_STAGE_TREE)
        return tree
    }

    private static func attach(
        _ source: cn_path, recursive: Bool = false, beneath root: Int32, at target: cn_path, devices: Bool = false
    ) throws(Failure) {
        let tree = try readOnlyTree(
            CN_AT_FDCWD, source, flags: recursive ? CN_AT_RECURSIVE : 0, devices: devices)
        let place = FD(
            try check(
                cn_openat2(root, target, CN_O_PATH | CN_O_DIRECTORY, CN_RESOLVE_STRICT),
                HN_STAGE_TARGET))
        try check(cn_move_mount(tree.raw, place.raw, path("")), HN_STAGE_ATTACH)
    }
}
