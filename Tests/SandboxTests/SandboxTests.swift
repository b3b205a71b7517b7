import Glibc
import Testing

/// Every test of this module starts real nurseries and counts what they leave, so they run one after the other.
@Suite(.serialized, .enabled(if: geteuid() == 0, "skipped: making sandboxes takes root"))
struct SandboxTests {}
