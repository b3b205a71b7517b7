package import Linux
import NurseryABI

/// Why a sandbox could not be made or used.
package enum SandboxError: Error, CustomStringConvertible, Sendable {
    /// The nursery refused a request, or PID 1 one of its own.
    case failed(Errno, at: SandboxStage)
    /// The nursery is gone, and with it every sandbox.
    case nurseryLost
    /// The nursery could not be started or does not answer.
    case nurseryUnavailable(String)
    /// Every slot (uid range) is in use.
    case noFreeSlot(capacity: Int)
    /// The control group of a sandbox, or Hearth's own, could not be set up.
    case cgroup(String, Errno)
    /// The sandbox has ended already.
    case ended
    /// A specification that cannot be met.
    case invalid(String)

    /// PID 1 takes requests of this kind no more: it is sealed, or a mount that they would count on failed.
    package var isSealed: Bool {
        if case .failed(_, let stage) = self { stage.rawValue == HN_STAGE_SEALED.rawValue } else { false }
    }

    package var description: String {
        switch self {
        case .failed(let error, let stage): "sandbox: \(stage) failed: \(error)"
        case .nurseryLost: "the nursery has ended, and with it every sandbox"
        case .nurseryUnavailable(let why): "the nursery is not available: \(why)"
        case .noFreeSlot(let capacity): "all \(capacity) sandbox slots are in use; end some or lower the pool"
        case .cgroup(let what, let error): "control group: \(what): \(error)"
        case .ended: "the sandbox has ended"
        case .invalid(let why): why
        }
    }
}

/// A step of a sandbox's making, as the nursery and PID 1 report it.
package struct SandboxStage: Sendable, Hashable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let exec = SandboxStage(rawValue: HN_STAGE_EXEC.rawValue)
    package static let directory = SandboxStage(rawValue: HN_STAGE_DIRECTORY.rawValue)
    package static let request = SandboxStage(rawValue: HN_STAGE_REQUEST.rawValue)

    private static let names: [UInt32: String] = [
        HN_STAGE_REQUEST.rawValue: "checking the request", HN_STAGE_TABLE.rawValue: "finding a free place",
        HN_STAGE_NETWORK.rawValue: "making a network namespace", HN_STAGE_TREE.rawValue: "opening the image",
        HN_STAGE_CLONE.rawValue: "clone3", HN_STAGE_ID_MAP.rawValue: "writing the id maps",
        HN_STAGE_PARENT.rawValue: "staying with the nursery", HN_STAGE_CREDENTIALS.rawValue: "changing ids",
        HN_STAGE_CGROUP_NAMESPACE.rawValue: "entering a cgroup namespace",
        HN_STAGE_ROOT.rawValue: "attaching the root", HN_STAGE_PROC.rawValue: "mounting /proc",
        HN_STAGE_TMP.rawValue: "mounting /tmp", HN_STAGE_SHM.rawValue: "mounting /dev/shm",
        HN_STAGE_DEVPTS.rawValue: "mounting /dev/pts", HN_STAGE_PIVOT.rawValue: "changing the root",
        HN_STAGE_HOSTNAME.rawValue: "setting the host name", HN_STAGE_KEYRING.rawValue: "making a keyring",
        HN_STAGE_CAPABILITIES.rawValue: "dropping capabilities", HN_STAGE_SIGNALS.rawValue: "setting up signals",
        HN_STAGE_TARGET.rawValue: "resolving a mount's target", HN_STAGE_ATTACH.rawValue: "attaching a mount",
        HN_STAGE_DESCRIPTORS.rawValue: "arranging descriptors", HN_STAGE_RLIMITS.rawValue: "setting limits",
        HN_STAGE_DIRECTORY.rawValue: "entering the working directory",
        HN_STAGE_FILTER.rawValue: "installing the seccomp filter",
        HN_STAGE_EXEC.rawValue: "executing the program", HN_STAGE_MEMORY.rawValue: "finding memory",
        HN_STAGE_SEALED.rawValue: "asking a sealed sandbox", HN_STAGE_MASK.rawValue: "masking /proc",
        HN_STAGE_LANDLOCK.rawValue: "restricting with Landlock",
        HN_STAGE_NESTING.rawValue: "forbidding nested user namespaces",
    ]

    package var description: String { Self.names[rawValue] ?? "step \(rawValue)" }
}
