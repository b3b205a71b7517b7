import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// Real programs under rootfs-tools/seccomp/default.profile, in a real sandbox.
    @Suite(.serialized) struct Programs {
        @LoopActor
        private func check(
            _ argv: [String], input: String = "", node: TestNode, within seconds: Double = 30, prints expected: String
        ) async throws {
            let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile())
            let sandbox = try node.create { $0.limits.memory = 1 << 30 }
            let output = try await sandbox.run(
                argv,
                {
                    $0.filter = filter; $0.directory = "/tmp"
                }, input: input, within: seconds)
            #expect(output.exit == .status(0), "\(argv.prefix(2)): \(output.errors)")
            #expect(output.text == expected, "\(argv.prefix(2)): \(output.errors)")
            try await sandbox.end()
        }

        @Test @LoopActor func shellAndCoreutils() async throws {
            try await withNode { node in
                let script = """
                    set -e
                    mkdir -p a/b; printf 'c\\nb\\na\\nb\\n' > a/b/t; cp -a a x; ln -s x/b l; ln l/t hard
                    sort l/t | uniq -c | tr -s ' ' | tee out | wc -l
                    mkfifo p; (echo through > p &); cat p
                    tail -n 1 out; head -c 3 /dev/zero | od -An -tx1; stat -c %a a; mv out out2; touch -d @0 out2
                    date -u -r out2 +%Y; find . -type f | sort | tr '\\n' ' '; echo; rm -r a x; sleep 0.01
                    seq 1 100000 | tail -n 1; echo "$(id -u):$(id -g)"; timeout 5 true; nice -n 3 nproc --all > n
                    tar cf t.tar hard; tar tf t.tar; sha256sum < /dev/null | cut -c1-8; dd if=/dev/zero of=z bs=1k count=4 2>/dev/null
                    ls -l z | cut -d' ' -f5; (exit 7) || echo $?; kill -0 $$; trap 'echo term' TERM; kill $$; env -i /bin/sh -c 'echo sub'
                    """
                let expected = """
                    3
                    through
                     1 c
                     00 00 00
                    755
                    1970
                    ./a/b/t ./hard ./out2 ./x/b/t 
                    100000
                    1000:1000
                    hard
                    e3b0c442
                    4096
                    7
                    term
                    sub

                    """
                try await check(["/bin/sh", "-c", script], node: node, prints: expected)
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/bash"), "skipped: no bash")) @LoopActor
        func bash() async throws {
            try await withNode { node in
                let script =
                    "diff <(echo a) <(echo a) && coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} y; echo $y"
                try await check(["/usr/bin/bash", "-c", script], node: node, prints: "x\n")
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/python3"), "skipped: no python3")) @LoopActor
        func python() async throws {
            try await withNode { node in
                try await check(["/usr/bin/python3", "-c", Fixtures.python], node: node, prints: "ok 22\n")
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/node"), "skipped: no node")) @LoopActor
        func nodeJS() async throws {
            try await withNode { node in
                try await check(["/usr/bin/node", "-e", Fixtures.javaScript], node: node, prints: "ok 9\n")
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/java"), "skipped: no java")) @LoopActor
        func java() async throws {
            try await withNode { node in
                // Debian keeps a JVM's configuration in /etc, where its own links lead.
                guard let real = realpath("/usr/bin/java", nil) else { throw Errno.current }
                defer { free(real) }
                let etc = node.directory + "/images/host/rootfs/etc"
                for name in try Files.list("/etc") where name.hasPrefix("java-") {
                    _ = try await Self.host(["/bin/cp", "-rL", "/etc/" + name, etc])
                }
                let code = node.directory + "/code/java"
                try Files.makeDirectories(code)
                try Files.write(Array(Fixtures.java.utf8), to: code + "/Main.java")
                let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile())
                let sandbox = try node.create { $0.limits.memory = 2 << 30 }
                try sandbox.sandbox.bind(try await node.code("java"), at: "/var/task")
                // A source file is compiled in memory and run: the compiler runs under the profile as well.
                let output = try await sandbox.run(
                    [String(cString: real), "-XX:+UseSerialGC", "/var/task/Main.java"],
                    {
                        $0.filter = filter; $0.directory = "/tmp"
                    }, within: 50)
                #expect(output.exit == .status(0), "\(output.errors)")
                #expect(output.text == "ok 4950\n", "\(output.errors)")
                try await sandbox.end()
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/sqlite3"), "skipped: no sqlite3")) @LoopActor
        func sqlite() async throws {
            try await withNode { node in
                let statements = """
                    pragma journal_mode=wal;
                    create table t(a integer primary key, b text);
                    with recursive n(i) as (select 1 union all select i+1 from n where i<1000)
                        insert into t select i, 'row ' || i from n;
                    create index i on t(b);
                    select count(*), sum(a) from t; vacuum; pragma integrity_check;
                    """
                try await check(
                    ["/usr/bin/sqlite3", "/tmp/d.db"], input: statements, node: node, prints: "wal\n1000|500500\nok\n")
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/git"), "skipped: no git")) @LoopActor
        func git() async throws {
            try await withNode { node in
                let script = """
                    set -e; git init -q r; cd r; git config user.email a@b; git config user.name n
                    for i in 1 2 3; do echo $i > f$i; git add .; git commit -qm $i; done
                    git gc -q; git checkout -qb side HEAD~1; git merge -q - ; git log --oneline | wc -l; git fsck 2>&1; cd ..
                    git clone -q r s; git -C s status --porcelain | wc -l
                    """
                try await check(["/bin/sh", "-c", script], node: node, prints: "3\n0\n")
            }
        }

        /// A static binary in the manner of Go's runtime: threads by raw clone with Go's flags, futexes, signals on an
        /// alternate stack, preemption by tgkill, an epoll loop with an eventfd, reserved and then committed memory.
        @Test(.enabled(if: Files.exists("/usr/bin/gcc"), "skipped: no gcc")) @LoopActor
        func staticBinaryInTheMannerOfGo() async throws {
            try await compiled(Fixtures.goStyle, prints: "ok\n")
        }

        @Test(.enabled(if: Files.exists("/usr/bin/gcc"), "skipped: no gcc")) @LoopActor
        func staticBinary() async throws {
            try await compiled(Fixtures.staticC, prints: "ok 40\n")
        }

        /// The kernel enforces what the program says: the calls themselves, made from inside.
        @Test(.enabled(if: Files.exists("/usr/bin/python3"), "skipped: no python3")) @LoopActor
        func theKernelRefusesWhatTheProfileRefuses() async throws {
            try await withNode { node in
                try await check(["/usr/bin/python3", "-c", Fixtures.refusals], node: node, prints: "ok\n")
            }
        }

        @LoopActor
        private func compiled(_ source: String, prints expected: String) async throws {
            try await withNode { node in
                let code = node.directory + "/code/c"
                try Files.makeDirectories(code)
                try Files.write(Array(source.utf8), to: node.directory + "/main.c")
                let compiler = [
                    "/usr/bin/gcc", "-O1", "-static", "-pthread", "-o", code + "/main", node.directory + "/main.c",
                ]
                #expect(try await Self.host(compiler) == .status(0))
                let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile())
                let sandbox = try node.create()
                try sandbox.sandbox.bind(try await node.code("c"), at: "/var/task")
                let output = try await sandbox.run(
                    ["/var/task/main"],
                    {
                        $0.filter = filter; $0.directory = "/tmp"
                    })
                #expect(output.exit == .status(0), "\(output.errors)")
                #expect(output.text == expected, "\(output.errors)")
                try await sandbox.end()
            }
        }

        /// Runs a program of the node itself.
        @LoopActor
        static func host(_ argv: [String]) async throws -> Linux.Process.Exit {
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let process = try Linux.Process.spawn(
                argv, environment: ["PATH=/usr/bin:/bin"], descriptors: [null.rawValue, null.rawValue, 2])
            while true {
                if let exit = try process.reap() { return exit }
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}
