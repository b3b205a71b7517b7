/* hearth_function.h - serve a Hearth function from C (C99) or C++. One header, nothing to link.
 *
 *     #include "hearth_function.h"
 *
 *     int main(void) {
 *         static struct hearth_function function;
 *         struct hearth_invocation call;
 *         if (hearth_start(&function, "c", "1.0")) return hearth_status(&function);
 *         ... load what the function needs; on failure: return hearth_init_error(&function, "Type", "what happened");
 *         if (hearth_ready(&function)) return hearth_status(&function);
 *         while (hearth_next(&function, &call))
 *             hearth_reply(&function, call.payload, call.payload_length);
 *         return hearth_status(&function);
 *     }
 *
 * The protocol is protocol/FUNCTION.md. A message that fits the buffer (64 KiB, grown once for a longer one and kept)
 * costs one read(2); an answer costs one writev(2).
 *
 * HEARTH_NO_STDIO       leaves out fflush(stdout) before an answer. Then flush what you print yourself: the agent cuts
 *                       the logs of an invocation at its answer.
 * HEARTH_FREESTANDING   uses no header but <stddef.h> and <stdint.h>. Define HEARTH_READ(fd, buffer, size),
 *                       HEARTH_WRITEV(fd, struct hearth_piece *, count) and HEARTH_REALLOC(pointer, size) before the
 *                       include; the first two return what the system calls do, and a negative number on an error.
 */
#ifndef HEARTH_FUNCTION_H
#define HEARTH_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef HEARTH_FREESTANDING
#ifndef HEARTH_NO_STDIO
#define HEARTH_NO_STDIO
#endif
/* The kernel's struct iovec. */
struct hearth_piece {
    void *iov_base;
    size_t iov_len;
};
#define HEARTH_INTERRUPTED() 0
#else
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#define hearth_piece iovec
#define HEARTH_READ read
#define HEARTH_WRITEV writev
#define HEARTH_REALLOC realloc
#define HEARTH_INTERRUPTED() (errno == EINTR)
#endif
#ifndef HEARTH_NO_STDIO
#include <stdio.h>
#endif

#ifndef HEARTH_FD
#define HEARTH_FD 3
#endif

enum {
    HEARTH_INIT = 1,
    HEARTH_INVOKE = 2,
    HEARTH_SHUTDOWN = 3,
    HEARTH_HELLO = 128,
    HEARTH_READY = 129,
    HEARTH_INIT_ERROR = 130,
    HEARTH_RESULT = 131,
    HEARTH_ERROR = 132,
    HEARTH_CHUNK = 133
};

enum {
    HEARTH_HEADER_BYTES = 12,
    HEARTH_MAX_BODY_BYTES = 1 << 28,  /* the longest body a header may announce */
    HEARTH_MAX_PIECE_BYTES = 1 << 16, /* of a CHUNK, an ERROR and an INIT_ERROR */
    HEARTH_BUFFER_BYTES = 1 << 16
};

/* Exit statuses that the protocol gives a meaning. */
enum {
    HEARTH_EXIT_OK = 0,
    HEARTH_EXIT_FAILED = 1,
    HEARTH_EXIT_CHANNEL_LOST = 74,
    HEARTH_EXIT_PROTOCOL = 76
};

struct hearth_function {
    const char *init; /* the INIT object as JSON text, not terminated; valid until hearth_ready() */
    size_t init_length;
    uint64_t max_result_bytes; /* 0: no bound */

    /* Private. */
    unsigned char *buffer;
    size_t capacity, start, end;
    uint32_t invocation; /* the one that waits for an answer, or 0 */
    int status;
    uint64_t sent;
};

struct hearth_invocation {
    uint64_t remaining_ns; /* until the deadline, counted from now; 0: none */
    const char *context;   /* a JSON object, see hearth_member(); not terminated */
    size_t context_length;
    const unsigned char *payload; /* all three are valid until the next hearth_next() */
    size_t payload_length;
};

static inline int hearth_stop(struct hearth_function *function, int status) {
    function->status = status;
    return -1;
}

/* The exit status that tells the agent why the function ended. */
static inline int hearth_status(const struct hearth_function *function) { return function->status; }

