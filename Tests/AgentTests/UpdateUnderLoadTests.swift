import AgentTestSupport
import Glibc
import HearthClient
import Synchronization
import Testing
import Wire

extension AgentTests {
    /// New code while requests come without pause.
    @Suite @TestThread
    struct UpdateUnderLoadTests {
        /// What an update has returned for is what answers from then on: never the code before.
        @Test(arguments: ["", "bare_pool: 2\nruntime_pool: 2"])
        func oldCodeNeverAnswersAfterAnUpdate(_ configuration: String) throws {
            try withAgent(configuration) { agent, client in
                try client.put("kit", .python, files: ["app.py": "def handler(event, context): return 0"])
                let board = Board()
                do {
                    let callers = (0..<4).map { _ in
                        Background { () -> (Int, [String]) in
                            let client = try agent.client()
                            var count = 0
                            var wrong: [String] = []
                            while !board.isOver.load(ordering: .acquiring) {
                                let atLeast = board.installed.load(ordering: .acquiring)
                                let answer = try client.invoke("kit")
                                guard answer.outcome == .ok, let version = Int(answer.text) else {
                                    wrong.append(answer.summary)
                                    continue
                                }
                                if version < atLeast { wrong.append("\(version) after \(atLeast) was installed") }
                                count += 1
                            }
                            return (count, wrong)
                        }
                    }
                    for version in 1...8 {
                        usleep(100_000)
                        try client.put(
                            "kit", .python, files: ["app.py": "def handler(event, context): return \(version)"])
                        board.installed.store(version, ordering: .releasing)
                    }
                    usleep(100_000)
                    board.isOver.store(true, ordering: .releasing)
                    var served = 0
                    for caller in callers {
                        let (count, wrong) = try caller.join()
                        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
                        served += count
                    }
                    #expect(served > 20, "\(served) invocations are no load")
                }
                #expect(try client.invoke("kit").text == "8")
                _ = try client.deleteFunction("kit", options: .patient)
                let gone = try refusal { try client.invoke("kit") }
                #expect(gone.code == .notFound, "\(gone)")
            }
        }

        /// What the callers and the updates share.
        private final class Board: Sendable {
            let installed = Atomic<Int>(0)
            let isOver = Atomic<Bool>(false)
        }
    }
}
