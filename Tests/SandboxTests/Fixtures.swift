/// Programs that run inside.
enum Fixtures {
    /// Threads, processes, sockets, asynchronous I/O, SQLite, files, terminals: what handlers use of CPython.
    static let python = """
        import asyncio, concurrent.futures, ctypes, ctypes.util, hashlib, json, multiprocessing, os, pty, select, shutil, \\
            signal, socket, sqlite3, subprocess, tempfile, threading, time, mmap, fcntl, urllib.request, http.server
        n = 0
        def ok(x):
            global n
            assert x, n
            n += 1
        with concurrent.futures.ThreadPoolExecutor(4) as p: ok(sum(p.map(lambda x: x * x, range(100))) == 328350)
        with multiprocessing.get_context('fork').Pool(2) as p: ok(p.map(abs, [-1, -2]) == [1, 2])
        ok(subprocess.run(['/bin/echo', 'hi'], capture_output=True).stdout == b'hi\\n')
        ok(subprocess.run('cat | wc -c', shell=True, input=b'12345', stdout=-1).stdout.strip() == b'5')
        db = sqlite3.connect('/tmp/p.db'); db.execute('create table t(a)')
        db.executemany('insert into t values(?)', [(i,) for i in range(100)]); db.commit()
        ok(db.execute('select sum(a) from t').fetchone() == (4950,))
        class H(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(b'web')
            def log_message(self, *a): pass
        s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
        threading.Thread(target=s.serve_forever, daemon=True).start()
        ok(urllib.request.urlopen('http://127.0.0.1:%d/' % s.server_port).read() == b'web')
        async def a():
            proc = await asyncio.create_subprocess_exec('/bin/echo', 'x', stdout=-1)
            await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(50)))
            return (await proc.communicate())[0]
        ok(asyncio.run(a()) == b'x\\n')
        signal.signal(signal.SIGALRM, lambda *_: ok(True)); signal.setitimer(signal.ITIMER_REAL, 0.001); time.sleep(0.05)
        with tempfile.TemporaryDirectory() as d:
            shutil.copytree('/etc', d + '/e'); ok(os.path.exists(d + '/e/passwd'))
        m = mmap.mmap(-1, 4096); m[0] = 7; ok(m[0] == 7)
        a, b = socket.socketpair(); a.send(b'q'); ok(b.recv(1) == b'q')
        u = socket.socket(socket.AF_UNIX); u.bind('/tmp/u.sock'); u.listen(); ok(True)
        six = socket.socket(socket.AF_INET6); six.bind(('::1', 0)); ok(True)
        f = open('/tmp/l', 'w'); fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX); ok(True)
        r, w = os.pipe(); os.write(w, b'z'); ok(select.select([r], [], [], 1)[0] == [r])
        ok(ctypes.CDLL(None).getpid() == os.getpid())
        ok(multiprocessing.Lock().acquire())
        ok(len(os.urandom(16)) == 16 and len(os.sched_getaffinity(0)) > 0)
        ok(socket.if_nameindex() == [(1, 'lo')])
        ok(os.memfd_create('m') > 2 and os.eventfd(0) > 2)
        ok(os.pidfd_open(os.getpid()) > 2 and os.nice(1) >= 1)
        try: os.setxattr('/tmp/l', 'user.a', b'1')
        except OSError as e: ok(e.errno == 22)
        print('ok', n)
        """

