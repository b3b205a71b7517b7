import Glibc

/// A place at which a debug build of hearthd kills itself when the environment says so (`HEARTH_FAULT=NAME`): what a kill or a
/// power cut leaves there, a test can then look at. In a release build there is no such thing.
package enum FaultPoint: String, CaseIterable, Sendable {
    /// A group is limited, nothing is born in it.
    case groupMade = "group-made"
    /// The socket to PID 1 is there, nothing was asked for.
    case socketsMade = "sockets-made"
    /// CREATE is on its way.
    case creationSent = "creation-sent"
    /// BIND and SPAWN are on their way too.
    case startSent = "start-sent"
    case initReady = "init-ready"
    /// The function can be called, the nursery does not keep its descriptors yet.
    case functionReady = "function-ready"
    case kept
    /// An invocation is noted, its request not sent.
    case invocationNoted = "invocation-noted"
    case invocationSent = "invocation-sent"
    /// Its answer is there, its client has none.
    case invocationEnded = "invocation-ended"
    /// Code or an image is unpacked in its staging directory.
    case treeUnpacked = "tree-unpacked"
    /// The tree has its name, no function has it.
    case treeStored = "tree-stored"
    /// The function is in the registry, its client has no answer.
    case functionStored = "function-stored"

    /// Variable of the environment that names the place; with `create:N`, N of enum hn_fault, the nursery is asked to stop there.
    package static let variable = "HEARTH_FAULT"

    #if DEBUG
        private static let chosen = getenv(variable).map { String(cString: $0) }

        package static func reach(_ point: FaultPoint) {
            if let chosen, chosen == point.rawValue { kill(getpid(), SIGKILL) }
        }

        /// The step at which creations are to stop; 0 for none.
        package static var creationStep: UInt32 {
            guard let chosen, chosen.hasPrefix("create:") else { return 0 }
            return UInt32(chosen.dropFirst(7)) ?? 0
        }
    #else
        @inline(__always)
        package static func reach(_ point: FaultPoint) {}

        @inline(__always)
        package static var creationStep: UInt32 { 0 }
    #endif
}
