import Glibc
import Linux

/// The content of the image `host`: directories, and an /etc made of generated files and of those files of the node
/// that programs in /usr need and that hold no secret. /usr itself is mounted by the nursery.
///
/// Everything is read into memory first (about one megabyte), so that the digest is known before anything is written.
struct HostImage: Sendable {
    enum Item: Sendable, Hashable {
        case directory
        case file([UInt8])
        case link(String)
    }

    private(set) var items: [TreePath: Item] = [:]
    /// What a user should know about this node.
    private(set) var notes: [String] = []

    /// - Parameter node: the root of the node's file system.
    init(node: String) {
        let files = HostFiles(node: node)
        addDirectories()
        addSystemLinks(files)
        addGeneratedFiles()
        for (path, item) in files.collect() { items[path] = item }
    }

    /// The digest that the written tree has too.
    func digest() -> TreeDigest {
        var manifest = TreeManifest()
        for (path, item) in items {
            switch item {
            case .directory: manifest.set(.directory(mode: 0o755, named: true), at: path)
            case .link(let target): manifest.set(.link(target: target), at: path)
            case .file(let bytes):
                manifest.set(
                    .file(mode: 0o644, size: Int64(bytes.count), hash: SHA256.digest(bytes)), at: path)
            }
            // Parents are always 0755.
            var parent = path.parent
            while !parent.isRoot, manifest[parent] == nil {
                manifest.set(.directory(mode: 0o755, named: true), at: parent)
                parent = parent.parent
            }
        }
        return manifest.digest()
    }

    func write(to builder: inout TreeBuilder) throws(ImageError) {
        for (path, item) in items.sorted(by: { $0.key < $1.key }) {
            switch item {
            case .directory: try builder.addDirectory(path, mode: 0o755)
            case .link(let target): try builder.addLink(path, target: Array(target.utf8))
            case .file(let bytes):
                try builder.addFile(path, mode: 0o644, size: Int64(bytes.count)) { (sink) throws(ImageError) in
                    try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) in
                        try sink.write(UnsafeRawBufferPointer(buffer))
                    }
                }
            }
        }
    }

    // MARK: Parts

    private mutating func addDirectories() {
        let empty = [
            "home", "root", "mnt", "srv", "var/lib", "var/log", "var/cache", "opt", "etc",
        ]
        for path in MountPoints.paths + empty { items[TreePath(trusted: path)] = .directory }
        items[TreePath(trusted: "var/run")] = .link("/run")
        items[TreePath(trusted: "var/tmp")] = .link("/tmp")
        items[TreePath(trusted: "etc/mtab")] = .link("/proc/self/mounts")
    }

    /// /bin and its siblings: links into /usr on a merged node, else empty directories.
    private mutating func addSystemLinks(_ files: HostFiles) {
        var apart: [String] = []
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            let path = TreePath(trusted: name)
            switch files.topLevel(name) {
            case .merged: items[path] = .link("usr/" + name)
            case .apart:
                items[path] = .directory
                apart.append("/" + name)
            case .missing: break
            }
        }
        if !apart.isEmpty {
            notes.append(
                "this node keeps \(apart.joined(separator: ", ")) apart from /usr, so what is in there is missing from "
                    + "the image 'host'; merge it into /usr (Debian: the package usrmerge), or import an image")
        }
    }

    private mutating func addGeneratedFiles() {
        for (name, text) in Self.generated { items[TreePath(trusted: "etc/" + name)] = .file(Array(text.utf8)) }
    }

    /// The same on every node: nothing here tells one node from another.
    private static let generated = [
        "passwd": """
        root:x:0:0:root:/root:/bin/sh
        user:x:1000:1000:user:/tmp:/bin/sh
        nobody:x:65534:65534:nobody:/tmp:/bin/false

        """,
        "group": """
        root:x:0:
        user:x:1000:
        nogroup:x:65534:

        """,
        "hosts": """
        127.0.0.1 localhost
        ::1 localhost ip6-localhost ip6-loopback

        """,
        "hostname": "localhost\n",
        "nsswitch.conf": """
        passwd: files
        group: files
        hosts: files
        networks: files
        protocols: files
        services: files
        rpc: files

        """,
        "resolv.conf": "",
        "profile": """
        export PATH=/usr/local/bin:/usr/bin:/bin

        """,
        "shells": """
        /bin/sh
        /bin/bash

        """,
    ]
}
