"""The python runtime against protocol/FUNCTION.md. HEARTH_TEST_PYTHONS adds interpreters to the default one."""

import json
import os
import resource
import signal
import time
import unittest

import support
from agent import CHUNK, ERROR, INIT, INVOKE, RESULT, SHUTDOWN, init_body, invoke_body


class PythonCase(support.RuntimeCase):
    default_file = "app.py"
    argv = support.python_argv(support.python_interpreters()[0])


class Loading(PythonCase):
    def test_hello_names_runtime_and_version(self):
        hello = self.spawn().hello()
        self.assertEqual((hello["protocol"], hello["runtime"]), (1, "python"))
        self.assertRegex(hello["version"], r"^3\.\d+\.\d+$")

    def test_ready_then_invoke_then_shutdown(self):
        function = self.load("def handler(event, context): return {'got': event}")
        self.assertEqual(function.result({"a": [1, None, 2.5, "é"]}), {"got": {"a": [1, None, 2.5, "é"]}})
        function.send(SHUTDOWN)
        self.assertEqual(function.ended(), 0)

    def test_end_of_stream_before_and_after_init_exits_0(self):
        first = self.spawn()
        first.hello()
        first.socket.close()
        self.assertEqual(first.wait(), 0)
        second = self.load("def handler(event, context): pass")
        second.socket.close()
        self.assertEqual(second.wait(), 0)

    def test_shutdown_before_init_exits_0(self):
        function = self.spawn()
        function.hello()
        function.send(SHUTDOWN)
        self.assertEqual(function.ended(), 0)

    def test_code_may_appear_between_hello_and_init(self):
        function = self.spawn()
        function.hello()
        self.write("late.py", "def handler(event, context): return 'late'")
        self.assertIsNone(function.init(self.code, "late.handler"))
        self.assertEqual(function.result(), "late")

    def test_handler_in_a_package_and_in_a_directory(self):
        self.write("pkg/__init__.py", "")
        self.write("pkg/mod.py", "def main(event, context): return __name__")
        self.write("dir/mod.py", "def main(event, context): return __name__")
        for handler, name in (("pkg.mod.main", "pkg.mod"), ("dir/mod.main", "dir.mod"), ("./dir/mod.main", "dir.mod")):
            function = self.load("", handler)
            self.assertEqual(function.result(), name)

    def test_environment_directory_and_path_are_set_before_the_import(self):
        text = """
            import os, sys
            seen = [os.environ["COLOUR"], os.getcwd(), sys.path[0], os.environ["HOME"]]
            def handler(event, context): return seen
        """
        function = self.load(text, env={"COLOUR": "grün"})
        code = os.path.realpath(self.code)
        self.assertEqual(function.result(), ["grün", code, self.code, "/tmp"])

    def test_environment_reaches_child_processes_when_os_was_not_imported_first(self):
        text = """
            def handler(event, context):
                import subprocess
                return subprocess.run(["/bin/sh", "-c", "echo $COLOUR"], capture_output=True, text=True).stdout
        """
        self.assertEqual(self.load(text, env={"COLOUR": "red"}).result(), "red\n")

    def test_time_zone_of_the_environment_holds(self):
        text = "import time\ndef handler(event, context): return time.localtime(0).tm_hour"
        self.assertEqual(self.load(text, env={"TZ": "UTC-5"}).result(), 5)

    def test_pythonpath_of_the_environment_holds(self):
        self.write("lib/helper.py", "answer = 42")
        text = "import helper\ndef handler(event, context): return helper.answer"
        function = self.load(text, env={"PYTHONPATH": os.path.join(self.code, "lib")})
        self.assertEqual(function.result(), 42)

    def test_missing_module_names_it_and_lists_the_directory(self):
        _, failure = self.attempt("", "nothere.handler")
        self.assertEqual(failure["type"], "Runtime.ImportModuleError")
        self.assertIn("nothere", failure["message"])
        self.assertIn("app.py", failure["message"])

    def test_missing_dependency_shows_the_users_line_and_no_other(self):
        process, failure = self.attempt("import this_is_not_there\ndef handler(event, context): pass")
        self.assertEqual(failure["type"], "Runtime.ImportModuleError")
        self.assertIn("this_is_not_there", failure["message"])
        trace = "\n".join(failure["trace"])
        self.assertIn('app.py", line 1', trace)
        self.assertIn("import this_is_not_there", trace)
        self.assertNotIn("hearth_", trace)
        self.assertNotIn("importlib", trace)
        self.assertEqual(process.ended(), 1)

    def test_code_that_does_not_parse_shows_the_place(self):
        process, failure = self.attempt("def handler(event, context):\n    return (1\n")
        self.assertEqual(failure["type"], "Runtime.UserCodeSyntaxError")
        self.assertIn("app.py, line 2", failure["message"])
        self.assertIn("    return (1", "\n".join(failure["trace"]))
        self.assertEqual(process.ended(), 1)

    def test_missing_handler_lists_the_functions_there_are(self):
        _, failure = self.attempt("def handle(event, context): pass\nlimit = 3")
        self.assertEqual(failure["type"], "Runtime.HandlerNotFound")
        self.assertIn("handle", failure["message"])
        _, failure = self.attempt("handler = 3")
        self.assertEqual(failure["type"], "Runtime.HandlerNotFound")
        self.assertIn("int", failure["message"])

    def test_handler_names_that_cannot_be_right(self):
        for name in ("handler", "app.", ".handler", "../app.handler", "a..b"):
            _, failure = self.attempt("", name)
            self.assertEqual(failure["type"], "Runtime.MalformedHandlerName", name)

    def test_an_exception_while_loading_keeps_its_type_and_frames(self):
        text = """
            class Broken(Exception): pass
            def connect(): raise Broken("no database")
            connect()
        """
        process, failure = self.attempt(text)
        self.assertEqual((failure["type"], failure["message"]), ("Broken", "no database"))
        self.assertTrue(any("in connect" in line for line in failure["trace"]))
        self.assertEqual(process.ended(), 1)

    def test_leaving_while_loading_is_an_init_error(self):
        for text in ("import sys\nsys.exit(4)", "exit(4)", "raise SystemExit(4)"):
            process, failure = self.attempt(text)
            self.assertEqual(failure["type"], "Runtime.ExitError")
            self.assertIn("4", failure["message"])
            self.assertEqual(process.ended(), 1)

    def test_a_process_that_dies_while_loading_closes_the_stream(self):
        self.write("app.py", "import os\nos._exit(9)")
        function = self.spawn()
        function.hello()
        function.send(INIT, 0, init_body(self.code, "app.handler"))
        self.assertEqual(function.ended(), 9)

    def test_bad_init_is_refused_by_name(self):
        cases = [
            ({"code": "/nonexistent/hearth"}, "Runtime.InvalidInit", "/nonexistent/hearth"),
            ({"handler": ""}, "Runtime.InvalidInit", "handler"),
            ({"memory_bytes": "much"}, "Runtime.InvalidInit", "memory_bytes"),
            ({"env": {"A=B": "x"}}, "Runtime.InvalidInit", "A=B"),
            ({"env": {"A": 1}}, "Runtime.InvalidInit", "'A'"),
            ({"env": {"A": "x\0y"}}, "Runtime.InvalidInit", "'A'"),
            ({"protocol": 2}, "Runtime.UnsupportedProtocol", "2"),
        ]
        for change, kind, word in cases:
            self.write("app.py", "def handler(event, context): pass")
            function = self.spawn()
            function.hello()
            fields = json.loads(init_body(self.code, "app.handler"))
            fields.update(change)
            function.send(INIT, 0, json.dumps(fields).encode())
            _, _, body = function.receive()
            failure = json.loads(body)
            self.assertEqual(failure["type"], kind, change)
            self.assertIn(word, failure["message"])
            self.assertEqual(function.ended(), 1)

    def test_output_while_loading_arrives_before_ready(self):
        function = self.load("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndef handler(e, c): pass")
        self.assertEqual(function.take_logs(), ("out\n", "err\n"))

    def test_own_copy_of_a_preloaded_module_wins(self):
        self.write("json.py", "def dumps(value): return 'mine'\nclass JSONDecodeError(ValueError): pass")
        self.write("app.py", "import json\ndef handler(event, context): return json.dumps(1)")
        function = self.spawn(env={"HEARTH_PRELOAD": "json, sqlite3 no_such_module"})
        function.hello()
        self.assertIn("no_such_module", function.drain("err").decode())
        self.assertIsNone(function.init(self.code, "app.handler"))
        self.assertEqual(function.result({"a": 1}), "mine")
        self.assertEqual(function.invoke(b"[not json")[1], b'"mine"')

    def test_preloaded_modules_are_there_before_init(self):
        self.write("app.py", "import sys\nloaded = 'decimal' in sys.modules\ndef handler(e, c): return loaded")
        function = self.spawn(env={"HEARTH_PRELOAD": "decimal"})
        function.hello()
        self.assertIsNone(function.init(self.code, "app.handler"))
        self.assertTrue(function.result())

    def test_a_file_named_like_a_module_in_use_is_refused_with_the_remedy(self):
        self.write("io.py", "def handler(event, context): pass")
        _, failure = self.attempt("", "io.handler")
        self.assertEqual(failure["type"], "Runtime.ImportModuleError")
        self.assertIn("another name", failure["message"])

    def test_path_files_of_site_packages_are_read_when_a_module_is_missing(self):
        self.write("site/editable.pth", os.path.join(self.code, "elsewhere") + "\n")
        self.write("elsewhere/editable_module.py", "answer = 7")
        text = f"""
            import sys
            finder = next(f for f in sys.meta_path if type(f).__name__ == "_PathFiles")
            finder.directories = [{os.path.join(self.code, "site")!r}]
            import editable_module
            def handler(event, context): return editable_module.answer
        """
        self.assertEqual(self.load(text).result(), 7)


