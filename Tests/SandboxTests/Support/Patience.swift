import Glibc

/// How long a test waits for what has no bound of its own, in seconds: a minute, since a busy machine may take that long, or
/// HEARTH_PATIENCE, where most of what is waited for will never come (Tests/EscapeTests/weaken.py).
package let patience: Double = getenv("HEARTH_PATIENCE").flatMap { Double(String(cString: $0)) } ?? 60
