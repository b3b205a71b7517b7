import Glibc
import Linux
import Testing

@testable import Images

/// A directory of the test's own, removed with the value. In memory where the machine has it: many small imports.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let base = Files.exists("/dev/shm") ? "/dev/shm" : "/tmp"
        var template = Array("\(base)/hearth-images-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.current }
        // Without the NUL.
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // A test may have taken the write permission from a directory.
        for name in (try? everything()) ?? [] where (try? Files.status(path + "/" + name))?.kind == .directory {
            chmod(path + "/" + name, 0o700)
        }
        try? Files.removeTree(path)
    }

    func codeStore(limits: TreeLimits = .code) throws -> CodeStore {
        let store = CodeStore(root: path + "/code", limits: limits)
        try store.recover()
        return store
    }

    func imageStore() throws -> ImageStore {
        let store = ImageStore(root: path + "/images")
        try store.recover()
        return store
    }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String, mode: UInt32 = 0o644) throws -> String {
        let file = path + "/" + name
        if let slash = file.lastIndex(of: "/") { try Files.makeDirectories(String(file[..<slash])) }
        try Files.write(bytes, to: file)
        guard chmod(file, mode) == 0 else { throw Errno.current }
        return file
    }

    @discardableResult
    func write(_ text: String, to name: String, mode: UInt32 = 0o644) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    func link(_ name: String, to target: String) throws {
        let file = path + "/" + name
        if let slash = file.lastIndex(of: "/") { try Files.makeDirectories(String(file[..<slash])) }
        try Files.makeLink(file, in: Files.atWorkingDirectory, target: target)
    }

    /// Every path beneath, sorted, except what `store` may hold.
    func everything() throws -> [String] {
        var found: [String] = []
        func walk(_ prefix: String) throws {
            for name in try Files.list(path + "/" + prefix) {
                let child = prefix.isEmpty ? name : prefix + "/" + name
                found.append(child)
                if try Files.status(path + "/" + child).kind == .directory { try walk(child) }
            }
        }
        try walk("")
        return found
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the seed is printed when a test fails.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Runs `body`, which has to fail with an ImageError, and returns it.
func refusal(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> ImageError? {
    do {
        try body()
        Issue.record("nothing was refused", sourceLocation: sourceLocation)
        return nil
    } catch let error as ImageError {
        return error
    } catch {
        Issue.record("another error: \(error)", sourceLocation: sourceLocation)
        return nil
    }
}
