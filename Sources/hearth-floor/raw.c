#include "raw.h"

// Written in assembly because the child comes back from the system call on an empty stack: there is no frame of the
// caller for it to return to.
#if defined(__x86_64__)
__asm__(
    ".text\n.globl raw_clone\n.type raw_clone,@function\nraw_clone:\n"
    "  mov %rcx, %r8\n"  // the syscall instruction overwrites rcx
    "  mov $435, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz 1f\n"
    "  ret\n"
    "1: xor %ebp, %ebp\n"
    "  mov %r8, %rdi\n"
    "  call *%rdx\n"
    "  mov %eax, %edi\n"
    "  mov $60, %eax\n"
    "  syscall\n"
    ".size raw_clone, .-raw_clone\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n.globl raw_clone\n.type raw_clone,@function\nraw_clone:\n"
    "  mov x8, #435\n"
    "  svc 0\n"
    "  cbz x0, 1f\n"
    "  ret\n"
    "1: mov x29, #0\n"
    "  mov x0, x3\n"
    "  blr x2\n"
    "  mov x8, #93\n"
    "  svc 0\n"
    ".size raw_clone, .-raw_clone\n");
#endif
