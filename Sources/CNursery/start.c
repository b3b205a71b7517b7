// Entry point, the four functions that every compiler may call, and vfork: with cn_syscall.h all that knows the processor.
#include "cnursery.h"

extern int main(int, char **);

_Noreturn void cn_exit(int status) {
    for (;;) cn_call1(__NR_exit_group, status);
}

static int argument_count;
static char **arguments;
int cn_argument_count(void) { return argument_count; }
char *cn_argument(int index) { return index < argument_count ? arguments[index] : NULL; }

__attribute__((used)) void cn_start(long *stack) {
    argument_count = (int)stack[0];
    arguments = (char **)(stack + 1);
    cn_exit(main((int)stack[0], (char **)(stack + 1)));
}

enum { MADV_DONTNEED_ = 4, PAGE = 4096, DEEPEST = 128 * 1024 };

// What PID 1 works with, side by side so that one call gives back all that lies beneath its frame: a request with what a SPAWN
// builds beside it, the stack of a program before its exec, its own stack. The service's state lies at the upper end of that,
// so that both are one page while PID 1 waits.
static struct {
    unsigned char request[128 * 1024 + 24 * 1024];
    unsigned char vfork_stack[16384];
    unsigned char stack[65536];
} service __attribute__((aligned(4096)));

enum { SERVICE_STATE = 512 };
void *cn_service_state(size_t size) {
    return size <= SERVICE_STATE ? service.stack + sizeof service.stack - SERVICE_STATE : NULL;
}
void *cn_service_request(size_t size) { return size <= sizeof service.request ? service.request : NULL; }
void *cn_vfork_stack_top(void) { return service.vfork_stack + sizeof service.vfork_stack; }

_Noreturn void cn_switch_stack(void (*fn)(void *), void *arg, void *stack_top);
_Noreturn void cn_serve(void (*fn)(void *)) {
    void *state = cn_service_state(0);
    cn_switch_stack(fn, state, state);
}

// What PID 1 was born on, the nursery's frames and its command line among it: nothing of that is read again.
void cn_leave_birth_stack(void) {
    const char *last = argument_count > 0 ? arguments[argument_count - 1] : (const char *)arguments;
    size_t end = ((size_t)last & ~(size_t)(PAGE - 1)) + PAGE;
    argument_count = 0;
    cn_call3(__NR_madvise, (long)(end - DEEPEST), DEEPEST, MADV_DONTNEED_);
}

__attribute__((noinline)) void cn_release_stack(void) {
    char here;
    size_t end = ((size_t)&here - 512) & ~(size_t)(PAGE - 1);
    cn_call3(__NR_madvise, (long)(end - DEEPEST), DEEPEST, MADV_DONTNEED_);
}

// A page that is let go comes back when it is touched: code from its file, a stack as zeroes that nobody reads.
__attribute__((noinline)) void cn_settle(void) {
    extern unsigned char cn_birth_start[], cn_birth_end[];
    char here;
    // Past the red zone of whoever calls (128 bytes in the x86-64 ABI); what lies beneath is no longer in use.
    size_t end = ((size_t)&here - 512) & ~(size_t)(PAGE - 1);
    cn_call3(__NR_madvise, (long)cn_birth_start, cn_birth_end - cn_birth_start, MADV_DONTNEED_);
    cn_call3(__NR_madvise, (long)&service, (long)(end - (size_t)&service), MADV_DONTNEED_);
}

#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call cn_start\n hlt\n");
// clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack): r8 and r9 survive the call and carry fn and arg to the new stack.
__asm__(".globl cn_vfork_call\n"
        "cn_vfork_call: mov %rdi,%r8\n mov %rsi,%r9\n mov %rdx,%rsi\n mov $0x4111,%edi\n xor %edx,%edx\n"
        " xor %r10d,%r10d\n mov $56,%eax\n syscall\n test %rax,%rax\n jz 1f\n ret\n"
        "1: xor %ebp,%ebp\n mov %r9,%rdi\n call *%r8\n mov $127,%edi\n mov $231,%eax\n syscall\n hlt\n");
__asm__(".globl cn_switch_stack\n"
        "cn_switch_stack: mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsp\n xor %ebp,%ebp\n call *%rax\n hlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start: mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n bl cn_start\n brk #0\n");
__asm__(".globl cn_vfork_call\n"
        "cn_vfork_call: mov x5,x0\n mov x6,x1\n mov x1,x2\n mov x0,#0x4111\n mov x2,#0\n mov x3,#0\n mov x4,#0\n"
        " mov x8,#220\n svc #0\n cbz x0,1f\n ret\n"
        "1: mov x29,#0\n mov x0,x6\n blr x5\n mov x0,#127\n mov x8,#94\n svc #0\n brk #0\n");
__asm__(".globl cn_switch_stack\n"
        "cn_switch_stack: mov x3,x0\n mov x0,x1\n mov sp,x2\n mov x29,#0\n mov x30,#0\n blr x3\n brk #0\n");
#endif

void *memset(void *d, int c, size_t n) {
    unsigned char *p = d;
    while (n--) *p++ = (unsigned char)c;
    return d;
}
void *memcpy(void *restrict d, const void *restrict s, size_t n) {
    unsigned char *p = d;
    const unsigned char *q = s;
    while (n--) *p++ = *q++;
    return d;
}
void *memmove(void *d, const void *s, size_t n) {
    unsigned char *p = d;
    const unsigned char *q = s;
    if (p < q)
        while (n--) *p++ = *q++;
    else
        while (n--) p[n] = q[n];
    return d;
}
int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *p = a, *q = b;
    for (; n; n--, p++, q++)
        if (*p != *q) return *p - *q;
    return 0;
}
// Embedded Swift may refer to an allocator for types that are never allocated here: there is no heap, by design.
int posix_memalign(void **out, size_t alignment, size_t size) {
    (void)out, (void)alignment, (void)size;
    return CN_ENOMEM;
}
void free(void *p) { (void)p; }
