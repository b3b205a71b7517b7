"""hearth_function.h: what a C function can do with it, and what it costs in system calls."""

import collections
import json
import os
import re
import shutil
import subprocess
import unittest

import support
from agent import ERROR, RESULT, SHUTDOWN

EVERYTHING = r"""
#include "hearth_function.h"
#include <string.h>

static int is(const struct hearth_invocation *call, const char *word) {
    return call->payload_length == strlen(word) && !memcmp(call->payload, word, call->payload_length);
}

int main(void) {
    static struct hearth_function function;
    struct hearth_invocation call;
    char text[300], name[64];
    size_t length = 0, env_length = 0;
    const char *value, *env;
    if (hearth_start(&function, "c", "1.0")) return hearth_status(&function);
    value = hearth_member(function.init, function.init_length, "handler", &length);
    if (hearth_string(value, length, name, sizeof name) < 0) return hearth_init_error(&function, "NoName", "handler");
    if (!strcmp(name, "missing")) return hearth_init_error(&function, "No \"Model\"", "model.bin\nis missing");
    env = hearth_member(function.init, function.init_length, "env", &env_length);
    value = env ? hearth_member(env, env_length, "GREETING", &length) : NULL;
    if (hearth_string(value, length, text, sizeof text) < 0) strcpy(text, "(none)");
    if (hearth_ready(&function)) return hearth_status(&function);
    while (hearth_next(&function, &call)) {
        if (is(&call, "error")) {
            hearth_error(&function, "Type", "\"quoted\" \\ and \x01");
        } else if (is(&call, "stream")) {
            static char big[200000];
            memset(big, 'x', sizeof big);
            hearth_chunk(&function, "first", 5);
            if (!hearth_chunk(&function, big, sizeof big)) hearth_reply(&function, "last", 4);
        } else if (is(&call, "silent")) {
            continue;
        } else if (is(&call, "twice")) {
            hearth_reply(&function, "1", 1);
            hearth_reply(&function, "2", 1);
        } else if (is(&call, "log")) {
            printf("no newline");
            hearth_reply(&function, "", 0);
        } else if (is(&call, "context")) {
            value = hearth_member(call.context, call.context_length, "user", &length);
            if (hearth_string(value, length, text, sizeof text) < 0) hearth_error(&function, "NoUser", "");
            else hearth_reply(&function, text, strlen(text));
        } else if (is(&call, "left")) {
            int count = snprintf(text, sizeof text, "%llu", (unsigned long long)call.remaining_ns);
            hearth_reply(&function, text, (size_t)count);
        } else {
            hearth_reply(&function, text, strlen(text));
        }
    }
    return hearth_status(&function);
}
"""


