import CLinux
import Glibc
import Testing

@testable import Linux

@Suite struct MessageTests {
    private func receive(_ fd: Int32, _ capacity: Int = 64, wait: Bool = false) throws -> ([UInt8], [SharedFD]) {
        var buffer = [UInt8](repeating: 0, count: capacity)
        let (count, fds) = try buffer.withUnsafeMutableBytes { try Message.receive(fd, into: $0, wait: wait) }
        return (Array(buffer[..<count]), fds)
    }

    @Test(arguments: [0, 1, 2, 15, 16]) func descriptorsArriveInOrder(_ count: Int) throws {
        let pair = try DescriptorPair.socket(.sequencedPacket)
        let files = try (0..<count).map { SharedFD(try MemoryFile.empty(name: "m\($0)")) }
        #expect(try Message.send(pair.first.rawValue, [7], descriptors: files.map(\.rawValue)) == 1)
        let (bytes, arrived) = try receive(pair.second.rawValue)
        #expect(bytes == [7] && arrived.count == count)
        for (sent, got) in zip(files, arrived) {
            var a = stat()
            var b = stat()
            #expect(fstat(sent.rawValue, &a) == 0 && fstat(got.rawValue, &b) == 0 && a.st_ino == b.st_ino)
            #expect(fcntl(got.rawValue, F_GETFD) == FD_CLOEXEC)
        }
    }

    @Test func moreThanSixteenAreRefusedBeforeTheKernel() throws {
        let pair = try DescriptorPair.socket(.sequencedPacket)
        let many = [Int32](repeating: pair.first.rawValue, count: 17)
        #expect(throws: Errno.invalidArgument) { _ = try Message.send(pair.first.rawValue, [1], descriptors: many) }
    }

    /// Another program may send more than we take: none of them may stay open here.
    @Test func moreThanSixteenReceivedAreAllClosed() throws {
        let pair = try DescriptorPair.socket(.sequencedPacket)
        let pipe = try DescriptorPair.pipe(nonblockingReader: true)
        let ends = pipe.take()
        let reader = OwnedFD(owning: ends.first)
        let writer = OwnedFD(owning: ends.second)
        #expect(sendMany(pair.first.rawValue, writer.rawValue, 20) == 1)
        #expect(throws: Errno.protocolError) { _ = try receive(pair.second.rawValue) }
        _ = consume writer
        // With every copy of the writing end closed, the reader sees the end of the file.
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(try buffer.withUnsafeMutableBytes { try Message.read(reader.rawValue, into: $0) } == 0)
        // The socket goes on.
        _ = try Message.send(pair.first.rawValue, [9])
        #expect(try receive(pair.second.rawValue).0 == [9])
    }

    private func sendMany(_ socket: Int32, _ fd: Int32, _ count: Int) -> Int {
        var control = [UInt64](repeating: 0, count: 2 + (count + 1) / 2)
        var byte: UInt8 = 5
        return control.withUnsafeMutableBytes { raw in
            raw.storeBytes(of: UInt64(16 + 4 * count), toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            raw.storeBytes(of: 1, toByteOffset: 12, as: Int32.self)  // SCM_RIGHTS
            for index in 0..<count { raw.storeBytes(of: fd, toByteOffset: 16 + 4 * index, as: Int32.self) }
            return withUnsafeMutablePointer(to: &byte) { pointer in
                var vector = iovec(iov_base: pointer, iov_len: 1)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = raw.baseAddress
                    message.msg_controllen = raw.count
                    return sendmsg(socket, &message, 0)
                }
            }
        }
    }

    @Test func aCutPacketIsAnErrorAndItsDescriptorsAreClosed() throws {
        let pair = try DescriptorPair.socket(.sequencedPacket)
        let ends = try DescriptorPair.pipe(nonblockingReader: true).take()
        let reader = OwnedFD(owning: ends.first)
        let writer = OwnedFD(owning: ends.second)
        _ = try Message.send(pair.first.rawValue, [UInt8](repeating: 1, count: 65), descriptors: [writer.rawValue])
        #expect(throws: Errno.messageTooLong) { _ = try receive(pair.second.rawValue, 64) }
        _ = consume writer
        var buffer = [UInt8](repeating: 0, count: 4)
        #expect(try buffer.withUnsafeMutableBytes { try Message.read(reader.rawValue, into: $0) } == 0)
    }

