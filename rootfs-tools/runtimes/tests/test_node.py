"""The node runtime against protocol/FUNCTION.md."""

import json
import os
import signal
import time
import unittest

import support
from agent import CHUNK, ERROR, INIT, INVOKE, RESULT, SHUTDOWN, init_body, invoke_body


@unittest.skipUnless(support.node_argv(), "no node on this machine")
class NodeCase(support.RuntimeCase):
    default_file = "app.js"
    argv = support.node_argv()


class Loading(NodeCase):
    def test_hello_names_runtime_and_version(self):
        hello = self.spawn().hello()
        self.assertEqual((hello["protocol"], hello["runtime"]), (1, "node"))
        self.assertRegex(hello["version"], r"^\d+\.\d+\.\d+$")

    def test_end_of_stream_and_shutdown_exit_0(self):
        for step in ("close", "shutdown"):
            for timer in ("", "setInterval(() => {}, 1000);"):
                function = self.load(timer + "exports.handler = async () => 1;")
                self.assertEqual(function.result(), 1)
                if step == "close":
                    function.socket.shutdown(1)
                else:
                    function.send(SHUTDOWN)
                self.assertEqual(function.ended(), 0)
        parked = self.spawn()
        parked.hello()
        parked.socket.close()
        self.assertEqual(parked.wait(), 0)

    def test_code_may_appear_between_hello_and_init(self):
        function = self.spawn()
        function.hello()
        self.write("late.js", "exports.handler = () => 'late';")
        self.assertIsNone(function.init(self.code, "late.handler"))
        self.assertEqual(function.result(), "late")

    def test_commonjs_and_es_modules(self):
        cases = [
            ("app.js", "exports.handler = async (event) => event;", "app.handler", {}),
            ("app.cjs", "exports.handler = async (event) => event;", "app.handler", {}),
            ("app.mjs", "export const handler = async (event) => event;", "app.handler", {}),
            ("app.mjs", "await null; export default { handler: (event) => event };", "app.handler", {}),
            ("app.js", "export const handler = (event) => event;", "app.handler", {"type": "module"}),
            ("app.js", "exports.handler = (event) => event;", "app.handler", {"type": "commonjs"}),
            ("dir/app.mjs", "export const handler = (event) => event;", "dir/app.handler", {}),
            ("dir/app.js", "export const handler = (event) => event;", "dir/app.handler", {"type": "module"}),
            ("app.js", "exports.deep = { er: { handler: (event) => event } };", "app.deep.er.handler", {}),
            ("app/index.js", "exports.handler = (event) => event;", "app.handler", {}),
        ]
        for file, text, handler, manifest in cases:
            self.setUp()
            if manifest:
                self.write("package.json", json.dumps(manifest))
            function = self.load(text, handler, file=file)
            self.assertEqual(function.result({"a": 1}), {"a": 1}, (file, handler))

    def test_a_dependency_that_is_an_es_module_only(self):
        self.write("node_modules/only/package.json", '{"name": "only", "type": "module", "exports": "./index.js"}')
        self.write("node_modules/only/index.js", "export const answer = 42;")
        function = self.load("exports.handler = async () => (await import('only')).answer;")
        self.assertEqual(function.result(), 42)

    def test_environment_and_directory_are_set_before_the_code_runs(self):
        text = "const seen = [process.env.COLOUR, process.cwd(), new Date(0).getHours()]; exports.handler = () => seen;"
        function = self.load(text, env={"COLOUR": "grün", "TZ": "Etc/GMT-5"})
        self.assertEqual(function.result(), ["grün", os.path.realpath(self.code), 5])

    def test_node_path_of_the_environment_holds(self):
        self.write("lib/helper.js", "exports.answer = 42;")
        text = "const helper = require('helper'); exports.handler = () => helper.answer;"
        self.assertEqual(self.load(text, env={"NODE_PATH": os.path.join(self.code, "lib")}).result(), 42)

    def test_what_cannot_be_loaded_says_why(self):
        cases = [
            ("require('./nothere');", "app.handler", "Runtime.ImportModuleError", "nothere"),
            ("", "other.handler", "Runtime.ImportModuleError", "app.js"),
            ("exports.handler = () => {", "app.handler", "Runtime.UserCodeSyntaxError", "app.js, line 1"),
            ("exports.handle = () => 1; exports.limit = 3;", "app.handler", "Runtime.HandlerNotFound", "handle"),
            ("exports.handler = 3;", "app.handler", "Runtime.HandlerNotFound", "none"),
            ("module.exports = null;", "app.handler", "Runtime.HandlerNotFound", "none"),
            ("", "handler", "Runtime.MalformedHandlerName", "app.handler"),
            ("", "../app.handler", "Runtime.MalformedHandlerName", "app.handler"),
            ("throw new RangeError('no database');", "app.handler", "RangeError", "no database"),
            ("throw 'text';", "app.handler", "string", "text"),
            ("Promise.reject(new Error('early'));", "app.handler", "Runtime.HandlerNotFound", "none"),
            ("process.exit(4);", "app.handler", "Runtime.ExitError", "4"),
        ]
        for text, handler, kind, word in cases:
            process, failure = self.attempt(text, handler)
            self.assertEqual(failure["type"], kind, text)
            self.assertIn(word, failure["message"], text)
            self.assertFalse([line for line in failure["trace"] if "runtimes/node" in line or "node:" in line], failure)
            self.assertEqual(process.ended(), 4 if "exit" in text else 1)

    def test_what_es_modules_cannot_load_says_why(self):
        cases = [
            ("import './nothere.mjs';", "Runtime.ImportModuleError", "nothere"),
            ("import nothing from 'nothere';", "Runtime.ImportModuleError", "nothere"),
            ("export const handler = () => {", "Runtime.UserCodeSyntaxError", ""),
            ("export const handle = () => 1;", "Runtime.HandlerNotFound", "handle"),
            ("await new Promise(() => {}); export const handler = () => 1;", "Runtime.NeverSettled", "never"),
            ("throw new RangeError('no database');", "RangeError", "no database"),
        ]
        for text, kind, word in cases:
            process, failure = self.attempt(text, file="app.mjs")
            self.assertEqual(failure["type"], kind, text)
            self.assertIn(word, failure["message"], text)
            self.assertEqual(process.ended(), 1)

    def test_a_rejection_or_an_error_while_loading_is_an_init_error(self):
        handler = "exports.handler = () => 1;"
        for text, kind in [
            ("Promise.reject(new Error('early'));", "Runtime.UnhandledPromiseRejection"),
            ("process.nextTick(() => { throw new RangeError('early') });", "RangeError"),
        ]:
            process, failure = self.attempt(text + handler)
            self.assertEqual(failure["type"], kind)
            self.assertIn("early", failure["message"])
            self.assertEqual(process.ended(), 1)

    def test_bad_init_is_refused_by_name(self):
        for change, kind, word in [
            ({"code": "/nonexistent/hearth"}, "Runtime.InvalidInit", "/nonexistent/hearth"),
            ({"handler": ""}, "Runtime.InvalidInit", "handler"),
            ({"memory_bytes": "much"}, "Runtime.InvalidInit", "memory_bytes"),
            ({"env": {"A=B": "x"}}, "Runtime.InvalidInit", "A=B"),
            ({"env": {"A": 1}}, "Runtime.InvalidInit", '"A"'),
            ({"protocol": 2}, "Runtime.UnsupportedProtocol", "2"),
        ]:
            function = self.spawn()
            function.hello()
            fields = {**json.loads(init_body(self.code, "app.handler")), **change}
            function.send(INIT, 0, json.dumps(fields).encode())
            failure = json.loads(function.receive()[2])
            self.assertEqual(failure["type"], kind, change)
            self.assertIn(word, failure["message"])
            self.assertEqual(function.ended(), 1)

    def test_preloads(self):
        self.write("app.js", "exports.handler = () => 1;")
        function = self.spawn(env={"HEARTH_PRELOAD": "http, nothere"})
        function.hello()
        self.assertIn("nothere", function.drain("err").decode())
        self.assertIsNone(function.init(self.code, "app.handler"))
        self.assertEqual(function.result(), 1)


