import AgentTestSupport
import Glibc
import Testing

/// A real agent, its sandboxes and its clients, end to end. All suites below share one agent, and each test takes its
/// functions away; what the agent leaves when it is stopped at the end is a failure too.
@Suite(
    .serialized, .enabled(if: geteuid() == 0, "skipped: making sandboxes takes root"),
    .sharedAgent("max_queue: 20\nmax_log: 64K\ninit_timeout: 5s\nlog_level: debug"))
struct AgentTests {}