static inline uint32_t hearth_load32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void hearth_store32(unsigned char *at, uint32_t value) {
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

static inline int hearth_send(struct hearth_function *function, int kind, uint32_t invocation, const void *body,
                              size_t length) {
    unsigned char header[HEARTH_HEADER_BYTES];
    struct hearth_piece pieces[2];
    size_t sent = 0, total = sizeof header + length;
    if (length > HEARTH_MAX_BODY_BYTES) return hearth_stop(function, HEARTH_EXIT_PROTOCOL);
    hearth_store32(header, (uint32_t)length);
    hearth_store32(header + 4, (uint32_t)kind << 24);
    hearth_store32(header + 8, invocation);
    while (sent < total) {
        size_t head = sent < sizeof header ? sent : sizeof header;
        ptrdiff_t count;
        pieces[0].iov_base = header + head;
        pieces[0].iov_len = sizeof header - head;
        pieces[1].iov_base = (unsigned char *)(uintptr_t)body + (sent - head);
        pieces[1].iov_len = length - (sent - head);
        count = (ptrdiff_t)HEARTH_WRITEV(HEARTH_FD, pieces, 2);
        if (count < 0 && HEARTH_INTERRUPTED()) continue;
        if (count < 0) return hearth_stop(function, HEARTH_EXIT_CHANNEL_LOST);
        sent += (size_t)count;
    }
    return 0;
}

/* One read(2) into the buffer: the count, 0 at the end of the stream, -1 when the channel is lost. */
static inline ptrdiff_t hearth_fill(struct hearth_function *function) {
    for (;;) {
        ptrdiff_t count = (ptrdiff_t)HEARTH_READ(HEARTH_FD, function->buffer + function->end,
                                                 function->capacity - function->end);
        if (count < 0 && HEARTH_INTERRUPTED()) continue;
        if (count < 0) return hearth_stop(function, HEARTH_EXIT_CHANNEL_LOST);
        function->end += (size_t)count;
        return count;
    }
}

/* Reads one message: 1 with its body at *body, 0 at the end of the stream, -1 when the function must end. */
static inline int hearth_receive(struct hearth_function *function, int *kind, uint32_t *invocation,
                                 unsigned char **body, size_t *length) {
    unsigned char *header;
    size_t have, need = HEARTH_HEADER_BYTES, i;
    if (function->start == function->end) {
        function->start = function->end = 0;
    } else if (function->start) { /* what came behind the previous message moves to the front */
        for (i = 0; function->start + i < function->end; i++)
            function->buffer[i] = function->buffer[function->start + i];
        function->end = i;
        function->start = 0;
    }
    for (;;) {
        have = function->end;
        if (have >= HEARTH_HEADER_BYTES) {
            header = function->buffer;
            need = HEARTH_HEADER_BYTES + (size_t)hearth_load32(header);
            if (header[5] || header[6] || header[7] || header[4] < HEARTH_INIT || header[4] > HEARTH_SHUTDOWN ||
                need > HEARTH_HEADER_BYTES + (size_t)HEARTH_MAX_BODY_BYTES)
                return hearth_stop(function, HEARTH_EXIT_PROTOCOL);
            if (have >= need) break;
            if (need > function->capacity) {
                unsigned char *larger = (unsigned char *)HEARTH_REALLOC(function->buffer, need);
                if (!larger) return hearth_stop(function, HEARTH_EXIT_FAILED);
                function->buffer = larger;
                function->capacity = need;
            }
        }
        switch (hearth_fill(function)) {
        case -1:
            return -1;
        case 0:
            return have ? hearth_stop(function, HEARTH_EXIT_PROTOCOL) : 0;
        }
    }
    *kind = function->buffer[4];
    *invocation = hearth_load32(function->buffer + 8);
    *body = function->buffer + HEARTH_HEADER_BYTES;
    *length = need - HEARTH_HEADER_BYTES;
    function->start = need;
    return 1;
}

/* ---- JSON: enough to find a member of an object */

static inline const char *hearth_json_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* Behind the value that begins at `at`; NULL when the text ends before it does. */
static inline const char *hearth_json_skip(const char *at, const char *end) {
    size_t depth = 0;
    int quoted = 0;
    for (; at < end; at++) {
        if (quoted) {
            if (*at == '\\') at++;
            else if (*at == '"') quoted = 0;
            if (!quoted && !depth) return at + 1;
        } else if (*at == '"') {
            quoted = 1;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (!depth) return at;
            if (!--depth) return at + 1;
        } else if (!depth && (*at == ',' || *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
            return at;
        }
    }
    return quoted || depth ? NULL : at;
}

/* Finds member `name` of a JSON object: its value's text (with the quotes of a string), NULL when there is none.
 * Names are compared as they are written: those of this protocol have no escapes. */
static inline const char *hearth_member(const char *json, size_t length, const char *name, size_t *value_length) {
    const char *end = json + length, *at = hearth_json_space(json, end);
    if (at == end || *at != '{') return NULL;
    at++;
    for (;;) {
        const char *key, *value, *n = name;
        at = hearth_json_space(at, end);
        if (at == end || *at != '"') return NULL;
        key = at + 1;
        at = hearth_json_skip(at, end);
        if (!at) return NULL;
        while (*n && key < at - 1 && *key == *n) key++, n++;
        key = *n || key != at - 1 ? NULL : key;
        at = hearth_json_space(at, end);
        if (at == end || *at != ':') return NULL;
        value = hearth_json_space(at + 1, end);
        at = hearth_json_skip(value, end);
        if (!at || at == value) return NULL;
        if (key) {
            *value_length = (size_t)(at - value);
            return value;
        }
        at = hearth_json_space(at, end);
        if (at == end || *at != ',') return NULL;
        at++;
    }
}

static inline size_t hearth_utf8(uint32_t code, char *out) {
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xC0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 63));
        return out[2] = (char)(0x80 | (code & 63)), 3;
    }
    out[0] = (char)(0xF0 | code >> 18), out[1] = (char)(0x80 | (code >> 12 & 63));
    return out[2] = (char)(0x80 | (code >> 6 & 63)), out[3] = (char)(0x80 | (code & 63)), 4;
}