class Invoking(NodeCase):
    def test_context(self):
        text = """
            exports.handler = (event, context) => [context.functionName, context.awsRequestId, context.memoryLimitInMB,
              context.user, context.session, context.event, context.getRemainingTimeInMillis(),
              context.functionVersion];
        """
        function = self.load(text)
        values = function.result(None, remaining_ns=2_000_000_000, request_id="id-7", user="ada", session="s1")
        self.assertEqual(values[:6], ["test", "id-7", 128, "ada", "s1", "invoke"])
        self.assertTrue(1500 < values[6] <= 2000, values)
        self.assertEqual(function.result()[6], (1 << 53) - 1)

    def test_event_is_json_text_bytes_or_nothing(self):
        text = """
            exports.handler = (event, context) =>
              [event === null ? 'null' : Buffer.isBuffer(event) ? 'buffer' : typeof event, context.payload.length];
        """
        function = self.load(text)
        for payload, kind in [
            (b"", "null"), (b"null", "null"), (b' {"a": 1} ', "object"), (b"[1]", "object"), (b"1.5", "number"),
            (b'"x"', "string"), (b"hello world", "string"), (b"[1, 2", "string"), (b"1 2", "string"),
            ("grün".encode(), "string"), (b"\xff\xfe\x00", "buffer"), (b"   ", "string"),
        ]:  # fmt: skip
            self.assertEqual(json.loads(function.invoke(payload)[1]), [kind, len(payload)], payload)

    def test_results_as_json_and_as_bytes(self):
        function = self.load("exports.handler = (event) => eval(event);")
        for source, body in [
            ("undefined", b"null"), ("(() => 1)", b"null"), ("Buffer.from('raw')", b"raw"), ("'é'", '"é"'.encode()),
            ("new Uint8Array([1, 2])", b"\1\2"), ("new Uint16Array([0x0201]).buffer", b"\1\2"),
            ("({a: [1, true]})", b'{"a":[1,true]}'), ("Promise.resolve(5)", b"5"),
            ("new Map([[1, 2]])", b"{}"), ("[1, [2]]", b"[1,[2]]"), ("NaN", b"null"),
        ]:  # fmt: skip
            self.assertEqual(function.invoke(source.encode()), (RESULT, body, []), source)

    def test_results_that_are_not_json_say_so(self):
        function = self.load("exports.handler = (event) => eval(event);")
        for source, word in [
            ("10n", "BigInt"), ("(() => { const a = []; a.push(a); return a })()", "circular"),
            ("({ toJSON() { throw new Error('no') } })", "no"),
        ]:  # fmt: skip
            error = json.loads(function.invoke(source.encode())[1])
            self.assertEqual(error["type"], "Runtime.MarshalError", source)
            self.assertIn(word, error["message"])
        self.assertEqual(function.invoke(b"1 + 1")[1], b"2")

    def test_callbacks(self):
        text = """
            exports.handler = (event, context, callback) => {
              if (event === 'later') setTimeout(callback, 5, null, 'later');
              else if (event === 'error') setImmediate(() => callback(new TypeError('called back')));
              else if (event === 'twice') { callback(null, 1); callback(null, 2); }
              else callback(null, event);
            };
        """
        function = self.load(text)
        self.assertEqual(function.result("now"), "now")
        self.assertEqual(function.result("later"), "later")
        self.assertEqual(function.result("twice"), 1)
        self.assertEqual(function.error("error")["type"], "TypeError")
        self.assertEqual(function.result("again"), "again")

    def test_an_invocation_that_can_never_end_is_told_at_once(self):
        text = """
            exports.handler = (event, context, callback) => {
              if (event === 'promise') return new Promise(() => {});
              if (event === 'fine') callback(null, event);
            };
        """
        function = self.load(text)
        for event in ("promise", "callback"):
            self.assertEqual(function.error(event)["type"], "Runtime.NeverSettled")
            self.assertEqual(function.result("fine"), "fine")

    def test_a_result_over_the_limit(self):
        function = self.load("exports.handler = (event) => Buffer.alloc(event);", max_result_bytes=1000)
        self.assertEqual(len(function.invoke(b"1000")[1]), 1000)
        error = function.error(1001)
        self.assertEqual(error["type"], "Function.ResponseSizeTooLarge")
        self.assertIn("1001", error["message"])
        self.assertEqual(len(function.invoke(b"10")[1]), 10)

    def test_large_payloads_and_results(self):
        for timer in ("", "setInterval(() => {}, 1000);"):
            function = self.load(
                timer + "exports.handler = async (e, context) => Buffer.from(context.payload).reverse();"
            )
            for size in (65_536, 300_000, 5_000_000):
                payload = os.urandom(size)
                self.assertEqual(function.invoke(payload)[1], payload[::-1])

    def test_exceptions_have_type_message_and_the_users_trace(self):
        text = """
            class Denied extends Error {}
            function check(user) { throw new Denied(`${user} may not`, { cause: new RangeError('deeper') }); }
            exports.handler = async (event) => {
              if (event === 'string') throw 'just text';
              if (event === 'object') throw { code: 7 };
              if (event === 'nothing') throw undefined;
              if (event === 'many') throw new AggregateError([new Error('one'), new Error('two')], 'both');
              if (event === 'named') { const e = new Error('x'); e.name = 'Named'; throw e; }
              check('ada');
            };
        """
        function = self.load(text)
        error = function.error()
        self.assertEqual((error["type"], error["message"]), ("Denied", "ada may not"))
        self.assertNotIn("fatal", error)
        trace = "\n".join(error["trace"])
        self.assertIn("app.js:3", trace)
        self.assertIn("[cause]: RangeError: deeper", trace)
        self.assertNotIn("bootstrap.cjs", trace)
        self.assertEqual(function.error("string")["message"], "just text")
        self.assertEqual(function.error("object")["message"], '{"code":7}')
        self.assertEqual(function.error("nothing")["type"], "undefined")
        self.assertEqual(function.error("named")["type"], "Named")
        self.assertIn("[error 2]: Error: two", "\n".join(function.error("many")["trace"]))

    def test_exceptions_that_resist_being_shown(self):
        text = """
            exports.handler = (event) => {
              if (event === 'long') throw new Error('x'.repeat(10_000_000));
              if (event === 'wide') throw new Error(('é'.repeat(300) + '\\n').repeat(5000));
              if (event === 'loop') { const e = new Error('a'); e.cause = e; throw e; }
              if (event === 'getter') throw { get message() { throw 1 }, toJSON() { throw 2 } };
              if (event === 'proxy') throw new Proxy({}, { get() { throw new Error('no') } });
              if (event === 'deep') { let e; for (let i = 0; i < 3000; i++) e = new Error(i, { cause: e }); throw e; }
              const dig = (n) => dig(n + 1);
              dig(0);
            };
        """
        function = self.load(text)
        for event in ("long", "wide", "loop", "getter", "proxy", "deep"):
            kind, body, _ = function.invoke(json.dumps(event).encode())
            self.assertEqual(kind, ERROR, event)
            self.assertLessEqual(len(body), 65536)
        self.assertEqual(function.error("recursion")["type"], "RangeError")

    def test_unhandled_errors_are_told_and_then_the_process_ends(self):
        text = """
            exports.handler = (event, context, callback) => {
              if (event === 'rejection') { Promise.reject(new Error('forgotten')); return new Promise(() => {}); }
              if (event === 'answered') { Promise.reject(new Error('forgotten')); return 1; }
              if (event === 'timer') setTimeout(() => { throw new RangeError('thrown later') }, 1);
              if (event === 'tick') process.nextTick(() => { throw new RangeError('thrown later') });
            };
        """
        for event, kind, word in [
            ("rejection", "Runtime.UnhandledPromiseRejection", "forgotten"),
            ("answered", "Runtime.UnhandledPromiseRejection", "forgotten"),
            ("timer", "RangeError", "thrown later"),
            ("tick", "RangeError", "thrown later"),
        ]:
            function = self.load(text)
            error = function.error(event)
            self.assertEqual((error["type"], error["fatal"]), (kind, True), event)
            self.assertIn(word, error["message"])
            self.assertEqual(function.ended(), 1)

    def test_a_listener_of_the_users_own_is_respected(self):
        text = """
            process.on('unhandledRejection', () => {});
            exports.handler = async () => { Promise.reject(new Error('known')); return 'fine'; };
        """
        function = self.load(text)
        self.assertEqual([function.result(), function.result()], ["fine", "fine"])

    def test_errors_between_invocations_go_to_stderr_and_end_the_process(self):
        text = "exports.handler = async () => { setTimeout(() => { throw new Error('later') }, 30); return 1; };"
        function = self.load(text)
        self.assertEqual(function.result(), 1)
        self.assertEqual(function.ended(), 1)
        self.assertIn("later", function.take_logs()[1])

    def test_leaving_from_a_handler(self):
        text = """
            process.on('exit', () => console.log('bye'));
            exports.handler = async (event) => {
              if (event === 'kill') process.kill(process.pid, 'SIGKILL');
              if (event === 'abort') process.abort();
              process.exit(event);
            };
        """
        for status in (0, 3):
            function = self.load(text)
            error = function.error(status)
            self.assertEqual((error["type"], error["fatal"]), ("Runtime.ExitError", True))
            self.assertIn(str(status), error["message"])
            self.assertEqual(function.ended(), status)
            self.assertIn("bye\n", function.take_logs()[0])
        for event, number in (("kill", signal.SIGKILL), ("abort", signal.SIGABRT)):
            function = self.load(text)
            function.send(INVOKE, 1, invoke_body(json.dumps(event).encode()))
            self.assertEqual(function.ended(), -number)

    def test_warmup_event(self):
        both = "exports.warmup = async (e, context) => ['warm', context.event]; exports.handler = async () => 'hot';"
        self.assertEqual(self.load(both).result(None, event="warmup"), ["warm", "warmup"])
        self.assertEqual(self.load(both).result(), "hot")
        self.assertEqual(self.load("exports.handler = (event) => event;").result(5, event="warmup"), 5)


