import FuzzTargets
import Linux
import Testing

/// The fuzzer's corpus through the ordinary build: inputs that reach far, and every input that once broke something.
@Suite(.serialized) struct FuzzReplayTests {
    /// Tests/Fuzz/corpus.
    private static let corpus: String = {
        let own = #filePath
        let tests = own.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/" + tests + "/Fuzz/corpus"
    }()

    @Test(arguments: FuzzTarget.all.map(\.name))
    func corpus(of name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let directory = Self.corpus + "/" + name
        let files = try Files.list(directory)
        #expect(!files.isEmpty, "\(directory) has no input")
        for file in files.sorted() {
            let bytes = try Files.read(directory + "/" + file)
            // A broken promise stops the process; the last line printed by a verbose run names the target.
            target.run(bytes)
        }
    }

    /// Inputs that the fuzzer tries first anyway, so that no target minds them.
    @Test(arguments: FuzzTarget.all.map(\.name))
    func smallest(of name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        target.run([])
        for byte in UInt8.min...UInt8.max { target.run([byte]) }
        target.run([UInt8](repeating: 0, count: 512))
        target.run([UInt8](repeating: 255, count: 512))
    }

    @Test func everyDirectoryHasItsTarget() throws {
        let names = try Files.list(Self.corpus)
        #expect(Set(names) == Set(FuzzTarget.all.map(\.name)))
    }
}
