import Glibc
import Linux

/// The files of the node's /etc that the image `host` takes over.
///
/// An allow list, and behind it one rule for each file: regular, readable by everybody, no private key in it. What is
/// missing on the node, or fails the rule, is left out.
struct HostFiles: Sendable {
    /// Ends with no slash; empty is the real root.
    private let node: String

    /// What the loader, libc and ordinary tools look up.
    private static let files = [
        "ld.so.cache", "ld.so.conf", "localtime", "timezone", "os-release", "debian_version", "mime.types", "protocols",
        "services", "rpc", "locale.alias", "ca-certificates.conf",
    ]
    /// Whole directories. The language runtimes' links from /usr lead into theirs.
    private static let directories = ["ld.so.conf.d", "perl", "python3", "ssl/certs"]
    private static let directoryPrefixes = ["java-", "python3."]
    /// One file or one directory of these would be a node that is not as Debian makes it.
    private static let largestFile = 4 << 20
    private static let deepest = 8

    init(node: String) {
        self.node = node == "/" ? "" : node
    }

    enum TopLevel: Hashable {
        case merged, apart, missing
    }

    /// Whether /bin and the like are links into /usr.
    func topLevel(_ name: String) -> TopLevel {
        guard let status = try? Files.status(node + "/" + name) else { return .missing }
        guard status.kind == .link, let target = try? Files.linkTarget(node + "/" + name) else { return .apart }
        let text = String(decoding: target, as: UTF8.self)
        return text == "usr/" + name || text == "/usr/" + name ? .merged : .apart
    }

    /// Everything taken over, by its path in the image.
    func collect() -> [TreePath: HostImage.Item] {
        var items: [TreePath: HostImage.Item] = [:]
        for name in Self.files { add("etc/" + name, to: &items) }
        let etc = (try? Files.list(node + "/etc")) ?? []
        let matching = etc.filter { name in Self.directoryPrefixes.contains { name.hasPrefix($0) } }
        for name in Self.directories + matching { addDirectory("etc/" + name, depth: 0, to: &items) }
        addAlternatives(to: &items)
        return items
    }

    // MARK: Parts

    private func add(_ path: String, to items: inout [TreePath: HostImage.Item]) {
        guard let checked = try? TreePath(checking: path.utf8, limits: .image, backslashes: true),
            let status = try? Files.status(node + "/" + path)
        else { return }
        switch status.kind {
        case .file: items[checked] = content(path).map { .file($0) }
        case .link: items[checked] = link(path)
        case .directory, .special: return
        }
    }

    private func addDirectory(_ path: String, depth: Int, to items: inout [TreePath: HostImage.Item]) {
        guard depth < Self.deepest, let checked = try? TreePath(checking: path.utf8, limits: .image, backslashes: true),
            let status = try? Files.status(node + "/" + path), status.kind == .directory,
            status.mode & 0o005 == 0o005, let names = try? Files.list(node + "/" + path)
        else { return }
        items[checked] = .directory
        for name in names where !Self.isSuspicious(name) {
            let child = path + "/" + name
            add(child, to: &items)
            if (try? Files.status(node + "/" + child))?.kind == .directory {
                addDirectory(child, depth: depth + 1, to: &items)
            }
        }
    }

    /// Debian's alternatives: links of /usr lead through them. Those of manual pages are of no use in a sandbox.
    private func addAlternatives(to items: inout [TreePath: HostImage.Item]) {
        for name in (try? Files.list(node + "/etc/alternatives")) ?? [] {
            let path = "etc/alternatives/" + name
            guard let target = try? Files.linkTarget(node + "/" + path),
                let text = String(validating: target, as: UTF8.self), text.hasPrefix("/usr/"),
                !text.contains("/man/"), !text.split(separator: "/").contains(".."),
                let checked = try? TreePath(checking: path.utf8, limits: .image, backslashes: true)
            else { continue }
            items[checked] = .link(text)
        }
    }

    /// A link into /usr stays one, since /usr is there; one to a neighbour too; any other becomes the file it means.
    private func link(_ path: String) -> HostImage.Item? {
        guard let target = try? Files.linkTarget(node + "/" + path),
            let text = String(validating: target, as: UTF8.self)
        else { return nil }
        let parts = text.split(separator: "/")
        if !text.hasPrefix("/"), parts.count == 1, parts != [".."] { return .link(text) }
        if text.hasPrefix("/usr/"), !parts.contains("..") { return .link(text) }
        // As /etc/os-release has it: out of /etc and into /usr.
        if text.hasPrefix("../usr/"), !parts.dropFirst().contains("..") { return .link(text) }
        return content(path).map { .file($0) }
    }

    /// Nil unless it is a regular file of /etc or /usr that everybody may read, of bounded size, without a private key.
    private func content(_ path: String) -> [UInt8]? {
        // O_NONBLOCK: nothing that is not a regular file may make us wait.
        guard let fd = try? Files.open(node + "/" + path, flags: O_RDONLY | O_NONBLOCK),
            let status = try? Files.status(of: fd.rawValue), status.kind == .file, status.mode & 0o004 != 0,
            let place = try? Files.linkTarget("/proc/self/fd/\(fd.rawValue)"),
            isAllowedPlace(String(decoding: place, as: UTF8.self)),
            let bytes = try? Files.readAll(fd, limit: Self.largestFile), !Self.holdsPrivateKey(bytes)
        else { return nil }
        return bytes
    }

    /// Where a followed link may have ended.
    private func isAllowedPlace(_ place: String) -> Bool {
        place.hasPrefix(node + "/etc/") && !place.hasPrefix(node + "/etc/ssl/private/")
            || place.hasPrefix(node + "/usr/")
    }

    /// Names that say what they hold, whatever their mode.
    private static func isSuspicious(_ name: String) -> Bool {
        let lower = name.lowercased()
        return ["password", "passwd", "secret", "private", "shadow"].contains { lower.contains($0) }
            || lower.hasSuffix(".key") || lower.hasSuffix(".p12")
    }

    /// PEM (RFC 7468) as OpenSSL, GnuTLS and OpenSSH write it.
    static func holdsPrivateKey(_ bytes: [UInt8]) -> Bool {
        let mark = Array("PRIVATE KEY-----".utf8)
        var rest = bytes[...]
        while let start = rest.firstIndex(of: mark[0]) {
            if rest[start...].starts(with: mark) { return true }
            rest = rest[(start + 1)...]
        }
        return false
    }
}