class Streaming(NodeCase):
    def test_generators_readables_and_web_streams(self):
        text = """
            const { Readable } = require('stream');
            async function* pieces() {
              yield Buffer.from('bytes'); yield 'täxt'; yield { a: 1 }; yield ''; yield Buffer.alloc(70000, 'x');
            }
            exports.handler = (event) => {
              if (event === 'sync') return (function* () { yield 'a'; yield 'b'; })();
              if (event === 'readable') return Readable.from([Buffer.from('one'), Buffer.from('two')]);
              if (event === 'web') return new Blob(['web']).stream();
              return pieces();
            };
        """
        function = self.load(text)
        kind, body, chunks = function.invoke(b'"async"')
        self.assertEqual((kind, body), (RESULT, b""))
        self.assertEqual([len(chunk) for chunk in chunks], [5, 5, 8, 65536, 70_000 - 65536])
        self.assertEqual(b"".join(chunks)[:18], b"bytes" + "täxt".encode() + b'{"a":1}\n')
        self.assertEqual(function.invoke(b'"sync"')[2], [b"a", b"b"])
        self.assertEqual(function.invoke(b'"readable"')[2], [b"one", b"two"])
        self.assertEqual(function.invoke(b'"web"')[2], [b"web"])

    def test_pieces_arrive_while_the_handler_runs(self):
        text = """
            exports.handler = async function* () { yield 'first'; await new Promise((r) => setTimeout(r, 30000)); };
        """
        function = self.load(text)
        function.send(INVOKE, 1, invoke_body())
        self.assertEqual(function.receive(10), (CHUNK, 1, b"first"))

    def test_an_exception_and_the_limit_end_a_stream_and_close_it(self):
        text = """
            const closed = [];
            async function* stream(event) {
              try {
                yield 'x'.repeat(400);
                if (event === 'fail') throw new TypeError('middle');
                for (;;) yield 'x'.repeat(400);
              } finally { closed.push(event); }
            }
            exports.handler = async (event) => (event === 'closed' ? closed : stream(event));
        """
        function = self.load(text, max_result_bytes=1000)
        kind, body, chunks = function.invoke(b'"fail"')
        self.assertEqual((kind, json.loads(body)["type"], len(chunks)), (ERROR, "TypeError", 1))
        kind, body, chunks = function.invoke(b'"long"')
        self.assertEqual((kind, json.loads(body)["type"], len(chunks)), (ERROR, "Function.ResponseSizeTooLarge", 2))
        self.assertEqual(function.result("closed"), ["fail", "long"])

    def test_a_long_stream_to_a_slow_agent(self):
        for timer in ("", "setInterval(() => {}, 1000);"):
            stream = "async function* () { for (let i = 0; i < 200; i++) yield Buffer.alloc(50000, i); }"
            function = self.load(f"{timer} exports.handler = {stream};")
            function.send(INVOKE, 1, invoke_body())
            time.sleep(0.2)
            function.invocation = 1
            kind, _, chunks = function.outcome()
            self.assertEqual((kind, sum(map(len, chunks))), (RESULT, 10_000_000))
            self.assertEqual([chunk[0] for chunk in chunks], list(range(200)))