class Invoking(PythonCase):
    def test_context(self):
        text = """
            def handler(event, context):
                left = context.get_remaining_time_in_millis()
                return [context.function_name, context.aws_request_id, context.memory_limit_in_mb, context.user,
                        context.session, context.event, left, context.function_version]
        """
        function = self.load(text)
        context = {"request_id": "id-7", "user": "ada", "session": "s1"}
        values = function.result(None, remaining_ns=2_000_000_000, **context)
        self.assertEqual(values[:6], ["test", "id-7", 128, "ada", "s1", "invoke"])
        self.assertTrue(1500 < values[6] <= 2000, values)
        self.assertGreater(function.result(None, **context)[6], 1 << 50)

    def test_event_is_json_text_bytes_or_nothing(self):
        text = "def handler(event, context): return [type(event).__name__, len(context.payload), repr(event)]"
        function = self.load(text)
        for payload, kind in [
            (b"", "NoneType"), (b"null", "NoneType"), (b' {"a": 1} ', "dict"), (b"[1]", "list"), (b"1.5", "float"),
            (b'"x"', "str"), (b"hello world", "str"), (b"[1, 2", "str"), (b"{'a': 1}", "str"), (b"1 2", "str"),
            (b"nothing", "str"), ("grün".encode(), "str"), (b"\xff\xfe\x00", "bytes"), (b"   ", "str"),
        ]:  # fmt: skip
            kind_seen, length, shown = json.loads(function.invoke(payload)[1])
            self.assertEqual((kind_seen, length), (kind, len(payload)), (payload, shown))

    def test_results_as_json_and_as_bytes(self):
        function = self.load("def handler(event, context): return eval(event)")
        for source, body in [
            ("None", b"null"), ("b'raw'", b"raw"), ("bytearray(b'raw')", b"raw"), ("memoryview(b'raw')[1:]", b"aw"),
            ("{'a': (1, True)}", b'{"a":[1,true]}'), ("'é'", '"é"'.encode()), ("'\\ud800'", b'"\\ud800"'),
            ("b''", b""), ("{1: 2}", b'{"1":2}'),
        ]:  # fmt: skip
            self.assertEqual(function.invoke(source.encode()), (RESULT, body, []), source)

    def test_results_that_are_not_json_say_so(self):
        function = self.load("loop = []\nloop.append(loop)\ndef handler(event, context): return eval(event)")
        for source, word in [
            ("{1, 2}", "set"), ("object()", "object"), ("float('nan')", "JSON compliant"), ("loop", "Circular"),
            ("{(1, 2): 3}", "tuple"), ("lambda: 1", "function"),
        ]:  # fmt: skip
            kind, body, _ = function.invoke(source.encode())
            error = json.loads(body)
            self.assertEqual((kind, error["type"]), (ERROR, "Runtime.MarshalError"), source)
            self.assertIn(word, error["message"])
        self.assertEqual(function.invoke(b"1 + 1")[1], b"2")

    def test_a_result_over_the_limit_is_an_error_and_the_function_goes_on(self):
        function = self.load("def handler(event, context): return b'x' * event", max_result_bytes=1000)
        self.assertEqual(len(function.invoke(b"1000")[1]), 1000)
        error = function.error(1001)
        self.assertEqual(error["type"], "Function.ResponseSizeTooLarge")
        self.assertIn("1001", error["message"])
        self.assertIn("1000", error["message"])
        self.assertEqual(len(function.invoke(b"10")[1]), 10)

    def test_large_payloads_and_results(self):
        function = self.load("def handler(event, context): return context.payload[::-1]")
        for size in (65_536 - 92, 65_536, 65_537, 300_000, 5_000_000):
            payload = os.urandom(size)
            self.assertEqual(function.invoke(payload)[1], payload[::-1])

    def test_exceptions_have_type_message_and_the_users_trace(self):
        text = """
            class Denied(Exception): pass
            def check(user):
                raise Denied(f"{user} may not")
            def handler(event, context):
                check("ada")
        """
        function = self.load(text)
        error = function.error()
        self.assertEqual((error["type"], error["message"]), ("Denied", "ada may not"))
        self.assertNotIn("fatal", error)
        self.assertEqual(
            [line.strip() for line in error["trace"]],
            [
                "Traceback (most recent call last):",
                f'File "{self.code}/app.py", line 6, in handler',
                'check("ada")',
                f'File "{self.code}/app.py", line 4, in check',
                'raise Denied(f"{user} may not")',
                "app.Denied: ada may not",
            ],
        )
        self.assertEqual(function.error()["type"], "Denied")

    def test_causes_contexts_and_groups_are_shown(self):
        text = """
            def handler(event, context):
                try:
                    {}["a"]
                except KeyError as error:
                    if event == "cause":
                        raise ValueError("second") from error
                    if event == "group":
                        raise ExceptionGroup("both", [TypeError("one"), OSError("two")])
                    raise ValueError("second")
        """
        function = self.load(text)
        self.assertIn("direct cause", "\n".join(function.error("cause")["trace"]))
        trace = "\n".join(function.error("context")["trace"])
        self.assertIn("During handling", trace)
        self.assertLess(trace.index("KeyError"), trace.index("ValueError: second"))
        trace = "\n".join(function.error("group")["trace"])
        if "NameError" not in trace:  # Python 3.11 and later have exception groups
            self.assertIn("| TypeError: one", trace)
            self.assertIn("| OSError: two", trace)

    def test_exceptions_that_resist_being_shown(self):
        text = """
            class Mute(Exception):
                def __str__(self): raise RuntimeError("no")
            class Loop(Exception): pass
            def handler(event, context):
                if event == "mute": raise Mute()
                if event == "long": raise ValueError("x" * 10_000_000)
                if event == "wide": raise ValueError("\\n".join(["é" * 300] * 5000))
                if event == "loop":
                    error = Loop("a")
                    error.__cause__ = Loop("b")
                    error.__cause__.__cause__ = error
                    raise error
                if event == "base": raise BaseException("base")
                if event == "keyboard": raise KeyboardInterrupt
                if event == "deep":
                    error = None
                    for number in range(3000):
                        new = ValueError(number)
                        new.__cause__ = error
                        error = new
                    raise error
        """
        function = self.load(text)
        self.assertIn("cannot be shown", function.error("mute")["message"])
        for event, kind in [
            ("long", "ValueError"), ("wide", "ValueError"), ("loop", "Loop"), ("base", "BaseException"),
            ("keyboard", "KeyboardInterrupt"), ("deep", "ValueError"),
        ]:  # fmt: skip
            status, body, _ = function.invoke(json.dumps(event).encode())
            self.assertEqual((status, json.loads(body)["type"]), (ERROR, kind))
            self.assertLessEqual(len(body), 65536)
            self.assertTrue(json.loads(body)["trace"])

    def test_recursion_without_end(self):
        text = """
            def dig(n): return dig(n + 1)
            def nest(n):
                value = []
                for _ in range(n): value = [value]
                return value
            def handler(event, context): return dig(0) if event == "dig" else nest(100_000)
        """
        function = self.load(text)
        error = function.error("dig")
        self.assertEqual(error["type"], "RecursionError")
        self.assertTrue(any("frames left out" in line for line in error["trace"]))
        self.assertLess(len(error["trace"]), 150)
        self.assertEqual(function.error("nest")["type"], "Runtime.MarshalError")
        deep = function.invoke(b"[" * 100_000)
        self.assertEqual(json.loads(deep[1])["type"], "RecursionError")
        self.assertEqual(function.error("dig")["type"], "RecursionError")

    def test_leaving_from_a_handler_is_told_and_then_done(self):
        text = """
            import atexit, sys
            atexit.register(print, "bye")
            def handler(event, context): sys.exit(event)
        """
        for code, status in ((None, 0), (3, 3), ("sorry", 1)):
            function = self.load(text)
            error = function.error(code)
            self.assertEqual((error["type"], error["fatal"]), ("Runtime.ExitError", True))
            self.assertEqual(function.ended(), status)
            self.assertEqual(function.take_logs()[0], "bye\n")

    def test_hard_exit_and_crash_close_the_stream_with_their_status(self):
        text = """
            import os, signal
            def handler(event, context):
                print("last words")
                os._exit(3) if event == "exit" else os.kill(os.getpid(), signal.SIGSEGV)
        """
        for event, status in (("exit", 3), ("crash", -signal.SIGSEGV)):
            function = self.load(text)
            function.send(INVOKE, 1, invoke_body(json.dumps(event).encode()))
            self.assertEqual(function.ended(), status)
            out, err = function.take_logs()
            self.assertEqual(out, "last words\n")
            if event == "crash":
                self.assertIn("Segmentation fault", err)
                self.assertIn("in handler", err)

    def test_warmup_event(self):
        both = "def warmup(event, context): return ['warm', context.event]\ndef handler(event, context): return 'hot'"
        self.assertEqual(self.load(both).result(None, event="warmup"), ["warm", "warmup"])
        self.assertEqual(self.load(both).result(), "hot")
        self.assertEqual(self.load("def handler(event, context): return event").result(5, event="warmup"), 5)
        failing = self.load("def warmup(event, context): 1 / 0\ndef handler(event, context): return 1")
        self.assertEqual(failing.error(None, event="warmup")["type"], "ZeroDivisionError")
        self.assertEqual(failing.result(), 1)

    def test_a_callable_object_and_a_bound_method_are_handlers(self):
        text = """
            class Handler:
                def __call__(self, event, context): return "called"
                def method(self, event, context): return "bound"
            handler = Handler()
            bound = handler.method
        """
        self.assertEqual(self.load(text).result(), "called")
        self.assertEqual(self.load(text, "app.bound").result(), "bound")


