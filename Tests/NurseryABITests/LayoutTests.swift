import NurseryABI
import Testing

/// The layout as Swift sees it. The nursery reads some offsets as plain numbers, since Embedded Swift has no key paths:
/// `magic` 0, `version` 4, `op` 6, `cookie` of the PID 1 messages 8, and `rlimits` 56.
@Suite struct LayoutTests {
    @Test func requestHasEveryFieldInItsPlace() {
        #expect(MemoryLayout<hn_request>.size == 272)
        #expect(MemoryLayout<hn_request>.stride == 272)
        #expect(MemoryLayout<hn_request>.alignment == 8)
        #expect(MemoryLayout<hn_request>.offset(of: \.magic) == 0)
        #expect(MemoryLayout<hn_request>.offset(of: \.version) == 4)
        #expect(MemoryLayout<hn_request>.offset(of: \.op) == 6)
        #expect(MemoryLayout<hn_request>.offset(of: \.cookie) == 8)
        #expect(MemoryLayout<hn_request>.offset(of: \.sandbox) == 16)
        #expect(MemoryLayout<hn_request>.offset(of: \.tmp_bytes) == 24)
        #expect(MemoryLayout<hn_request>.offset(of: \.shm_bytes) == 32)
        #expect(MemoryLayout<hn_request>.offset(of: \.capabilities) == 40)
        #expect(MemoryLayout<hn_request>.offset(of: \.slot) == 48)
        #expect(MemoryLayout<hn_request>.offset(of: \.image) == 52)
        #expect(MemoryLayout<hn_request>.offset(of: \.flags) == 56)
        #expect(MemoryLayout<hn_request>.offset(of: \.tmp_inodes) == 60)
        #expect(MemoryLayout<hn_request>.offset(of: \.image_kind) == 64)
        #expect(MemoryLayout<hn_request>.offset(of: \.fault) == 68)
        #expect(MemoryLayout<hn_request>.offset(of: \.name) == 72)
        #expect(MemoryLayout<hn_request>.offset(of: \.hostname) == 144)
        #expect(MemoryLayout<hn_request>.offset(of: \.tag) == 208)
    }

    @Test func replyHasEveryFieldInItsPlace() {
        #expect(MemoryLayout<hn_reply>.size == 152)
        #expect(MemoryLayout<hn_reply>.stride == 152)
        #expect(MemoryLayout<hn_reply>.alignment == 8)
        #expect(MemoryLayout<hn_reply>.offset(of: \.magic) == 0)
        #expect(MemoryLayout<hn_reply>.offset(of: \.version) == 4)
        #expect(MemoryLayout<hn_reply>.offset(of: \.op) == 6)
        #expect(MemoryLayout<hn_reply>.offset(of: \.cookie) == 8)
        #expect(MemoryLayout<hn_reply>.offset(of: \.sandbox) == 16)
        #expect(MemoryLayout<hn_reply>.offset(of: \.error) == 24)
        #expect(MemoryLayout<hn_reply>.offset(of: \.stage) == 28)
        #expect(MemoryLayout<hn_reply>.offset(of: \.pid) == 32)
        #expect(MemoryLayout<hn_reply>.offset(of: \.image) == 36)
        #expect(MemoryLayout<hn_reply>.offset(of: \.more) == 40)
        #expect(MemoryLayout<hn_reply>.offset(of: \.exit_status) == 44)
        #expect(MemoryLayout<hn_reply>.offset(of: \.slot) == 48)
        #expect(MemoryLayout<hn_reply>.offset(of: \.networks) == 52)
        #expect(MemoryLayout<hn_reply>.offset(of: \.user_us) == 56)
        #expect(MemoryLayout<hn_reply>.offset(of: \.system_us) == 64)
        #expect(MemoryLayout<hn_reply>.offset(of: \.received_ns) == 72)
        #expect(MemoryLayout<hn_reply>.offset(of: \.cloned_ns) == 80)
        #expect(MemoryLayout<hn_reply>.offset(of: \.tag) == 88)
    }

