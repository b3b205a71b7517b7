import Glibc
import Testing

/// Attacks, one a test, and each beside the same program outside of a sandbox, where it works: an attack that never works anywhere
/// would prove nothing. The table of SECURITY.md names every test of this module.
@Suite(
    .serialized,
    .enabled(if: geteuid() == 0, "skipped: making sandboxes takes root"),
    .enabled(if: access("/usr/bin/gcc", X_OK) == 0, "skipped: the attacks are compiled with gcc"))
struct EscapeTests {}