class Logs(NodeCase):
    def test_logs_are_cut_at_the_answer(self):
        text = """
            exports.handler = async (event) => {
              console.log('out %d', event, { a: 1 });
              console.error('err', event);
              process.stdout.write('raw\\n');
              console.table([{ a: 1 }]);
              if (event === 2) throw new Error('no');
            };
        """
        function = self.load(text)
        for event in (1, 2, 3):
            function.invoke(str(event).encode())
            out, err = function.take_logs()
            self.assertEqual(out.splitlines()[:2], [f"out {event} {{ a: 1 }}", "raw"])
            self.assertIn("(index)", out)
            self.assertEqual(err, f"err {event}\n")

    def test_a_flood_is_written_out_before_the_answer(self):
        text = """
            exports.handler = async (event) => {
              const line = 'x'.repeat(99) + '\\n';
              if (event === 'console') for (let i = 0; i < 20000; i++) console.log('x'.repeat(99));
              if (event === 'stdout') for (let i = 0; i < 20000; i++) process.stdout.write(line);
              if (event === 'exit') { process.stdout.write(line.repeat(20000)); process.exit(0); }
            };
        """
        function = self.load(text)
        for event in ("console", "stdout", "exit"):
            function.invoke(json.dumps(event).encode())
            self.assertEqual(len(function.take_logs()[0]), 2_000_000, event)

    def test_nobody_reads_the_logs(self):
        function = self.load("exports.handler = async (event) => { console.log('x'); return event; };")
        os.close(function.pipes.pop("out"))
        self.assertEqual(function.result(1), 1)