    @Test func messageOfPID1HasEveryFieldInItsPlace() {
        #expect(MemoryLayout<hp_message>.size == 152)
        #expect(MemoryLayout<hp_message>.stride == 152)
        #expect(MemoryLayout<hp_message>.alignment == 8)
        #expect(MemoryLayout<hp_message>.offset(of: \.magic) == 0)
        #expect(MemoryLayout<hp_message>.offset(of: \.version) == 4)
        #expect(MemoryLayout<hp_message>.offset(of: \.op) == 6)
        #expect(MemoryLayout<hp_message>.offset(of: \.cookie) == 8)
        #expect(MemoryLayout<hp_message>.offset(of: \.stage) == 12)
        #expect(MemoryLayout<hp_message>.offset(of: \.error) == 16)
        #expect(MemoryLayout<hp_message>.offset(of: \.process) == 20)
        #expect(MemoryLayout<hp_message>.offset(of: \.exit_status) == 24)
        #expect(MemoryLayout<hp_message>.offset(of: \.signal) == 28)
        #expect(MemoryLayout<hp_message>.offset(of: \.failed_op) == 32)
        #expect(MemoryLayout<hp_message>.offset(of: \.keep_spawn) == 36)
        #expect(MemoryLayout<hp_message>.offset(of: \.filter_count) == 40)
        #expect(MemoryLayout<hp_message>.offset(of: \.reserved) == 44)
        #expect(MemoryLayout<hp_message>.offset(of: \.time_ns) == 48)
        #expect(MemoryLayout<hp_message>.offset(of: \.user_us) == 56)
        #expect(MemoryLayout<hp_message>.offset(of: \.system_us) == 64)
        #expect(MemoryLayout<hp_message>.offset(of: \.max_rss_kib) == 72)
        #expect(MemoryLayout<hp_message>.offset(of: \.mount_key) == 80)
        #expect(MemoryLayout<hp_message>.offset(of: \.target) == 88)
    }

    @Test func spawnHasEveryFieldInItsPlace() {
        #expect(MemoryLayout<hp_spawn>.size == 344)
        #expect(MemoryLayout<hp_spawn>.stride == 344)
        #expect(MemoryLayout<hp_spawn>.alignment == 8)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.magic) == 0)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.version) == 4)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.op) == 6)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.cookie) == 8)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.flags) == 12)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.uid) == 16)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.gid) == 20)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.capabilities) == 24)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.argc) == 32)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.envc) == 36)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.strings_bytes) == 40)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.filter_count) == 44)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.rlimit_count) == 48)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.descriptors) == 52)
        #expect(MemoryLayout<hp_spawn>.offset(of: \.rlimits) == 56)
    }

    @Test func rlimitHasEveryFieldInItsPlace() {
        #expect(MemoryLayout<hp_rlimit>.size == 24)
        #expect(MemoryLayout<hp_rlimit>.stride == 24)
        #expect(MemoryLayout<hp_rlimit>.offset(of: \.resource) == 0)
        #expect(MemoryLayout<hp_rlimit>.offset(of: \.reserved) == 4)
        #expect(MemoryLayout<hp_rlimit>.offset(of: \.soft) == 8)
        #expect(MemoryLayout<hp_rlimit>.offset(of: \.hard) == 16)
    }

    /// The arrays fill their structures to the end: no byte of padding that could carry the stack of one process to another.
    @Test func arraysFillTheirStructures() {
        #expect(MemoryLayout.size(ofValue: hn_request().name) == Int(HN_NAME_MAX.rawValue))
        #expect(MemoryLayout.size(ofValue: hn_request().hostname) == Int(HN_HOST_MAX.rawValue))
        #expect(MemoryLayout.size(ofValue: hn_request().tag) == Int(HN_TAG_BYTES.rawValue))
        #expect(MemoryLayout.size(ofValue: hn_reply().tag) == Int(HN_TAG_BYTES.rawValue))
        #expect(MemoryLayout.size(ofValue: hp_message().target) == Int(HP_TARGET_MAX.rawValue))
        #expect(
            MemoryLayout.size(ofValue: hp_spawn().rlimits)
                == Int(HP_SPAWN_RLIMITS.rawValue) * MemoryLayout<hp_rlimit>.stride)
        #expect(208 + Int(HN_TAG_BYTES.rawValue) == MemoryLayout<hn_request>.size)
        #expect(88 + Int(HN_TAG_BYTES.rawValue) == MemoryLayout<hn_reply>.size)
        #expect(88 + Int(HP_TARGET_MAX.rawValue) == MemoryLayout<hp_message>.size)
    }
}
