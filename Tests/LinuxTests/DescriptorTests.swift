import CLinux
import Glibc
import Testing

@testable import Linux

private func isOpen(_ fd: Int32) -> Bool { fcntl(fd, F_GETFD) >= 0 }

/// The file behind a number: another test may get the number again, but not the same pipe.
private func identity(_ fd: Int32) -> UInt? {
    var info = stat()
    return fstat(fd, &info) == 0 ? info.st_ino : nil
}

@Suite struct DescriptorTests {
    @Test func closesOnceWhenItGoesOutOfScope() throws {
        var number: Int32 = -1
        var inode: UInt?
        do {
            let pair = try DescriptorPair.pipe()
            number = pair.first.rawValue
            inode = identity(number)
            #expect(inode != nil)
        }
        #expect(identity(number) != inode)
    }

    @Test func releaseGivesItAwayOpen() throws {
        let released = try MemoryFile.empty(name: "x").release()
        #expect(isOpen(released))
        #expect(close(released) == 0)
    }

    @Test func duplicateIsTheSameFileAndClosesOnExec() throws {
        let file = try MemoryFile.empty(name: "x")
        let copy = try file.duplicate()
        #expect(copy.rawValue != file.rawValue && copy.rawValue > 2)
        #expect(identity(copy.rawValue) == identity(file.rawValue))
        #expect(fcntl(copy.rawValue, F_GETFD) == FD_CLOEXEC)
    }

    @Test func duplicateOfNothingThrows() {
        let nothing = OwnedFD(owning: -1)
        #expect(throws: Errno(rawValue: EBADF)) { _ = try nothing.duplicate() }
    }

    @Test func sharedLivesAsLongAsItsLastHolder() throws {
        let pair = try DescriptorPair.pipe().take()
        let writer = OwnedFD(owning: pair.second)
        _ = writer.rawValue
        var first: SharedFD? = SharedFD(owning: pair.first)
        let second = first
        let inode = identity(pair.first)
        first = nil
        #expect(identity(pair.first) == inode)
        #expect(second?.rawValue == pair.first)
        withExtendedLifetime(second) {}
    }

    @Test func everyPairClosesOnExecAndTalks() throws {
        for make in [
            { try DescriptorPair.pipe() }, { try DescriptorPair.socket(.stream) },
            { try DescriptorPair.socket(.sequencedPacket) },
        ] as [() throws -> DescriptorPair] {
            let pair = try make()
            #expect(fcntl(pair.first.rawValue, F_GETFD) == FD_CLOEXEC)
            #expect(fcntl(pair.second.rawValue, F_GETFD) == FD_CLOEXEC)
            try Message.writeAll(pair.second.rawValue, Array("hello".utf8))
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = try buffer.withUnsafeMutableBytes { try Message.read(pair.first.rawValue, into: $0) }
            #expect(Array(buffer[..<count]) == Array("hello".utf8))
        }
    }

    @Test func aNonblockingReaderDoesNotWait() throws {
        let pair = try DescriptorPair.pipe(nonblockingReader: true)
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(throws: Errno.wouldBlock) {
            _ = try buffer.withUnsafeMutableBytes { try Message.read(pair.first.rawValue, into: $0) }
        }
        // The writer still waits for room: only the end that was asked for is changed.
        #expect(fcntl(pair.second.rawValue, F_GETFL) & O_NONBLOCK == 0)
        try pair.first.setNonblocking(false)
        #expect(fcntl(pair.first.rawValue, F_GETFL) & O_NONBLOCK == 0)
    }

    @Test func aPseudoTerminalIsATerminalOnBothEnds() throws {
        let pair = try DescriptorPair.pseudoTerminal()
        #expect(isatty(pair.second.rawValue) == 1)
        #expect(clx_tty_set_size(pair.first.rawValue, 33, 111) == 0)
        var rows: UInt16 = 0
        var columns: UInt16 = 0
        #expect(clx_tty_get_size(pair.second.rawValue, &rows, &columns) == 0)
        #expect(rows == 33 && columns == 111)
        try Message.writeAll(pair.first.rawValue, Array("line\n".utf8))
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = try buffer.withUnsafeMutableBytes { try Message.read(pair.second.rawValue, into: $0) }
        #expect(Array(buffer[..<count]) == Array("line\n".utf8))
    }

    @Test func aSealedMemoryFileCannotChange() throws {
        let content = Array("sealed".utf8)
        let file = try content.withUnsafeBytes { SharedFD(try MemoryFile.sealed(name: "s", $0)) }
        let fd = file.rawValue
        var byte: UInt8 = 0
        #expect(write(fd, &byte, 1) == -1 && errno == EPERM)
        #expect(ftruncate(fd, 0) == -1 && errno == EPERM)
        #expect(ftruncate(fd, 100) == -1 && errno == EPERM)
        #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        #expect(clx_seal(fd, 1) == -1 && errno == EPERM)
        #expect(try Files.readAll(try file.duplicate(), limit: 100) == content)
    }

    @Test func anEmptyMemoryFileCanBeWritten() throws {
        let file = try MemoryFile.empty(name: "e")
        try Message.writeAll(file.rawValue, [1, 2, 3])
        #expect(lseek(file.rawValue, 0, SEEK_SET) == 0)
        #expect(try Files.readAll(file, limit: 3) == [1, 2, 3])
        #expect(lseek(file.rawValue, 0, SEEK_SET) == 0)
        #expect(throws: Errno.fileTooLarge) { _ = try Files.readAll(file, limit: 2) }
    }
}