class Lasting(NodeCase):
    def test_timers_run_between_invocations(self):
        text = """
            let ticks = 0;
            setInterval(() => ticks++, 5);
            exports.handler = async () => ticks;
        """
        function = self.load(text)
        before = function.result()
        time.sleep(0.3)
        self.assertGreater(function.result(), before + 10)

    def test_work_left_behind_by_a_handler_goes_on(self):
        text = """
            let done = false;
            exports.handler = async () => { setTimeout(() => { done = true; }, 20); return done; };
        """
        function = self.load(text)
        self.assertFalse(function.result())
        time.sleep(0.2)
        self.assertTrue(function.result())

    def test_servers_and_connections_live_on(self):
        text = """
            const http = require('http');
            let port;
            const server = http.createServer((request, response) => response.end('served')).listen(0, '127.0.0.1');
            const agent = new http.Agent({ keepAlive: true });
            exports.handler = (event, context, callback) => {
              http.get({ port: server.address().port, host: '127.0.0.1', agent }, (response) => {
                let text = '';
                response.on('data', (data) => { text += data; });
                response.on('end', () => callback(null, text));
              }).on('error', callback);
            };
        """
        function = self.load(text)
        for _ in range(20):
            self.assertEqual(function.result(), "served")

    def test_children_do_not_hold_the_channel(self):
        text = """
            const { spawn } = require('child_process');
            exports.handler = async () => {
              const child = spawn('/bin/sleep', ['3'], { detached: true, stdio: 'ignore' });
              child.unref();
              return require('fs').readdirSync(`/proc/${child.pid}/fd`);
            };
        """
        function = self.load(text)
        function.result()
        function.send(SHUTDOWN)
        self.assertEqual(function.ended(), 0)

    def test_closing_fd_3_ends_the_stream(self):
        function = self.load("exports.handler = async () => { require('fs').closeSync(3); return 1; };")
        function.send(INVOKE, 1, invoke_body())
        self.assertEqual(function.ended(), 74)

    def test_ten_thousand_invocations_with_errors_and_streams(self):
        text = """
            exports.handler = async (event) => {
              if (event.n % 100 === 7) throw new Error(event.n);
              if (event.n % 100 === 8) return (function* () { yield 'a'; yield 'b'; })();
              return event;
            };
        """
        function = self.load(text)
        for number in range(10_000):
            function.invoke(b'{"n": %d, "fill": "%s"}' % (number, b"x" * (number % 3000)))
            if number == 5_000:
                descriptors = len(os.listdir(f"/proc/{function.pid}/fd"))
                before = function.resident_kib()
        self.assertLessEqual(function.resident_kib(), before + 16_384)
        self.assertEqual(len(os.listdir(f"/proc/{function.pid}/fd")), descriptors)
