import Linux

/// Every entry of a tree, and from them its digest.
struct TreeManifest: Sendable {
    enum Node: Sendable, Hashable {
        /// `named`: the source had an entry for it; else it was only implied by what is in it.
        case directory(mode: UInt32, named: Bool)
        case file(mode: UInt32, size: Int64, hash: [UInt8])
        case link(target: String)
    }

    private(set) var nodes: [TreePath: Node] = [:]
    /// Regular files together; hard links count once for each name, as another archive of the same files would.
    private(set) var bytes: Int64 = 0

    subscript(path: TreePath) -> Node? {
        path.isRoot ? .directory(mode: 0o755, named: true) : nodes[path]
    }

    mutating func set(_ node: Node, at path: TreePath) {
        if case .file(_, let size, _) = nodes[path] { bytes -= size }
        if case .file(_, let size, _) = node { bytes += size }
        nodes[path] = node
    }

    var sortedPaths: [TreePath] { nodes.keys.sorted() }

    /// SHA-256 over the entries in the order of their paths' bytes: type, mode, size, content hash or target, and path,
    /// each ended by a zero byte. The root itself has no record, so an empty tree has a digest too.
    func digest() -> TreeDigest {
        var hash = SHA256()
        hash.update("hearth tree 1\0")
        for path in sortedPaths {
            switch nodes[path] {
            case .directory(let mode, _)?: hash.update("d\0\(String(mode, radix: 8))\0\(path.text)\0")
            case .file(let mode, let size, let content)?:
                hash.update("f\0\(String(mode, radix: 8))\0\(size)\0\(content.hexadecimal)\0\(path.text)\0")
            case .link(let target)?: hash.update("l\0\(target)\0\(path.text)\0")
            case nil: continue
            }
        }
        return TreeDigest(hash: hash.finish())
    }

    /// Where the kernel gives up (path_resolution(7)).
    private static let maximumFollowedLinks = 40

    /// Whether a link, followed step by step as the kernel would in this tree, gets above its root.
    ///
    /// Looking at the text alone is not enough: with `a -> d/e`, `a/../..` is two above `d/e`, not above `a`.
    func linkLeaves(at path: TreePath, target: String) -> Bool {
        var place = path.parent.components
        var pending = [target]
        var followed = 0
        while let step = pending.popLast() {
            if step.hasPrefix("/") { return true }
            if let slash = step.firstIndex(of: "/") {
                let rest = step[slash...].drop { $0 == "/" }
                if !rest.isEmpty { pending.append(String(rest)) }
                pending.append(String(step[..<slash]))
                continue
            }
            if step == "." { continue }
            if step == ".." {
                if place.isEmpty { return true }
                place.removeLast()
                continue
            }
            place.append(step)
            if case .link(let next)? = nodes[TreePath(trusted: place.joined(separator: "/"))] {
                followed += 1
                // A loop: whoever opens it gets ELOOP.
                if followed > Self.maximumFollowedLinks { return false }
                place.removeLast()
                pending.append(next)
            }
        }
        return false
    }
}
