import Glibc
package import Linux
@testable package import Sandbox

/// A nursery with an image, a cgroup tree and a factory of its own, in a temporary directory.
@LoopActor
package final class TestNode {
    package let directory: String
    package let configuration: NurseryConfiguration
    package let cgroups: CgroupTree
    package let factory: SandboxFactory
    package let nurseryPid: Int32
    private let nursery: Linux.Process
    package private(set) var image: UInt32 = 0

    /// Starts a nursery and prepares the image `host`: the node's /usr and an /etc of the test's own.
    package static func start(networks: Int = 16, linger: Int = 30) async throws -> TestNode {
        let node = try TestNode(networks: networks, linger: linger)
        node.image = try await node.prepare("host", host: true)
        return node
    }

    private init(networks: Int, linger: Int) throws {
        directory = try TestFiles.temporaryDirectory()
        configuration = try Self.makeDirectories(directory, networks: networks, linger: linger)
        cgroups = try CgroupTree(instance: "test-" + (directory.split(separator: "-").last ?? ""))
        let started = try NurseryProcess.start(configuration, cgroup: cgroups.nurseryDirectory)
        nurseryPid = started.process.pid
        nursery = try Linux.Process(opening: nurseryPid)
        factory = SandboxFactory(nursery: try NurseryClient(started.takeConnection()), cgroups: cgroups)
    }

    package nonisolated static func makeDirectories(
        _ directory: String, networks: Int = 16, linger: Int = 30
    ) throws -> NurseryConfiguration {
        for name in ["images", "code", "runtimes"] { try Files.makeDirectory(directory + "/" + name) }
        try makeImage(directory + "/images/host/rootfs")
        return NurseryConfiguration(
            executable: try TestFiles.nursery(), socket: directory + "/n.sock", images: directory + "/images",
            code: directory + "/code", runtimes: directory + "/runtimes", linger: linger, networks: networks)
    }

    /// The skeleton that a host image needs: mount points, links into /usr, and an /etc with nothing of the node's.
    package nonisolated static func makeImage(_ root: String) throws {
        for name in [
            "usr", "dev", "proc", "tmp", "etc", "root", "home", "var/task", "var/tmp", "opt/hearth/runtimes",
        ] {
            try Files.makeDirectories(root + "/" + name)
        }
        for name in ["bin", "sbin", "lib", "lib64"] where symlink("usr/" + name, root + "/" + name) != 0 {
            throw Errno.current
        }
        try Files.write(
            Array("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n".utf8), to: root + "/etc/passwd")
        try Files.write(Array("root:x:0:\nuser:x:1000:\n".utf8), to: root + "/etc/group")
    }

    package func prepare(_ name: String, host: Bool) async throws -> UInt32 {
        try await withCheckedContinuation { continuation in
            factory.prepareImage(name, host: host) { continuation.resume(returning: $0) }
        }.get()
    }

    package func code(_ name: String) async throws -> SharedFD {
        try await withCheckedContinuation { continuation in
            factory.codeMount(name) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Begins a sandbox of the host image.
    package func create(_ change: (inout SandboxSpec) -> Void = { _ in }) throws -> TestSandbox {
        var spec = SandboxSpec(image: image)
        change(&spec)
        return TestSandbox(try factory.create(spec))
    }

    /// A sandbox for one program.
    package func run(
        _ argv: [String], _ change: (inout SpawnRequest) -> Void = { _ in }, input: String = ""
    ) async throws -> Output {
        let sandbox = try create()
        let output = try await sandbox.run(argv, change, input: input)
        try await sandbox.end()
        return output
    }

    /// Ends the nursery and takes every trace away; what is left over is a failure of its own.
    package func stop() async throws {
        await withCheckedContinuation { continuation in
            factory.shutdown { continuation.resume() }
        }
        _ = try await nurseryEnd()
        try await eventually("the cgroup tree empties") {
            self.cgroups.remove()
            return !Files.exists(self.cgroups.path)
        }
        try Files.removeTree(directory)
    }

    /// Waits for the nursery's own end.
    package func nurseryEnd() async throws -> Linux.Process.Exit {
        for _ in 0..<12_000 {
            if let exit = try nursery.reap() { return exit }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw TestFailure("nursery \(nurseryPid) did not end within a minute")
    }

    package func killNursery() throws { try nursery.signal(SIGKILL) }
}

/// Polls for something that happens soon; fails with its name.
@LoopActor
package func eventually(
    _ what: String, within seconds: Double = patience, _ condition: @LoopActor () throws -> Bool
) async throws {
    let end = monotonicNow() + Int64(seconds * 1e9)
    while true {
        if try condition() { return }
        guard monotonicNow() < end else { throw TestFailure("\(what): not within \(seconds) s") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Runs a test on a node, which is stopped whatever happens.
@LoopActor
package func withNode(
    networks: Int = 16, linger: Int = 30, _ body: @LoopActor (TestNode) async throws -> Void
) async throws {
    let node = try await TestNode.start(networks: networks, linger: linger)
    do {
        try await body(node)
    } catch {
        try? await node.stop()
        throw error
    }
    try await node.stop()
}
