import Linux

/// Pipes and payload files made while nobody waits: a start needs two and one of them, which is 50 us of its way otherwise.
@LoopActor
final class SpareDescriptors {
    /// Starts that find theirs made; more in a burst make their own.
    private static let starts = 4
    private static let quiet: Int64 = 2_000_000

    private var pipes: [SparePipe] = []
    private var files: [SharedFD] = []
    private var isRefilling = false

    /// A pipe, close-on-exec, its reading end not blocking.
    func pipe() throws(Errno) -> SparePipe {
        refillSoon()
        if let spare = pipes.popLast() { return spare }
        return try SparePipe()
    }

    /// A sealed file with a payload, at its start: nobody has to feed it while a program reads.
    func payload(_ bytes: [UInt8]) throws(Errno) -> SharedFD {
        refillSoon()
        let file: SharedFD
        if let spare = files.popLast() { file = spare } else { file = try Self.emptyFile() }
        try MemoryFile.seal(file.rawValue, with: bytes)
        return file
    }

    private static func emptyFile() throws(Errno) -> SharedFD { SharedFD(try MemoryFile.empty(name: "payload")) }

    /// One start's worth a turn, so that a request that arrives meanwhile waits for that at most.
    private func refillSoon() {
        guard !isRefilling else { return }
        isRefilling = true
        Reactor.shared.schedule(after: Self.quiet) { [weak self] in
            guard let self else { return }
            self.isRefilling = false
            // Without a descriptor left there is none ahead either; who needs one says so.
            guard (try? self.refill()) == true else { return }
            self.refillSoon()
        }
    }

    /// Whether there was anything to make.
    private func refill() throws(Errno) -> Bool {
        if pipes.count < 2 * Self.starts {
            pipes.append(try SparePipe())
            pipes.append(try SparePipe())
        } else if files.count < Self.starts {
            files.append(try Self.emptyFile())
        } else {
            return false
        }
        return true
    }
}

/// A pipe whose ends go different ways.
struct SparePipe {
    let reader: SharedFD
    let writer: SharedFD

    init() throws(Errno) {
        let ends = try DescriptorPair.pipe(nonblockingReader: true).take()
        reader = SharedFD(owning: ends.first)
        writer = SharedFD(owning: ends.second)
    }
}