static inline int hearth_hex4(const char *at, uint32_t *out) {
    int i;
    *out = 0;
    for (i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        *out = *out << 4 | (uint32_t)digit;
    }
    return 0;
}

/* Decodes the JSON string `value` (as hearth_member() gave it) to terminated UTF-8 in `out`: its length, or -1 when it
 * is no string, is malformed, or needs more than `size` bytes. */
static inline ptrdiff_t hearth_string(const char *value, size_t length, char *out, size_t size) {
    size_t used = 0, i, count;
    char coded[4];
    if (!value || length < 2 || value[0] != '"' || value[length - 1] != '"') return -1;
    for (i = 1; i < length - 1; i++) {
        count = 1;
        coded[0] = value[i];
        if (value[i] == '\\') {
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
            uint32_t code, low;
            size_t e;
            if (++i >= length - 1) return -1;
            if (value[i] == 'u') {
                if (i + 4 > length - 2 || hearth_hex4(value + i + 1, &code)) return -1;
                i += 4;
                if (code >= 0xD800 && code < 0xDC00 && i + 6 <= length - 2 && value[i + 1] == '\\' &&
                    value[i + 2] == 'u' && !hearth_hex4(value + i + 3, &low) && low >= 0xDC00 && low < 0xE000) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    i += 6;
                }
                count = hearth_utf8(code, coded);
            } else {
                for (e = 0; from[e] && from[e] != value[i]; e++) {}
                if (!from[e]) return -1;
                coded[0] = to[e];
            }
        }
        if (used + count >= size) return -1;
        for (size_t c = 0; c < count; c++) out[used++] = coded[c];
    }
    if (used >= size) return -1;
    out[used] = 0;
    return (ptrdiff_t)used;
}

/* ---- The life of a function */

/* Says HELLO and takes INIT, which is then at function->init. 0, or -1: return hearth_status(). */
static inline int hearth_start(struct hearth_function *function, const char *runtime, const char *version) {
    static const char parts[3][40] = {"{\"protocol\":1,\"runtime\":\"", "\",\"version\":\"", "\"}"};
    const char *values[5];
    char hello[256];
    unsigned char *body;
    size_t length = 0, i, c;
    uint32_t invocation;
    int kind;
    function->status = HEARTH_EXIT_OK;
    function->start = function->end = 0;
    function->invocation = 0;
    function->max_result_bytes = 0;
    function->capacity = HEARTH_BUFFER_BYTES;
    function->buffer = (unsigned char *)HEARTH_REALLOC(NULL, function->capacity);
    if (!function->buffer) return hearth_stop(function, HEARTH_EXIT_FAILED);
    values[0] = parts[0], values[1] = runtime, values[2] = parts[1], values[3] = version, values[4] = parts[2];
    for (i = 0; i < 5; i++)
        for (c = 0; values[i][c] && length < sizeof hello; c++) hello[length++] = values[i][c];
    if (hearth_send(function, HEARTH_HELLO, 0, hello, length)) return -1;
    i = (size_t)hearth_receive(function, &kind, &invocation, &body, &length);
    if (i != 1) return -1; /* the agent left before INIT: status 0 */
    if (kind == HEARTH_SHUTDOWN) return hearth_stop(function, HEARTH_EXIT_OK);
    if (kind != HEARTH_INIT || invocation) return hearth_stop(function, HEARTH_EXIT_PROTOCOL);
    function->init = (const char *)body;
    function->init_length = length;
    {
        size_t digits = 0;
        const char *limit = hearth_member(function->init, length, "max_result_bytes", &digits);
        for (c = 0; limit && c < digits && limit[c] >= '0' && limit[c] <= '9'; c++)
            function->max_result_bytes = function->max_result_bytes * 10 + (uint64_t)(limit[c] - '0');
    }
    return 0;
}

/* The user's part is loaded. 0, or -1: return hearth_status(). */
static inline int hearth_ready(struct hearth_function *function) {
    return hearth_send(function, HEARTH_READY, 0, NULL, 0);
}