    /// Calls by number (x86_64), each with the errno it must give.
    static let refusals = """
        import ctypes, errno, os, socket, sys
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            result = libc.syscall(number, *[ctypes.c_long(a) for a in arguments])
            return ctypes.get_errno() if result < 0 else 0
        bad = []
        def want(what, number, expected, *arguments):
            got = call(number, *arguments)
            if got != expected: bad.append((what, errno.errorcode.get(got, got)))
        for family in range(0, 64):
            got = call(41, family, 2, 0)
            fine = got != errno.EAFNOSUPPORT if family in (1, 2, 10, 16) else got == errno.EAFNOSUPPORT
            if not fine: bad.append(('socket', family, got))
        for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            want('clone', 56, errno.EPERM, flag | 17, 0, 0, 0, 0)
            want('unshare', 272, errno.EPERM, flag)
        want('clone3', 435, errno.ENOSYS, 0, 0)
        want('unshare time', 272, errno.EPERM, 0x80)
        pidfd = os.pidfd_open(os.getpid())
        want('setns', 308, errno.EPERM, pidfd, 0x10000000)
        for request in (0x5412, 0x541c, 0x5412 | 1 << 32):
            want('ioctl', 16, errno.EPERM, 0, request, 0)
        for number in (101, 165, 166, 155, 161, 246, 248, 249, 250, 298, 303, 304, 310, 311, 312, 321, 323, 425, 428, 429, 430,
                       438, 442, 164, 227, 305, 163, 179, 169, 167, 175, 313):
            want('call', number, errno.EPERM, 0, 0, 0, 0, 0, 0)
        for number in (206, 240, 253, 278, 294, 447, 451, 590):
            want('left out', number, errno.ENOSYS, 0, 0, 0, 0, 0, 0)
        child = os.fork()
        if child == 0: call(0x40000000 | 39); os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -31: bad.append('x32 lives')
        print('ok' if not bad else bad)
        """

    /// Timers, worker threads, child processes, files, sockets, WebAssembly, crypto.
    static let javaScript = """
        const fs = require('fs'), os = require('os'), cp = require('child_process'), http = require('http')
        const { Worker } = require('worker_threads'), crypto = require('crypto'), zlib = require('zlib'), dns = require('dns')
        let n = 0
        const ok = x => { if (!x) throw new Error('check ' + n); n++ }
        ;(async () => {
          ok(cp.execFileSync('/bin/echo', ['hi']).toString() == 'hi\\n')
          ok(await new Promise((y, z) => new Worker('require("worker_threads").parentPort.postMessage(6*7)', { eval: true })
            .on('message', y).on('error', z)) == 42)
          fs.writeFileSync('/tmp/f', 'x'.repeat(100000)); ok((await fs.promises.readFile('/tmp/f')).length == 100000)
          fs.copyFileSync('/tmp/f', '/tmp/g'); ok(fs.statSync('/tmp/g').size == 100000)
          ok(Object.keys(os.networkInterfaces()).join() == 'lo')
          const s = http.createServer((q, r) => r.end('web')).listen(0, '127.0.0.1')
          await new Promise(y => s.on('listening', y))
          ok(await (await fetch('http://127.0.0.1:' + s.address().port)).text() == 'web'); s.close()
          ok(zlib.gunzipSync(zlib.gzipSync('abc')) == 'abc')
          ok((await new Promise(y => crypto.pbkdf2('a', 'b', 1000, 8, 'sha256', (e, k) => y(k)))).length == 8)
          const wasm = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])); ok(wasm)
          console.log('ok', n); process.exit(0)
        })()
        """

    static let java = """
        import java.nio.file.*; import java.util.concurrent.*; import java.util.stream.*;
        public class Main {
            public static void main(String[] a) throws Exception {
                var pool = Executors.newFixedThreadPool(4);
                int sum = 0;
                for (var f : pool.invokeAll(IntStream.range(0, 100).mapToObj(i -> (Callable<Integer>) () -> i)
                        .collect(Collectors.toList()))) sum += f.get();
                pool.shutdown();
                Files.writeString(Path.of("/tmp/j"), "x");
                var p = new ProcessBuilder("/bin/cat", "/tmp/j").start();
                if (p.getInputStream().read() != 'x' || p.waitFor() != 0) throw new Exception("process");
                try (var s = new java.net.ServerSocket(0); var c = new java.net.Socket("127.0.0.1", s.getLocalPort());
                        var d = s.accept()) {
                    c.getOutputStream().write(5);
                    if (d.getInputStream().read() != 5) throw new Exception("socket");
                }
                System.gc();
                System.out.println("ok " + sum);
            }
        }
        """

