// The cgroup device program of all sandboxes (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE; struct bpf_cgroup_dev_ctx of linux/bpf.h).
#define _GNU_SOURCE
#include "clinux.h"
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TYPE_CHARACTER = BPF_DEVCG_DEV_CHAR, MAKE = BPF_DEVCG_ACC_MKNOD };

#define LOAD(to, field) \
    { .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = 1, .off = offsetof(struct bpf_cgroup_dev_ctx, field) }
#define COPY(to, from) { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from) }
#define SET(to, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) }
#define AND(to, value) { .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = (to), .imm = (value) }
#define RIGHT(to, value) { .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = (to), .imm = (value) }
#define JUMP(test, reg, value, over) { .code = BPF_JMP | (test) | BPF_K, .dst_reg = (reg), .imm = (value), .off = (over) }
#define SKIP(over) { .code = BPF_JMP | BPF_JA, .off = (over) }
#define RETURN { .code = BPF_JMP | BPF_EXIT }

int clx_attach_device_filter(int group) {
    const struct bpf_insn program[] = {
        /*  0 */ LOAD(2, access_type),  // access << 16 | kind
        /*  1 */ LOAD(3, major),
        /*  2 */ LOAD(4, minor),
        /*  3 */ SET(0, 0),
        /*  4 */ COPY(5, 2),
        /*  5 */ AND(5, 0xffff),
        /*  6 */ JUMP(BPF_JNE, 5, TYPE_CHARACTER, 17),  // no block device
        /*  7 */ RIGHT(2, 16),
        /*  8 */ AND(2, MAKE),
        /*  9 */ JUMP(BPF_JNE, 2, 0, 14),  // nobody makes nodes in a sandbox
        /* 10 */ JUMP(BPF_JEQ, 3, 1, 4),
        /* 11 */ JUMP(BPF_JEQ, 3, 5, 9),
        /* 12 */ JUMP(BPF_JLT, 3, 136, 11),  // pseudo-terminals: 136 to 143
        /* 13 */ JUMP(BPF_JGT, 3, 143, 10),
        /* 14 */ SKIP(8),
        /* 15 */ JUMP(BPF_JEQ, 4, 3, 7),  // null
        /* 16 */ JUMP(BPF_JEQ, 4, 5, 6),  // zero
        /* 17 */ JUMP(BPF_JEQ, 4, 7, 5),  // full
        /* 18 */ JUMP(BPF_JEQ, 4, 8, 4),  // random
        /* 19 */ JUMP(BPF_JEQ, 4, 9, 3),  // urandom
        /* 20 */ SKIP(3),
        /* 21 */ JUMP(BPF_JEQ, 4, 0, 1),  // tty
        /* 22 */ JUMP(BPF_JNE, 4, 2, 1),  // ptmx
        /* 23 */ SET(0, 1),
        /* 24 */ RETURN,
    };
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = (uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof program[0];
    attributes.license = (uintptr_t) "Apache-2.0";
    const int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
    if (loaded < 0) return -1;
    // Without flags: it takes the place of one that an earlier hearthd attached, and nothing below can attach another.
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (unsigned)group;
    attributes.attach_bpf_fd = (unsigned)loaded;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    const int result = (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
    close(loaded);
    return result;
}
