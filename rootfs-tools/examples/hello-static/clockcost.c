/* What the clock reading of stamp.c costs: the system call against the vDSO, in nanoseconds a call. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20, CALLS = 100000 };

static double cost(int by_system_call) {
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec start, end, now;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int call = 0; call < CALLS; call++)
            if (by_system_call) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
            else clock_gettime(CLOCK_MONOTONIC, &now);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double each = ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / CALLS;
        if (each < best) best = each;
    }
    return best;
}

int main(void) {
    printf("system call %.0f ns, vDSO %.0f ns\n", cost(1), cost(0));
    return 0;
}