class Streaming(PythonCase):
    def test_generators_iterators_and_files_stream(self):
        text = """
            import io
            def numbers():
                yield b"bytes"
                yield "täxt"
                yield {"a": 1}
                yield b""
                yield bytearray(b"x" * 70_000)
            def handler(event, context):
                if event == "map": return map(str, [1, 2])
                if event == "file": return io.BytesIO(b"one\\ntwo\\n")
                return numbers()
        """
        function = self.load(text)
        kind, body, chunks = function.invoke(b'"generator"')
        self.assertEqual((kind, body), (RESULT, b""))
        self.assertEqual(b"".join(chunks), b"bytes" + "täxt".encode() + b'{"a":1}\n' + b"x" * 70_000)
        self.assertEqual([len(chunk) for chunk in chunks], [5, 5, 8, 65536, 70_000 - 65536])
        self.assertEqual(function.invoke(b'"map"')[2], [b"1", b"2"])
        self.assertEqual(function.invoke(b'"file"')[2], [b"one\n", b"two\n"])

    def test_pieces_arrive_while_the_handler_runs(self):
        text = """
            import time
            def handler(event, context):
                yield b"first"
                time.sleep(30)
        """
        function = self.load(text)
        function.send(INVOKE, 1, invoke_body())
        self.assertEqual(function.receive(10), (CHUNK, 1, b"first"))

    def test_an_exception_in_the_middle_ends_the_stream_with_it(self):
        text = """
            closed = []
            def handler(event, context):
                if event == "closed": return closed
                return stream(event)
            def stream(event):
                try:
                    yield b"one"
                    if event == "fail": raise ValueError("middle")
                    yield {1, 2}
                finally:
                    closed.append(event)
        """
        function = self.load(text)
        kind, body, chunks = function.invoke(b'"fail"')
        self.assertEqual((kind, json.loads(body)["type"], chunks), (ERROR, "ValueError", [b"one"]))
        kind, body, chunks = function.invoke(b'"set"')
        self.assertEqual((kind, json.loads(body)["type"], chunks), (ERROR, "Runtime.MarshalError", [b"one"]))
        self.assertEqual(function.result("closed"), ["fail", "set"])

    def test_a_stream_over_the_limit_is_cut_and_closed(self):
        text = """
            closed = []
            def handler(event, context):
                return stream() if event is None else closed
            def stream():
                try:
                    while True: yield b"x" * 400
                finally:
                    closed.append(True)
        """
        function = self.load(text, max_result_bytes=1000)
        kind, body, chunks = function.invoke()
        self.assertEqual((kind, json.loads(body)["type"]), (ERROR, "Function.ResponseSizeTooLarge"))
        self.assertEqual(len(b"".join(chunks)), 800)
        self.assertEqual(function.result(1), [True])