    @Test func aStreamMayBeReadInParts() throws {
        let pair = try DescriptorPair.socket(.stream)
        _ = try Message.send(pair.first.rawValue, [1, 2, 3, 4])
        #expect(try receive(pair.second.rawValue, 3).0 == [1, 2, 3])
        #expect(try receive(pair.second.rawValue, 3).0 == [4])
    }

    @Test func nothingThereIsSaidAtOnce() throws {
        let pair = try DescriptorPair.socket(.stream)
        #expect(throws: Errno.wouldBlock) { _ = try receive(pair.first.rawValue) }
    }

    @Test func theEndOfTheStreamIsZeroAndAClosedPeerNoSignal() throws {
        let ends = try DescriptorPair.socket(.stream).take()
        let mine = OwnedFD(owning: ends.first)
        #expect(close(ends.second) == 0)
        #expect(try receive(mine.rawValue).0 == [])
        // SIGPIPE would have ended the test run.
        #expect(throws: Errno.brokenPipe) { _ = try Message.send(mine.rawValue, [1]) }
    }

    @Test func aFullSocketSaysSo() throws {
        let pair = try DescriptorPair.socket(.stream)
        let chunk = [UInt8](repeating: 0, count: 65536)
        #expect(throws: Errno.wouldBlock) {
            for _ in 0..<1000 { _ = try Message.send(pair.first.rawValue, chunk) }
        }
    }

    @Test func writeAllWritesMoreThanAPipeHolds() async throws {
        let ends = try DescriptorPair.pipe().take()
        let reader = SharedFD(owning: ends.first)
        let writer = SharedFD(owning: ends.second)
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let writing = Task.detached { try Message.writeAll(writer.rawValue, bytes) }
        var got: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 10_000)
        while got.count < bytes.count {
            let count = try buffer.withUnsafeMutableBytes { try Message.read(reader.rawValue, into: $0) }
            got += buffer[..<count]
        }
        try await writing.value
        #expect(got == bytes)
    }

    @Test func aListenerKnowsItsPeer() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/s"
        for kind in [DescriptorPair.SocketKind.stream, .sequencedPacket] {
            let listener = try UnixSocket.listen(path: path, kind: kind, mode: 0o600)
            var info = stat()
            #expect(lstat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
            if try UnixSocket.accept(listener.rawValue) != nil { Issue.record("somebody came") }
            let client = try UnixSocket.connect(path: path, kind: kind)
            guard let accepted = try UnixSocket.accept(listener.rawValue) else {
                Issue.record("nobody to accept")
                return
            }
            let server = SharedFD(accepted)
            #expect(
                try UnixSocket.peerCredentials(server.rawValue)
                    == UnixSocket.PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))
            #expect(try UnixSocket.peerCredentials(client.rawValue).pid == getpid())
            #expect(fcntl(server.rawValue, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(server.rawValue, F_GETFD) == FD_CLOEXEC)
            #expect(throws: Errno.addressInUse) { _ = try UnixSocket.listen(path: path, kind: kind, mode: 0o600) }
            try Files.unlink(path)
        }
    }

    @Test func pathsThatNoSocketCanHaveAreRefused() throws {
        #expect(throws: Errno(rawValue: ENAMETOOLONG)) { _ = try UnixSocket.connect(path: "", kind: .stream) }
        let long = "/" + String(repeating: "x", count: 108)
        #expect(throws: Errno(rawValue: ENAMETOOLONG)) {
            _ = try UnixSocket.listen(path: long, kind: .stream, mode: 0o600)
        }
        #expect(throws: Errno.noEntry) { _ = try UnixSocket.connect(path: "/nonexistent/s", kind: .stream) }
        let directory = try TemporaryDirectory()
        let path = directory.path + "/dead"
        #expect(close(try UnixSocket.listen(path: path, kind: .stream, mode: 0o600).release()) == 0)
        #expect(throws: Errno.connectionRefused) { _ = try UnixSocket.connect(path: path, kind: .stream) }
    }
}
