/// A registered function. The caller assigns it and may use it again once the function was deleted.
package struct FunctionID: Hashable, Comparable, Sendable {
    package let rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static func < (a: FunctionID, b: FunctionID) -> Bool { a.rawValue < b.rawValue }
}

/// A root file system. The caller assigns it.
package struct ImageID: Hashable, Sendable {
    package let rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A sandbox. The pool assigns it, in ascending order and never twice.
package struct SandboxID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package static func < (a: SandboxID, b: SandboxID) -> Bool { a.rawValue < b.rawValue }
}

/// One invocation asked for. The caller assigns it; no two requests that are under way may share one.
package struct RequestID: Hashable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Whose request it is; opaque, 0 where it is not known.
package struct UserID: Hashable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package static let unknown = UserID(0)
}

/// A kind of language runtime (an interpreter and its preloads). Sandboxes of the runtime tier are shared between the
/// functions of one image and one runtime class. The caller assigns it.
package struct RuntimeClass: Hashable, Sendable {
    package let rawValue: UInt16
    package init(_ rawValue: UInt16) { self.rawValue = rawValue }
}
