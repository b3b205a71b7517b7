/// A path inside a tree: relative, normalised, UTF-8, without `.`, `..` and control characters; empty is the root.
///
/// Two paths are equal when their bytes are: the kernel knows nothing of Unicode's equivalent spellings, which Swift's
/// `String` would take for the same name.
struct TreePath: Hashable, Comparable, Sendable {
    let text: String

    static let root = TreePath(unchecked: "")

    private init(unchecked text: String) {
        self.text = text
    }

    /// Checks a name as an archive or a directory gives it. `.` and empty components are dropped.
    init(checking bytes: some Collection<UInt8>, limits: TreeLimits, backslashes: Bool) throws(EntryFault) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUnicode }
        if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            throw .controlCharacter
        }
        if !backslashes, text.utf8.contains(UInt8(ascii: "\\")) { throw .backslash }
        if text.utf8.first == UInt8(ascii: "/") { throw .absolute }
        var components: [Substring] = []
        for component in text.split(separator: "/") where component != "." {
            if component == ".." { throw .parentReference }
            if component.utf8.count > limits.nameBytes { throw .nameTooLong(limit: limits.nameBytes) }
            components.append(component)
        }
        if components.count > limits.depth { throw .tooDeep(limit: limits.depth) }
        let joined = components.joined(separator: "/")
        if joined.utf8.count > limits.pathBytes { throw .pathTooLong(limit: limits.pathBytes) }
        self.text = joined
    }

    /// For names written in this module's own source, and for those that were checked before.
    init(trusted text: String) {
        self.init(unchecked: text)
    }

    var isRoot: Bool { text.isEmpty }

    var components: [String] { text.split(separator: "/").map(String.init) }

    var name: String { String(text[(text.lastIndex(of: "/").map(text.index(after:)) ?? text.startIndex)...]) }

    var parent: TreePath {
        TreePath(unchecked: text.lastIndex(of: "/").map { String(text[..<$0]) } ?? "")
    }

    func appending(_ name: String) -> TreePath {
        TreePath(unchecked: isRoot ? name : text + "/" + name)
    }

    /// What openat(2) takes for it.
    var forSystemCall: String { isRoot ? "." : text }

    static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var copy = text
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    static func < (left: Self, right: Self) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }
}

/// A name from outside made safe for a message: control characters and bad bytes escaped, long names cut.
func printable(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    for scalar in String(decoding: bytes.prefix(200), as: UTF8.self).unicodeScalars {
        if scalar.properties.generalCategory == .control {
            text += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
            text.unicodeScalars.append(scalar)
        }
    }
    return bytes.count > 200 ? text + "..." : text
}