class Asynchronous(PythonCase):
    def test_coroutines_async_generators_and_one_kept_loop(self):
        text = """
            import asyncio
            loops = set()
            background = None
            async def pieces():
                for number in range(3):
                    await asyncio.sleep(0)
                    yield str(number)
            async def tick():
                await asyncio.sleep(0.01)
                return "ticked"
            async def handler(event, context):
                global background
                loops.add(id(asyncio.get_running_loop()))
                if event == "stream": return pieces()
                if event == "fail":
                    await asyncio.sleep(0)
                    raise ValueError("async")
                if event == "leave":
                    background = asyncio.ensure_future(tick())
                    return "left"
                if event == "collect": return await background
                return len(loops)
        """
        function = self.load(text)
        self.assertEqual(function.result(), 1)
        self.assertEqual(function.result(), 1)
        self.assertEqual(function.invoke(b'"stream"')[2], [b"0", b"1", b"2"])
        error = function.error("fail")
        self.assertEqual(error["type"], "ValueError")
        self.assertFalse([line for line in error["trace"] if "asyncio" in line and "File" in line])
        self.assertEqual(function.result("leave"), "left")
        self.assertEqual(function.result("collect"), "ticked")

    def test_an_async_generator_as_handler_and_awaitables(self):
        self.assertEqual(self.load("async def handler(e, c):\n    yield 'a'\n    yield 'b'").invoke()[2], [b"a", b"b"])
        text = """
            class Later:
                def __await__(self):
                    yield from ()
                    return "later"
            def handler(event, context): return Later()
        """
        self.assertEqual(self.load(text).result(), "later")


