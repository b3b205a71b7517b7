import Glibc
import Testing

@testable import Linux

@Suite struct ErrnoTests {
    @Test func describesSymbolAndText() {
        #expect(Errno.noEntry.description == "ENOENT (No such file or directory)")
        #expect(Errno(rawValue: ENOTTY).description == "ENOTTY (Inappropriate ioctl for device)")
    }

    @Test(arguments: [0 as Int32, -1, 4095, .max, .min]) func anyNumberHasADescription(_ number: Int32) {
        #expect(Errno(rawValue: number).description.isEmpty == false)
    }

    @Test func systemCallThrowsWhatTheKernelSaid() {
        #expect(throws: Errno.noEntry) { _ = try Files.open("/nonexistent", flags: O_RDONLY) }
        #expect(throws: Errno(rawValue: EBADF)) { _ = try systemCall { dup(-1) } }
    }

    @Test func systemCallRetriesOnlyInterruption() throws {
        var calls = 0
        let result = try systemCall {
            calls += 1
            if calls < 4 {
                errno = EINTR
                return -1
            }
            return 7
        }
        #expect(result == 7 && calls == 4)
        calls = 0
        #expect(throws: Errno.wouldBlock) {
            _ = try systemCall {
                calls += 1
                errno = EAGAIN
                return -1
            }
        }
        #expect(calls == 1)
    }

    @Test func valuesBelowMinusOneAreResults() throws {
        #expect(try systemCall { -2 } == -2)
    }

    @Test func clocksMoveForward() {
        let first = monotonicNow()
        #expect(monotonicNow() >= first)
        // A wall clock before 2020 means a unit that is not nanoseconds.
        #expect(realtimeNow() > 1_577_836_800_000_000_000)
    }
}
