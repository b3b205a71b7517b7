import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

/// What is there from the inside: files, devices, processes, network.
extension SandboxTests.Posture {
    @Test @LoopActor func theImageCannotBeWritten() async throws {
        try await withNode { node in
            let script =
                "for d in / /usr /usr/bin /etc /opt/hearth/runtimes /var/task /dev /home; do touch $d/x || echo no $d; done"
            let output = try await node.run(
                ["/bin/sh", "-c", script],
                {
                    $0.uid = 0; $0.gid = 0
                })
            #expect(output.lines.count == 8, "\(output.text)")
            #expect(
                output.errors.split(separator: "\n").allSatisfy { $0.contains("Read-only file system") },
                "\(output.errors)")
        }
    }

    @Test @LoopActor func scratchSpaceIsBounded() async throws {
        try await withNode { node in
            let sandbox = try node.create {
                $0.limits.tmpBytes = 1 << 20
                $0.limits.tmpFiles = 20
                $0.limits.shmBytes = 64 << 10
            }
            let script = """
                dd if=/dev/zero of=/tmp/f bs=4096 2>&1 | head -1; stat -c %s /tmp/f; rm /tmp/f
                dd if=/dev/zero of=/dev/shm/f bs=4096 2>&1 | head -1; stat -c %s /dev/shm/f
                i=0; while touch /tmp/n$i 2>/dev/null; do i=$((i+1)); done; echo $i; stat -c %a /tmp /dev/shm
                """
            let output = try await sandbox.run(["/bin/sh", "-c", script])
            // 20 inodes: one is the directory's own.
            #expect(
                output.lines == [
                    "dd: error writing '/tmp/f': No space left on device", "1048576",
                    "dd: error writing '/dev/shm/f': No space left on device", "65536", "19", "1777", "1777",
                ], "\(output.text) \(output.errors)")
            try await sandbox.end()
        }
    }

    @Test @LoopActor func devicesAreTheHarmlessOnes() async throws {
        try await withNode { node in
            let list = "cd /dev; for n in * ; do stat -c '%n %F %t:%T %a' $n; done"
            let output = try await node.run(["/bin/sh", "-c", list])
            #expect(
                output.lines.filter { $0.contains("special") } == [
                    "full character special file 1:7 666", "null character special file 1:3 666",
                    "random character special file 1:8 666", "tty character special file 5:0 666",
                    "urandom character special file 1:9 666", "zero character special file 1:5 666",
                ], "\(output.text)")
            #expect(
                output.lines.filter { !$0.contains("special") }.map { $0.split(separator: " ")[0] } == [
                    "fd", "ptmx", "pts", "shm", "stderr", "stdin", "stdout",
                ], "\(output.text)")
            let use = try await node.run([
                "/bin/sh", "-c",
                "head -c2 /dev/zero | od -An -tx1; echo x > /dev/null; head -c1 /dev/urandom | wc -c",
            ])
            #expect(use.text == " 00 00\n1\n")
        }
    }

    @Test(.enabled(if: Files.exists("/dev/pts/ptmx"), "skipped: the node has no /dev/pts")) @LoopActor
    func terminalsAreItsOwn() async throws {
        try await withNode { node in
            let sandbox = try node.create { $0.terminals = true }
            let output = try await sandbox.run(
                [
                    "/usr/bin/python3", "-c",
                    "import os,pty; m,s=os.openpty(); os.write(m,b'hi\\n'); print(os.ttyname(s), os.read(s,9))",
                ])
            #expect(output.text == "/dev/pts/0 b'hi\\n'\n", "\(output.errors)")
            let pair = try DescriptorPair.pseudoTerminal()
            let terminal = pair.second.rawValue
            let cookie = try sandbox.spawn(
                ["/bin/sh", "-c", "exec 3</dev/tty && stty size && test -t 0"], { $0.terminal = true },
                descriptors: [terminal, terminal, terminal])
            #expect(try await sandbox.exited(cookie).exit == .status(0))
            try await sandbox.end()
        }
    }

    @Test @LoopActor func processesOfOthersAreNotThere() async throws {
        try await withNode { node in
            let neighbour = try node.create()
            _ = try await neighbour.started(try neighbour.spawn(["/bin/sleep", "1000"]))
            let sandbox = try node.create()
            _ = try await sandbox.started(try sandbox.spawn(["/bin/sleep", "1000"]))
            let output = try await sandbox.run([
                "/bin/sh", "-c", "cd /proc; echo [0-9]*; cat 1/comm 2/comm; kill -0 1 2>&1; echo $$",
            ])
            // PID 1 is hidden; so is another program of the same sandbox where Landlock keeps them apart.
            #expect(output.lines.first == (Probes.landlockABI() > 0 ? "3" : "2 3"), "\(output.text)")
            #expect(output.lines.last == "3")
            // PID 1 cannot be looked into or signalled from within.
            let peek = try await sandbox.run(
                [
                    "/bin/sh", "-c",
                    "cat /proc/1/environ; ls /proc/1/fd; readlink /proc/1/exe; kill -9 1; kill -9 -1; true",
                ])
            #expect(peek.text == "", "\(peek.text)")
            try await sandbox.end()
            try await neighbour.end()
        }
    }

    @Test @LoopActor func theNetworkIsLoopbackOnly() async throws {
        try await withNode { node in
            let code = """
                import socket
                print([n for _, n in socket.if_nameindex()])
                s = socket.create_server(('127.0.0.1', 8080)); c = socket.create_connection(('127.0.0.1', 8080))
                c.send(b'x'); print(s.accept()[0].recv(1))
                try: socket.create_connection(('192.0.2.1', 80), 1)
                except OSError as e: print(e.errno)
                print(open('/proc/net/route').read().count('\\n'))
                """
            let output = try await node.run(["/usr/bin/python3", "-c", code])
            #expect(output.text == "['lo']\nb'x'\n101\n1\n", "\(output.errors)")
            // The same port next door is free: it is another network.
            #expect(try await node.run(["/usr/bin/python3", "-c", code]).text == output.text)
        }
    }

    @Test @LoopActor func nothingOfTheHostsEtcIsThere() async throws {
        try await withNode { node in
            let output = try await node.run(
                [
                    "/bin/sh", "-c",
                    "cd /etc; echo *; cat /etc/shadow; ls /root /home; ls /sys /boot; ls -d /lost+found",
                ])
            #expect(output.text == "group passwd\n/home:\n\n/root:\n", "\(output.text)")
            #expect(output.errors.contains("/etc/shadow"))
        }
    }

    /// Links to a place of the node's, and to a directory of the image itself: no link at all is followed.
    @Test(arguments: ["dev", "proc", "tmp", "usr", "opt/hearth/runtimes", "opt/hearth", "opt"], [true, false])
    @LoopActor func aLinkInPlaceOfAMountPointIsRefused(_ name: String, _ leadsOut: Bool) async throws {
        try await withNode { node in
            let root = node.directory + "/images/evil/rootfs"
            let canary = node.directory + "/canary"
            try Files.makeDirectories(canary + "/hearth/runtimes")
            try Files.makeDirectories(canary + "/runtimes")
            try TestNode.makeImage(root)
            try Files.removeTree(root + "/" + name)
            let up = String(repeating: "../", count: name.count { $0 == "/" })
            for inner in ["", "/hearth", "/hearth/runtimes", "/runtimes"] {
                try Files.makeDirectories(root + "/home" + inner)
            }
            #expect(symlink(leadsOut ? canary : up + "home", root + "/" + name) == 0)
            var refusal: SandboxError?
            do {
                let image = try await node.prepare("evil", host: true)
                let sandbox = try node.create { $0.image = image }
                refusal = try await sandbox.waitForEnd().failure
            } catch let error as SandboxError {
                refusal = error
            }
            guard case .failed(let error, let stage) = try #require(refusal) else {
                throw TestFailure("\(refusal as Any)")
            }
            #expect(error == .tooManySymbolicLinks || error == .notDirectory, "\(error)")
            // The stage names the place: those of the template, those of the sandbox.
            let expected = ["proc": "mounting /proc", "tmp": "mounting /tmp"][name] ?? "resolving a mount's target"
            #expect(stage.description == expected)
            #expect(try Files.list(canary) == ["hearth", "runtimes"])
            // The next image is not harmed.
            #expect(try await node.run(["/bin/true"]).exit == .status(0))
        }
    }
}