class Logs(PythonCase):
    def test_logs_are_cut_at_the_answer(self):
        text = """
            import logging, sys
            def handler(event, context):
                print(f"out {event}", end="")
                sys.stderr.write(f"err {event}")
                logging.warning("warned %s", event)
                if event == 2: raise ValueError
        """
        function = self.load(text)
        for event in (1, 2, 3):
            function.invoke(str(event).encode())
            out, err = function.take_logs()
            self.assertEqual(out, f"out {event}")
            self.assertEqual(err, f"err {event}WARNING:root:warned {event}\n")

    def test_lines_leave_at_once(self):
        function = self.load("import time\ndef handler(event, context):\n    print('now')\n    time.sleep(30)")
        function.send(INVOKE, 1, invoke_body())
        deadline = time.monotonic() + 10
        while b"now\n" not in function.drain("out") and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertEqual(function.take_logs()[0], "now\n")

    def test_handlers_that_break_their_streams_still_answer(self):
        text = """
            import os, sys
            def handler(event, context):
                if event == "close": sys.stdout.close()
                if event == "none": sys.stdout = sys.stderr = None
                if event == "fds": os.close(1), os.close(2)
                return event
        """
        for event in ("close", "none", "fds"):
            function = self.load(text)
            self.assertEqual(function.result(event), event)
            self.assertEqual(function.result("again"), "again")

    def test_nobody_reads_the_logs(self):
        function = self.load("def handler(event, context):\n    print('x')\n    return 1")
        os.close(function.pipes.pop("out"))
        error = function.error()
        self.assertEqual(error["type"], "BrokenPipeError")

    def test_standard_input_is_empty(self):
        self.assertEqual(self.load("import sys\ndef handler(e, c): return sys.stdin.read()").result(), "")


