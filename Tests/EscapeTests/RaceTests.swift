import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// An image whose directories are exchanged with links to the node's, again and again, while sandboxes are made of it.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct Races {
        /// A runtime that mounts by path follows the link, sooner or later.
        @Test func mountsByPathAreLedAstray() throws {
            let place = try TestFiles.temporaryDirectory()
            for name in ["image/dev", "canary"] { try Files.makeDirectories(place + "/" + name) }
            #expect(symlink(place + "/canary", place + "/image/link") == 0)
            let output = try Host.run(
                [
                    "/usr/bin/unshare", "-m", try Attack.program("race"), "by_path", place + "/image/dev",
                    place + "/image/link", place + "/canary",
                ])
            #expect(Attack.parse(output.text)["by_path"] == "ok", "\(output.text)")
            try Files.removeTree(place)
        }

        @Test(arguments: ["dev", "proc", "tmp", "usr", "opt/hearth/runtimes"]) @LoopActor
        func ourMountsAreNot(_ name: String) async throws {
            try await withNode { node in
                let root = node.directory + "/images/race/rootfs"
                let canary = node.directory + "/canary"
                // What a mount would hide, and what a write would change.
                for place in ["/shm", "/pts", "/hearth/runtimes", "/runtimes"] {
                    try Files.makeDirectories(canary + place)
                }
                try Files.write(Array("alive".utf8), to: canary + "/bird")
                try TestNode.makeImage(root)
                #expect(symlink(canary, root + "/link") == 0)
                let racer = try Linux.Process.spawn(
                    [try Attack.program("race"), "flip", root + "/" + name, root + "/link"], environment: [],
                    descriptors: [])
                var made = 0
                var refused = 0
                do {
                    for _ in 0..<40 {
                        do {
                            // Template mounts are made with the image, the others with each sandbox.
                            let image = try await node.prepare("race", host: true)
                            for _ in 0..<6 {
                                let sandbox = try node.create { $0.image = image }
                                let end = try await Self.firstWord(sandbox)
                                if end == nil {
                                    made += 1
                                    try await Self.checkView(sandbox, name, canary)
                                    try await sandbox.end()
                                } else {
                                    refused += 1
                                }
                            }
                        } catch let error as SandboxError {
                            guard case .failed(let errno, _) = error else { throw error }
                            #expect(Self.refusals.contains(errno), "\(error)")
                            refused += 1
                        }
                        if made >= 6 && refused >= 3 || made >= 40 { break }
                    }
                } catch {
                    try racer.signal(SIGKILL)
                    throw error
                }
                try racer.signal(SIGKILL)
                _ = try racer.wait(timeout: 30_000_000_000)
                #expect(made + refused > 5)
                #expect(try Files.readText(canary + "/bird") == "alive")
                #expect(try Files.list(canary).sorted() == ["bird", "hearth", "pts", "runtimes", "shm"])
                // Nothing of the node's was covered: no mount of ours lies on the canary in any namespace that can see it.
                #expect(!(try Files.readText("/proc/\(node.nurseryPid)/mountinfo").contains("canary")))
            }
        }

        /// Neither a link nor, at the wrong moment, nothing where the directory was.
        private static let refusals: Set<Errno> = [.tooManySymbolicLinks, .notDirectory, .noEntry, .wouldBlock]

        /// nil when it is ready, its end when it could not be made.
        @LoopActor
        private static func firstWord(_ sandbox: TestSandbox) async throws -> SandboxEnd? {
            do {
                try await sandbox.ready()
                return nil
            } catch let error as SandboxError {
                guard case .failed(let errno, _) = error else { throw error }
                #expect(refusals.contains(errno), "\(error)")
                return try await sandbox.waitForEnd()
            }
        }

        /// From inside: the mounts are where they belong, and the node's file is not to be seen.
        @LoopActor
        private static func checkView(_ sandbox: TestSandbox, _ name: String, _ canary: String) async throws {
            let pid = try await sandbox.pid()
            // The directory that was mounted on may have the link's name by now.
            let mounts = MountTable(parsing: try Files.readText("/proc/\(pid)/mountinfo")).entries.map { entry in
                let path = entry.mountPoint
                return path == "/link" || path.hasPrefix("/link/") ? "/" + name + path.dropFirst(5) : path
            }
            for place in ["/dev", "/proc", "/tmp", "/dev/shm"] { #expect(mounts.contains(place), "\(mounts)") }
            #expect(!Files.exists("/proc/\(pid)/root" + canary + "/bird"))
        }
    }
}
