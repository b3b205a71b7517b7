# The system calls of a sealed PID 1 that starts nothing more: it answers, passes signals on, and reaps.
#
# Every filter of PID 1 is inherited by what it starts later, so this one is only for a seal without spawning. A PID 1
# that goes on spawning is sealed with default.profile itself: what starting a program takes (clone, dup3, setresuid,
# capset, execve, seccomp) is all in there, its children need the same filter anyway, and it need not be sent again
# with every program.
#
# The order is that of one turn of its loop (InitServer.run).

default errno EPERM

# Waits for a request or a child's end; restart_syscall after a freeze or SIGSTOP.
allow ppoll restart_syscall
# Takes one request and closes what came with it; gives the memory back in which it lay (MADV_DONTNEED), and gets no new one.
allow recvmsg close
allow madvise if arg2 == 4
# Passes a signal on; reaps; reads the descriptor of SIGCHLD; answers with the time.
allow kill wait4 read sendmsg clock_gettime
# Both ends of its socket are gone, or the request was no request.
allow exit_group
