import Glibc
import Linux
import Testing

@testable import Agent

/// Pipes and payload files, whether made ahead or at once.
@Suite struct SpareDescriptorTests {
    @Test @LoopActor func payloadsAreSealedAndAtTheirStart() async throws {
        let spares = SpareDescriptors()
        for round in 0..<12 {
            let bytes = [UInt8](repeating: UInt8(round), count: round * 5000)
            let file = try spares.payload(bytes)
            #expect(lseek(file.rawValue, 0, SEEK_CUR) == 0)
            #expect(try Files.readAll(try file.duplicate(), limit: 1 << 20) == bytes, "round \(round)")
            var byte: UInt8 = 1
            #expect(pwrite(file.rawValue, &byte, 1, 0) == -1 && errno == EPERM)
            if round == 5 { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    /// Each pipe is nobody else's, whether made ahead or at once; a program's end of it waits as programs expect.
    @Test @LoopActor func pipesAreReadWithoutWaitingAndWrittenWithIt() async throws {
        let spares = SpareDescriptors()
        var pipes: [SparePipe] = []
        for round in 0..<20 {
            pipes.append(try spares.pipe())
            if round == 9 { try await Task.sleep(for: .milliseconds(50)) }
        }
        var numbers: Set<Int32> = []
        for (index, pipe) in pipes.enumerated() {
            numbers.formUnion([pipe.reader.rawValue, pipe.writer.rawValue])
            #expect(fcntl(pipe.reader.rawValue, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(pipe.writer.rawValue, F_GETFL) & O_NONBLOCK == 0)
            #expect(fcntl(pipe.writer.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            try Message.writeAll(pipe.writer.rawValue, [UInt8(index)])
        }
        #expect(numbers.count == 2 * pipes.count)
        for (index, pipe) in pipes.enumerated() {
            var byte: UInt8 = 0xff
            #expect(read(pipe.reader.rawValue, &byte, 1) == 1 && byte == UInt8(index))
        }
    }
}
