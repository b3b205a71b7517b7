import AgentTestSupport
import Linux
import Sandbox
import Testing

@testable import Agent

/// Mounts of code made ahead of a claim.
@Suite struct CodeMountTests {
    /// A nursery that answers when it is told to.
    @LoopActor
    private final class Nursery {
        private(set) var asked: [String] = []
        private var waiting: [@LoopActor (Result<SharedFD, SandboxError>) -> Void] = []
        var answersAtOnce = true
        /// Not the loop's own table: each mount is a file of its own, known by its number.
        private(set) var given: [SharedFD] = []

        lazy var mounts = CodeMounts { [unowned self] digest, completion in
            asked.append(digest)
            if answersAtOnce { answer(completion) } else { waiting.append(completion) }
        }

        private func answer(_ completion: @LoopActor (Result<SharedFD, SandboxError>) -> Void) {
            do throws(Errno) {
                let mount = SharedFD(try MemoryFile.empty(name: "mount"))
                given.append(mount)
                completion(.success(mount))
            } catch {
                completion(.failure(.failed(error, at: .request)))
            }
        }

        func answerAll() {
            let completions = waiting
            waiting = []
            for completion in completions { answer(completion) }
        }

        func take(_ digest: String) throws -> SharedFD {
            var taken: Result<SharedFD, SandboxError>?
            mounts.take(digest) { taken = $0 }
            return try #require(taken).get()
        }

        func spares(_ count: Int) async throws {
            for _ in 0..<Int(patience * 100) where mounts.count != count {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(mounts.count == count)
        }
    }

    @Test @LoopActor func theNextOneIsThereAlready() async throws {
        let nursery = Nursery()
        let first = try nursery.take("a")
        #expect(nursery.asked == ["a"], "the start that asks does not wait for another's mount")
        try await nursery.spares(1)
        #expect(nursery.asked == ["a", "a"])
        let second = try nursery.take("a")
        #expect(second === nursery.given[1] && second !== first && nursery.asked.count == 2)
        #expect(nursery.mounts.count == 0, "a mount is good for one sandbox")
        let third = try nursery.take("a")
        #expect(third === nursery.given[2] && nursery.asked.count == 3)
        // Two starts in a row are followed by one spare.
        try await nursery.spares(1)
        try await Task.sleep(for: .milliseconds(30))
        #expect(nursery.mounts.count == 1 && nursery.asked.count == 4)
    }

    @Test @LoopActor func codeThatGoesTakesItsMountAlong() async throws {
        let nursery = Nursery()
        _ = try nursery.take("going")
        _ = try nursery.take("staying")
        try await nursery.spares(2)
        nursery.mounts.keepOnly(["staying"])
        #expect(nursery.mounts.count == 1)
        let asked = nursery.asked.count
        _ = try nursery.take("going")
        #expect(nursery.asked.count == asked + 1, "a new mount, of what is there now")
    }

    /// Asked for before the code went, answered after the same code was put again.
    @Test @LoopActor func aMountOnItsWayIsNotKeptWhenCodeGoes() async throws {
        let nursery = Nursery()
        _ = try nursery.take("again")
        nursery.answersAtOnce = false
        for _ in 0..<Int(patience * 100) where nursery.asked.count < 2 { try await Task.sleep(for: .milliseconds(10)) }
        try #require(nursery.asked == ["again", "again"])
        // Another start while it is on its way asks for its own mount, and for no second spare.
        nursery.mounts.take("again") { _ in }
        try await Task.sleep(for: .milliseconds(30))
        #expect(nursery.asked.count == 3)
        nursery.mounts.keepOnly(["again"])
        nursery.answerAll()
        #expect(nursery.mounts.count == 0)
        // And it is asked for again once that code is used again.
        nursery.answersAtOnce = true
        _ = try nursery.take("again")
        try await nursery.spares(1)
    }

    @Test @LoopActor func onlySoManyAreKept() async throws {
        let nursery = Nursery()
        for index in 0..<CodeMounts.capacity + 10 { _ = try nursery.take("\(index)") }
        try await nursery.spares(CodeMounts.capacity)
        let asked = nursery.asked.count
        _ = try nursery.take("\(CodeMounts.capacity + 9)")
        #expect(nursery.asked.count == asked, "the latest are kept")
        _ = try nursery.take("0")
        #expect(nursery.asked.count == asked + 1, "the first was forgotten")
    }

    @Test @LoopActor func aNurseryThatFailsIsAskedAgain() async throws {
        var asked = 0
        let mounts = CodeMounts { _, completion in
            asked += 1
            completion(.failure(.nurseryLost))
        }
        for round in 1...3 {
            var failure: SandboxError?
            mounts.take("a") { result in if case .failure(let error) = result { failure = error } }
            #expect(failure != nil)
            for _ in 0..<Int(patience * 100) where asked < 2 * round { try await Task.sleep(for: .milliseconds(10)) }
            #expect(asked == 2 * round)
        }
    }
}