    static let staticC = """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <spawn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/wait.h>
        #include <unistd.h>
        extern char **environ;
        static void *work(void *p) { char *m = malloc(1 << 20); memset(m, 1, 1 << 20); free(m); return p; }
        int main(void) {
            pthread_t t[40];
            long n = 0;
            for (int i = 0; i < 40; i++) if (pthread_create(&t[i], 0, work, (void *)1)) return 1;
            for (int i = 0; i < 40; i++) { void *r; pthread_join(t[i], &r); n += (long)r; }
            pid_t pid = fork();
            if (pid == 0) _exit(3);
            int status;
            if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 3) return 2;
            char *argv[] = {"/bin/true", 0};
            if (posix_spawn(&pid, argv[0], 0, 0, argv, environ) || waitpid(pid, &status, 0) != pid || status) return 3;
            printf("ok %ld\\n", n);
            return fclose(stdout);
        }
        """

    static let goStyle = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/futex.h>
        #include <sched.h>
        #include <signal.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/epoll.h>
        #include <sys/eventfd.h>
        #include <sys/mman.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        static int word, preempted;
        static void on_signal(int s, siginfo_t *i, void *c) { (void)s; (void)i; (void)c; preempted++; }
        static int thread(void *a) {
            (void)a;
            stack_t alternate = {.ss_sp = mmap(0, 32768, 3, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0), .ss_size = 32768};
            syscall(SYS_sigaltstack, &alternate, 0);
            uint64_t none = 0;
            syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
            syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGURG);
            __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
            syscall(SYS_exit, 0);
            return 0;
        }
        #define NEED(x) do { if (!(x)) { dprintf(2, "line %d errno %d\\n", __LINE__, errno); return 1; } } while (0)
        int main(void) {
            unsigned char set[512];
            NEED(syscall(SYS_sched_getaffinity, 0, sizeof set, set) > 0);
            syscall(SYS_openat, AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", O_RDONLY);
            char *arena = mmap((void *)0xc000000000, 64 << 20, PROT_NONE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
            NEED(arena != MAP_FAILED);
            NEED(mmap(arena, 4 << 20, 3, MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE, -1, 0) == arena);
            NEED(madvise(arena, 4 << 20, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
            memset(arena, 1, 1 << 20);
            NEED(madvise(arena, 1 << 20, MADV_DONTNEED) == 0 && arena[0] == 0);
            prctl(0x53564d41, 0, arena, 4 << 20, "Go: heap");
            for (int s = 1; s < 65; s++) {
                struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
                if (s != SIGKILL && s != SIGSTOP && s != 32 && s != 33) sigaction(s, &action, 0);
            }
            char *stack = mmap(0, 65536, 3, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
            // CLONE_VM | FS | FILES | SIGHAND | SYSVSEM | THREAD: cloneFlags of Go's runtime/os_linux.go.
            NEED(clone(thread, stack + 65536, 0x50f00, 0) > 0);
            while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
            NEED(preempted == 1);
            int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            struct epoll_event event = {.events = EPOLLIN};
            NEED(ep >= 0 && ev >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event) == 0);
            uint64_t one = 1;
            NEED(write(ev, &one, 8) == 8 && syscall(SYS_epoll_pwait, ep, &event, 1, 1000, 0, 8) == 1);
            int p[2];
            NEED(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
            timer_t timer;
            struct sigevent e = {.sigev_notify = SIGEV_NONE};
            NEED(timer_create(CLOCK_THREAD_CPUTIME_ID, &e, &timer) == 0);
            char random[8];
            NEED(syscall(SYS_getrandom, random, 8, 0) == 8);
            NEED(syscall(SYS_clone3, 0, 0) == -1 && errno == ENOSYS);
            NEED(write(1, "ok\\n", 3) == 3);
            syscall(SYS_exit_group, 0);
        }
        """
}