class Hostile(PythonCase):
    def test_closing_every_descriptor_ends_the_stream_and_the_process(self):
        text = """
            import os, socket
            def handler(event, context):
                os.closerange(3, 4096)
                kept.extend(socket.socketpair() for _ in range(3))
                return "done"
            kept = []
        """
        function = self.load(text)
        function.send(INVOKE, 1, invoke_body())
        self.assertEqual(function.ended(), 74)
        self.assertIn("fd 3", function.take_logs()[1])

    def test_descriptor_3_is_not_the_channel_for_the_handler(self):
        text = """
            import os
            def handler(event, context):
                try:
                    os.write(3, b"garbage")
                except OSError as error:
                    return error.errno
        """
        function = self.load(text)
        self.assertEqual(function.result(), 9)
        self.assertEqual(function.result(), 9)

    def test_children_neither_hold_the_channel_nor_answer_for_their_parent(self):
        text = """
            import os, subprocess, sys, time
            def handler(event, context):
                if event == "exec":
                    process = subprocess.Popen(["/bin/sleep", "3"], close_fds=False)
                    return os.listdir(f"/proc/{process.pid}/fd")
                pid = os.fork()
                if pid == 0:
                    if event == "return": return "child"
                    if event == "raise": raise ValueError
                    if event == "exit": sys.exit(0)
                    time.sleep(3)
                if event == "hold": return "parent"
                os.waitpid(pid, 0)
                return "parent"
        """
        function = self.load(text)
        for event in ("return", "raise", "exit"):
            self.assertEqual(function.result(event), "parent", event)
        self.assertEqual(function.result("return"), "parent")
        self.assertEqual(function.result("hold"), "parent")
        self.assertLessEqual({"0", "1", "2"}, set(function.result("exec")))
        function.send(SHUTDOWN)
        self.assertEqual(function.ended(), 0)

    def test_threads_that_never_end_do_not_hold_the_process(self):
        text = """
            import threading, time
            def handler(event, context):
                threading.Thread(target=time.sleep, args=(60,)).start()
                return threading.active_count()
        """
        function = self.load(text)
        self.assertEqual([function.result(), function.result()], [2, 3])
        function.send(SHUTDOWN)
        self.assertEqual(function.ended(5), 0)

    FILL = """
        kept = []
        def handler(event, context):
            if event == "small":
                while True: kept.append([0] * 10)
            if event == "json":
                return ["x" * 1000] * 10_000_000
            if event == "wrapped":
                try:
                    while True: kept.append(bytearray(100_000))
                except MemoryError:
                    raise ValueError("wrapped")
            if event == "clear": kept.clear()
            blocks = []
            while event == "big": blocks.append(bytearray(4 << 20))
            return "fine"
    """

    def load_with_little_memory(self, more=0, limit=resource.RLIMIT_AS):
        function = self.load(self.FILL)
        column = 0 if limit == resource.RLIMIT_AS else 5  # of statm: the whole, or data and stack
        with open(f"/proc/{function.pid}/statm") as file:
            used = int(file.read().split()[column]) * 4096
        resource.prlimit(function.pid, limit, (used + (96 << 20) + more,) * 2)
        return function

    def test_a_full_memory_is_reported_and_survived(self):
        for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            function = self.load_with_little_memory(limit=limit)
            for event, kind in (("big", "MemoryError"), ("json", "MemoryError"), ("wrapped", "ValueError"),
                                ("clear", None), ("big", "MemoryError")):  # fmt: skip
                if kind:
                    self.assertEqual(function.error(event)["type"], kind, event)
                else:
                    self.assertEqual(function.result(event), "fine")
            kind, body, _ = function.invoke(b"x" * (200 << 20), timeout=60)
            self.assertEqual((kind, json.loads(body)["type"]), (ERROR, "MemoryError"))
            self.assertEqual(function.result("fine"), "fine")

    def test_a_memory_that_stays_full_is_reported_and_the_process_ends(self):
        for more in range(0, 3_000_000, 500_000):
            function = self.load_with_little_memory(more)
            error = function.error("small")
            self.assertEqual(error["type"], "MemoryError")
            if error.get("fatal"):
                self.assertEqual(function.ended(), 1)
            else:
                self.assertEqual(function.result("clear"), "fine")

    def test_signal_handlers_between_invocations(self):
        text = """
            import signal
            def alarm(number, frame):
                if quiet: return
                raise RuntimeError("alarm")
            quiet = False
            signal.signal(signal.SIGUSR1, alarm)
            def handler(event, context):
                global quiet
                quiet = event
        """
        function = self.load(text)
        function.result(True)
        os.kill(function.pid, signal.SIGUSR1)
        time.sleep(0.05)
        function.result(False)
        os.kill(function.pid, signal.SIGUSR1)
        self.assertEqual(function.ended(), 1)
        self.assertIn("alarm", function.take_logs()[1])


