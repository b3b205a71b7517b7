import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Root file systems from a directory and from a tar.
    @Suite @TestThread
    struct ImageTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        /// A root file system with one static program, and a file that says which it is.
        private func root(_ marker: String) throws -> ScratchDirectory {
            let scratch = try ScratchDirectory()
            try scratch.write(
                """
                #include <stdio.h>
                int main(int argc, char **argv) {
                    char text[256];
                    FILE *file = fopen(argc > 1 ? argv[1] : "/marker", "r");
                    if (!file) { perror(argv[1]); return 4; }
                    while (fgets(text, sizeof text, file)) fputs(text, stdout);
                    return 0;
                }
                """, to: "show.c")
            try Files.makeDirectories(scratch.path + "/root/bin")
            let built = try Command.run([
                "/usr/bin/cc", "-static", "-o", scratch.path + "/root/bin/show", scratch.path + "/show.c",
            ])
            guard built.status == 0 else { throw TestFailure(built.errors) }
            try scratch.write(marker + "\n", to: "root/marker")
            return scratch
        }

        /// An import makes the place for the code; whoever has the images directory may take it away again.
        private func importWithoutPlace(_ marker: String, _ agent: TestAgent, _ client: HearthClient) throws {
            let scratch = try root(marker)
            var request = HearthImportImageRequest()
            request.name = "no-place"
            request.format = .directory
            request.path = scratch.path + "/root"
            _ = try client.importImage(request, options: .patient)
            let images = agent.state + "/images/"
            let taken = try Files.list(images).filter { rmdir(images + $0 + "/rootfs/var/task") == 0 }
            try #require(!taken.isEmpty)
        }

        enum Start: CaseIterable {
            case fresh, claimed, claimedWithWarmUp
        }

        /// A command's start is asked for together with its code: where the code cannot be mounted it must not run without. A warm-up
        /// under way then is not what failed.
        @Test(arguments: Start.allCases) func codeThatCannotBeMountedRunsNothing(_ start: Start) throws {
            let marker = "no-place-\(start)"
            let isClaimed = start != .fresh
            try withAgent(isClaimed ? "bare_pool: 1" : "") { agent, client in
                try importWithoutPlace(marker, agent, client)
                try client.put("homeless", .command, files: ["data": "x"]) {
                    $0.image = "no-place"
                    $0.argv = ["/bin/show", "/marker"]
                    if start == .claimedWithWarmUp { $0.warmupEvent = .init("{}".utf8) }
                }
                if isClaimed {
                    try eventually("a bare sandbox waits") {
                        try client.idle(.bare).contains { $0.image == "no-place" }
                    }
                }
                let first = try client.invoke("homeless")
                #expect(first.outcome == .initFailed, "\(first.summary)")
                if start == .claimed { #expect(first.startKind == .bare) }
                try eventually("it is told") { agent.log.contains("'homeless' did not start") }
                var answers = [first]
                // Starts that fail open the breaker, and what comes after is refused for their reason.
                try eventually("it is refused") {
                    answers.append(try client.invoke("homeless"))
                    return answers.last?.outcome == .rejected
                }
                #expect(answers.count <= 4, "one more than the breaker takes")
                for answer in answers {
                    #expect(answer.text.isEmpty)
                    #expect(answer.error.message.contains("resolving a mount's target"), "\(answer.summary)")
                    #expect(!answer.error.message.contains("warm-up"), "\(answer.summary)")
                }
                let starts = agent.log.split(separator: "\n").filter { $0.contains("'homeless' did not start") }
                #expect(!starts.isEmpty && starts.allSatisfy { $0.contains("stage=\"sandbox\"") }, "\(starts)")
                try eventually("none of it is left") { try client.listSandboxes(function: "homeless").isEmpty }
            }
        }

        /// What nobody waits for is told ready only with its code: the breaker opens, and it is not made again and again.
        @Test func whatIsKeptReadyWithoutItsCodeIsGivenUp() throws {
            try withAgent("bare_pool: 1") { agent, client in
                try importWithoutPlace("kept", agent, client)
                try client.put("homeless", .command, files: ["data": "x"]) {
                    $0.image = "no-place"
                    $0.argv = ["/bin/show", "/marker"]
                    $0.minReady = 1
                }
                func breaker() throws -> [String] {
                    try client.pullJournal(HearthPullJournalRequest()).entries
                        .filter { $0.kind == "breaker" && $0.function == "homeless" }.compactMap { $0.fields["state"] }
                }
                try eventually("the breaker opens") { try breaker().contains("open") }
                usleep(300_000)
                let before = try client.gauge("pool.created") + client.gauge("pool.promoted")
                usleep(700_000)
                let made = try client.gauge("pool.created") + client.gauge("pool.promoted") - before
                // A new bare one in the place of the last, and a probe of the breaker.
                #expect(made <= 4, "\(made) starts in 0.7 s")
                #expect(try !breaker().contains("closed"))
            }
        }

        @Test func directoriesAndTars() throws {
            let client = try agent.client()
            let scratch = try root("one")
            var request = HearthImportImageRequest()
            request.name = "tiny-dir"
            request.format = .directory
            request.path = scratch.path + "/root"
            let image = try client.importImage(request, options: .patient)
            #expect(image.name == "tiny-dir")
            #expect(image.digest.hasPrefix("sha256:"))
            #expect(image.bytes > 10_000)

            let packed = try Command.run([
                "/bin/tar", "-C", scratch.path + "/root", "-czf", scratch.path + "/r.tgz", ".",
            ])
            #expect(packed.status == 0, "\(packed.errors)")
            let bytes = try Files.read(scratch.path + "/r.tgz", limit: 64 << 20)
            var tar = HearthImportImageRequest()
            tar.name = "tiny-tar"
            tar.format = .tar
            tar.size = UInt64(bytes.count)
            _ = try client.importImage(tar, archive: .bytes(bytes), options: .patient)
            let names = try client.listImages().map(\.name)
            #expect(Set(names).isSuperset(of: ["host", "tiny-dir", "tiny-tar"]))
            #expect(try refusal { try client.importImage(request) }.code == .alreadyExists)

            for name in ["tiny-dir", "tiny-tar"] {
                try withFunctions(["in-image"], of: agent) {
                    try client.put("in-image", .command) {
                        $0.image = name
                        $0.argv = ["/bin/show", "/marker"]
                    }
                    let answer = try client.invoke("in-image")
                    #expect(answer.text == "one\n", "\(name): \(answer.summary)")
                    // Nothing of the node is in there.
                    try client.put("in-image", .command) {
                        $0.image = name
                        $0.argv = ["/bin/show", "/usr/bin/env"]
                    }
                    #expect(try client.invoke("in-image").error.exitStatus == 4)
                    let used = try refusal { try client.deleteImage(name) }
                    #expect(used.code == .failedPrecondition)
                    #expect(used.message.contains("in-image"), "\(used.message)")
                    #expect(!used.remedy.isEmpty)
                }
                try eventually("its sandboxes are gone") { try client.listSandboxes().allSatisfy { $0.image != name } }
                #expect(try client.deleteImage(name, options: .patient).bytesFreed > 10_000)
                let gone = try refusal {
                    try client.put("in-image", .command) {
                        $0.image = name; $0.argv = ["/bin/show"]
                    }
                }
                #expect(gone.code == .notFound)
                #expect(gone.message.contains(name))
            }
            #expect(try refusal { try client.deleteImage("host") }.code == .failedPrecondition)
            #expect(try refusal { try client.deleteImage("tiny-dir") }.code == .notFound)
        }

        /// An image is replaced while a function uses it: new sandboxes see the new one.
        @Test func replacing() throws {
            let client = try agent.client()
            try withFunctions(["in-replaced"], of: agent) {
                for marker in ["first", "second"] {
                    let scratch = try root(marker)
                    var request = HearthImportImageRequest()
                    request.name = "replaced"
                    request.format = .directory
                    request.path = scratch.path + "/root"
                    request.replace = true
                    _ = try client.importImage(request, options: .patient)
                    try client.put("in-replaced", .command) {
                        $0.image = "replaced"
                        $0.argv = ["/bin/show", "/marker"]
                    }
                    #expect(try client.invoke("in-replaced").text == marker + "\n")
                }
            }
            _ = try client.deleteImage("replaced", options: .patient)
        }

        @Test func badImages() throws {
            let client = try agent.client()
            var request = HearthImportImageRequest()
            request.name = "bad"
            request.format = .directory
            request.path = "/no/such/directory"
            let missing = try refusal { try client.importImage(request) }
            #expect(missing.code == .notFound)
            #expect(missing.message.contains("/no/such/directory"))
            request.path = "relative"
            #expect(try refusal { try client.importImage(request) }.code == .invalidArgument)
            request.path = "/tmp"
            for name in ["", "host", "Upper", "a/b", "a\u{1b}b", String(repeating: "a", count: 64)] {
                request.name = name
                let error = try refusal { try client.importImage(request) }
                let expected: [HearthErrorCode] =
                    name == "host" ? [.alreadyExists, .invalidArgument] : [.invalidArgument]
                #expect(expected.contains(error.code), "\(name.debugDescription): \(error.message)")
                #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
            }
            var tar = HearthImportImageRequest()
            tar.name = "bad"
            tar.format = .tar
            let noise = Array("this is no archive at all".utf8)
            tar.size = UInt64(noise.count)
            let bad = try refusal { try client.importImage(tar, archive: .bytes(noise)) }
            #expect(bad.code == .invalidArgument, "\(bad.message)")
            #expect(!bad.remedy.isEmpty)
            tar.size = 5
            #expect(try refusal { try client.importImage(tar, archive: .bytes(noise)) }.code == .invalidArgument)
            tar.size = 500
            #expect(try refusal { try client.importImage(tar, archive: .bytes(noise)) }.code == .invalidArgument)
            #expect(try client.listImages().map(\.name) == ["host"])
        }
    }
}