class NativeCase(support.RuntimeCase):
    def compile(self, text, *flags, name="function"):
        source = self.write(name + ".c", "") and os.path.join(self.code, name + ".c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        include = "-I" + os.path.join(support.RUNTIMES, "native")
        return support.compile_c(source, os.path.join(self.code, name), include, *flags)


class Header(NativeCase):
    def setUp(self):
        super().setUp()
        self.argv = [self.compile(EVERYTHING, "-std=c99", "-Wpedantic", "-Wconversion", "-fsanitize=address,undefined")]

    def ready(self, **more):
        process = self.spawn(env={"ASAN_OPTIONS": "detect_leaks=0"})
        hello = process.hello()
        self.assertEqual(hello, {"protocol": 1, "runtime": "c", "version": "1.0"})
        self.assertIsNone(process.init(self.code, "function", **more))
        return process

    def test_answers_errors_and_streams(self):
        process = self.ready(env={"GREETING": 'grün \u20ac \U0001f525 "x"\n'})
        self.assertEqual(process.invoke(b"greet")[1].decode(), 'grün \u20ac \U0001f525 "x"\n')
        self.assertEqual(process.error_of(b"error"), {"type": "Type", "message": '"quoted" \\ and \x01', "trace": []})
        kind, body, chunks = process.invoke(b"stream")
        self.assertEqual((kind, body, b"".join(chunks)), (RESULT, b"last", b"first" + b"x" * 200_000))
        self.assertEqual(process.invoke(b"twice")[1], b"1")
        self.assertEqual(process.error_of(b"silent")["type"], "Runtime.NeverSettled")
        self.assertEqual(process.invoke(b"context", user='a"b\\c\té')[1].decode(), 'a"b\\c\té')
        self.assertEqual(process.invoke(b"left", remaining_ns=123_456_789_012)[1], b"123456789012")
        self.assertEqual(process.invoke(b"log")[0], RESULT)
        self.assertEqual(process.take_logs(), ("no newline", ""))
        process.send(SHUTDOWN)
        self.assertEqual(process.ended(), 0)

    def test_the_limit_of_a_result(self):
        process = self.ready(max_result_bytes=1000)
        kind, body, chunks = process.invoke(b"stream")
        self.assertEqual((kind, chunks), (ERROR, [b"first"]))
        self.assertEqual(json.loads(body)["type"], "Function.ResponseSizeTooLarge")
        self.assertEqual(process.invoke(b"twice")[1], b"1")

    def test_init_errors(self):
        process = self.spawn(env={"ASAN_OPTIONS": "detect_leaks=0"})
        process.hello()
        failure = process.init(self.code, "missing")
        self.assertEqual((failure["type"], failure["message"]), ('No "Model"', "model.bin\nis missing"))
        self.assertEqual(process.ended(), 1)

    def test_bodies_longer_than_the_buffer(self):
        process = self.ready()
        for size in (65_536, 70_000, 1_000_000):
            self.assertEqual(process.invoke(b"x" * size)[1], b"(none)")


JSON_TEST = r"""
#include "hearth_function.h"
#include <string.h>
int main(int argc, char **argv) {
    char text[64];
    size_t length = 0;
    const char *value = hearth_member(argv[1], strlen(argv[1]), argv[2], &length);
    ptrdiff_t decoded;
    if (argc < 3 || !value) return puts("none"), 0;
    printf("%.*s", (int)length, value);
    decoded = hearth_string(value, length, text, sizeof text);
    if (decoded >= 0) printf("|%s", text);
    return puts(""), 0;
}
"""


class JSON(NativeCase):
    def test_members_and_strings(self):
        program = self.compile(JSON_TEST, "-std=c99", "-fsanitize=address,undefined")
        cases = [
            ('{"a":1}', "a", "1"), ('{"a":1}', "b", "none"),
            ('{ "x" : {"a":2}, "a" : [1, "]"] }', "a", '[1, "]"]'),
            ('{"ab":1,"a":2}', "a", "2"), ('{"a":2}', "ab", "none"), ('{"a":"x\\ny"}', "a", '"x\\ny"|x\ny'),
            ('{"a":"\\u00e9\\ud83d\\ude00"}', "a", '"\\u00e9\\ud83d\\ude00"|é😀'), ('{"a":"\\u12"}', "a", '"\\u12"'),
            ('{"a":"\\q"}', "a", '"\\q"'), ('{"a":""}', "a", '""|'), ('{"a":"', "a", "none"), ("{", "a", "none"),
            ("[]", "a", "none"), ("", "a", "none"), ('{"a"', "a", "none"), ('{"a":', "a", "none"),
            ('{"a":}', "a", "none"), ('{"s":"\\"a\\":1","a":3}', "a", "3"), ('{"a":true}', "a", "true"),
            ('{"a":"\\', "a", "none"), ('{"a":"\\\\"}', "a", '"\\\\"|\\'), ("{}", "a", "none"),
            ('{"a":[1}', "a", "[1}"),
            # The buffer has 64 bytes, and the terminator is one of them.
            ('{"a":"%s"}' % (64 * "x"), "a", '"%s"' % (64 * "x")),
            ('{"a":"%s"}' % (63 * "x"), "a", '"%s"|%s' % (63 * "x", 63 * "x")),
        ]  # fmt: skip
        for text, name, expected in cases:
            done = subprocess.run([program, text, name], capture_output=True, text=True, timeout=10)
            self.assertEqual((done.stdout.rstrip("\n"), done.returncode), (expected, 0), (text, done.stderr))


class Cost(NativeCase):
    def echo(self):
        source = os.path.join(support.EXAMPLES, "native-echo", "echo.c")
        include = "-I" + os.path.join(support.RUNTIMES, "native")
        return support.compile_c(source, os.path.join(self.code, "echo"), "-std=c99", "-static", include)

    @unittest.skipUnless(shutil.which("strace"), "no strace on this machine")
    def test_a_message_costs_one_read_and_one_writev(self):
        trace = os.path.join(self.code, "trace")
        process = self.spawn([shutil.which("strace"), "-o", trace, self.echo()])
        process.hello()
        process.init(self.code, "echo")
        for _ in range(100):
            self.assertEqual(process.invoke(b"x" * 1000)[1], b"x" * 1000)
        process.send(SHUTDOWN)
        self.assertEqual(process.ended(), 0)
        with open(trace, encoding="utf-8") as file:
            calls = [re.match(r"(\w+)\(", line).group(1) for line in file if re.match(r"\w+\(", line)]
        first = calls.index("writev")
        counts = collections.Counter(calls[first:])
        # HELLO, READY and 100 results; INIT, 100 invocations and SHUTDOWN.
        self.assertEqual(counts.pop("writev"), 102)
        self.assertEqual(counts.pop("read"), 102)
        self.assertLessEqual(set(counts), {"exit_group", "brk", "mmap"}, counts)

    def test_it_is_small(self):
        process = self.spawn([self.echo()])
        process.hello()
        process.init(self.code, "echo")
        process.invoke(b"x" * 1000)
        self.assertLess(process.resident_kib(), 1024)

    def test_it_compiles_without_libc_and_as_cplusplus(self):
        text = """
            #include <stddef.h>
            #define HEARTH_FREESTANDING
            static unsigned char memory[1 << 16];
            struct hearth_piece;
            long my_read(int fd, void *buffer, size_t size);
            long my_writev(int fd, struct hearth_piece *pieces, int count);
            #define HEARTH_READ my_read
            #define HEARTH_WRITEV my_writev
            #define HEARTH_REALLOC(pointer, size) ((pointer) || (size) > sizeof memory ? NULL : memory)
            #include "hearth_function.h"
            struct hearth_function function;
            struct hearth_invocation call;
            int run(void) { return hearth_start(&function, "x", "1") || hearth_ready(&function) ? 1
                                 : hearth_next(&function, &call) ? hearth_reply(&function, "", 0) : 0; }
        """
        self.compile(text, "-std=c99", "-ffreestanding", "-nostdlib", "-c", name="free")
        if shutil.which("c++"):
            source = os.path.join(support.EXAMPLES, "native-echo", "echo.c")
            include = "-I" + os.path.join(support.RUNTIMES, "native")
            flags = ["-x", "c++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
            subprocess.run(["c++", *flags, include, source], check=True)