class Lasting(PythonCase):
    def test_ten_thousand_invocations_in_constant_memory(self):
        text = """
            def handler(event, context):
                if event["n"] % 100 == 7: raise ValueError(event["n"])
                if event["n"] % 100 == 8: return iter(["a", "b"])
                return event
        """
        function = self.load(text)
        descriptors = None
        for number in range(10_000):
            function.invoke(b'{"n": %d, "fill": "%s"}' % (number, b"x" * (number % 3000)))
            if number == 2_000:
                descriptors = len(os.listdir(f"/proc/{function.pid}/fd"))
                before = function.resident_kib()
        self.assertLessEqual(function.resident_kib(), before + 512)
        self.assertEqual(len(os.listdir(f"/proc/{function.pid}/fd")), descriptors)

    def test_large_payloads_are_not_kept(self):
        function = self.load("def handler(event, context): return len(context.payload)")
        function.result()
        before = function.resident_kib()
        function.invoke(b"x" * (32 << 20))
        self.assertLess(function.resident_kib(), before + 4096)


def load_tests(loader, tests, pattern):
    """The same cases again for every further interpreter."""
    suite = unittest.TestSuite(tests)
    for interpreter in support.python_interpreters()[1:]:
        for case in (Loading, Invoking, Streaming, Asynchronous, Logs, Hostile, Lasting):
            other = type(f"{case.__name__}({interpreter})", (case,), {"argv": support.python_argv(interpreter)})
            suite.addTests(loader.loadTestsFromTestCase(other))
    return suite
