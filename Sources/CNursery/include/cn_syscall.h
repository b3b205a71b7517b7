// Raw system calls: the whole of what depends on the processor, with start.c. Each returns the kernel's value: a negative
// number is minus the errno.
#pragma once
#include <asm/unistd.h>
#include <stdint.h>

#if defined(CN_SIMULATED)  // Tests/Fuzz: the kernel is pretended
long cn_call6(long n, long a, long b, long c, long d, long e, long f);
#elif defined(__x86_64__)
static inline long cn_call6(long n, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}
#elif defined(__aarch64__)
static inline long cn_call6(long n, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "hearth-nursery: add this processor's system call, entry point and vfork to CNursery"
#endif

static inline long cn_call0(long n) { return cn_call6(n, 0, 0, 0, 0, 0, 0); }
static inline long cn_call1(long n, long a) { return cn_call6(n, a, 0, 0, 0, 0, 0); }
static inline long cn_call2(long n, long a, long b) { return cn_call6(n, a, b, 0, 0, 0, 0); }
static inline long cn_call3(long n, long a, long b, long c) { return cn_call6(n, a, b, c, 0, 0, 0); }
static inline long cn_call4(long n, long a, long b, long c, long d) { return cn_call6(n, a, b, c, d, 0, 0); }
static inline long cn_call5(long n, long a, long b, long c, long d, long e) { return cn_call6(n, a, b, c, d, e, 0); }