/* Appends a JSON string to out[used..<size - 1], cut where it does not fit; the new length. */
static inline size_t hearth_quote(const char *text, char *out, size_t used, size_t size) {
    static const char hex[] = "0123456789abcdef";
    out[used++] = '"';
    for (; *text && used + 8 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[used++] = '\\', out[used++] = (char)c;
        } else if (c < 0x20) {
            out[used++] = '\\', out[used++] = 'u', out[used++] = '0', out[used++] = '0';
            out[used++] = hex[c >> 4], out[used++] = hex[c & 15];
        } else {
            out[used++] = (char)c;
        }
    }
    out[used++] = '"';
    return used;
}

static inline int hearth_failure(struct hearth_function *function, int kind, const char *type, const char *message) {
    static const char parts[3][16] = {"{\"type\":", ",\"message\":", ",\"trace\":[]}"};
    char body[4096];
    size_t used = 0, i;
    for (i = 0; parts[0][i]; i++) body[used++] = parts[0][i];
    used = hearth_quote(type, body, used, 256);
    for (i = 0; parts[1][i]; i++) body[used++] = parts[1][i];
    used = hearth_quote(message, body, used, sizeof body - sizeof parts[2]);
    for (i = 0; parts[2][i]; i++) body[used++] = parts[2][i];
    return hearth_send(function, kind, function->invocation, body, used);
}

static inline void hearth_flush(void) {
#ifndef HEARTH_NO_STDIO
    fflush(stdout); /* no system call when nothing was printed */
#endif
}

/* Loading failed: tells the agent, and returns the status to exit with. */
static inline int hearth_init_error(struct hearth_function *function, const char *type, const char *message) {
    hearth_flush();
    function->invocation = 0;
    hearth_failure(function, HEARTH_INIT_ERROR, type, message);
    return HEARTH_EXIT_FAILED;
}

/* Ends the invocation with an error. 0, or -1: the next hearth_next() says 0. */
static inline int hearth_error(struct hearth_function *function, const char *type, const char *message) {
    int sent;
    if (!function->invocation) return -1;
    hearth_flush();
    sent = hearth_failure(function, HEARTH_ERROR, type, message);
    function->invocation = 0;
    return sent;
}

static inline int hearth_fits(struct hearth_function *function, size_t length) {
    function->sent += length;
    if (!function->max_result_bytes || function->sent <= function->max_result_bytes) return 1;
    hearth_error(function, "Function.ResponseSizeTooLarge", "the result is longer than the function's limit");
    return 0;
}

/* Ends the invocation with its result (or the last part of it, after chunks). A result over max_result_bytes is
 * answered with an error instead. 0, or -1. */
static inline int hearth_reply(struct hearth_function *function, const void *body, size_t length) {
    int sent;
    if (!function->invocation || !hearth_fits(function, length)) return -1;
    hearth_flush();
    sent = hearth_send(function, HEARTH_RESULT, function->invocation, body, length);
    function->invocation = 0;
    return sent;
}

/* Sends a part of the result at once. 0, or -1: the invocation has been ended, as by hearth_error(). */
static inline int hearth_chunk(struct hearth_function *function, const void *body, size_t length) {
    const unsigned char *at = (const unsigned char *)body;
    if (!function->invocation || !hearth_fits(function, length)) return -1;
    while (length) {
        size_t part = length < HEARTH_MAX_PIECE_BYTES ? length : (size_t)HEARTH_MAX_PIECE_BYTES;
        if (hearth_send(function, HEARTH_CHUNK, function->invocation, at, part)) return -1;
        at += part;
        length -= part;
    }
    return 0;
}

/* Waits for an invocation: 1, or 0 when the function must end with hearth_status(). An invocation that was not
 * answered gets an error. */
static inline int hearth_next(struct hearth_function *function, struct hearth_invocation *call) {
    unsigned char *body;
    size_t length, context;
    uint32_t invocation;
    int kind;
    if (function->invocation) hearth_error(function, "Runtime.NeverSettled", "the function went on without an answer");
    if (function->status || hearth_receive(function, &kind, &invocation, &body, &length) != 1) return 0;
    if (kind == HEARTH_SHUTDOWN) return 0;
    if (kind != HEARTH_INVOKE || !invocation || length < 12 || (context = hearth_load32(body + 8)) > length - 12) {
        hearth_stop(function, HEARTH_EXIT_PROTOCOL);
        return 0;
    }
    function->invocation = invocation;
    function->sent = 0;
    call->remaining_ns = (uint64_t)hearth_load32(body) << 32 | hearth_load32(body + 4);
    call->context = (const char *)body + 12;
    call->context_length = context;
    call->payload = body + 12 + context;
    call->payload_length = length - 12 - context;
    return 1;
}

#ifndef HEARTH_FREESTANDING
#undef hearth_piece
#endif
#endif
