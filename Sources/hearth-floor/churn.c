#define _GNU_SOURCE
#include "floor.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Each worker is a process with a stage and a cgroup subtree of its own, as the parts of one agent would not be: this
// is the most that the kernel gives.
static _Noreturn void work(const struct sandbox_options *options, double seconds, int64_t *made) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // not KILL: it removes its cgroups first
    struct sandbox_factory factory;
    sandbox_factory_open(&factory, options);
    for (int warm_up = 0; warm_up < 5; warm_up++) sandbox_create(&factory, NULL);
    int64_t end = monotonic_ns() + (int64_t)(seconds * 1e9);
    while (monotonic_ns() < end) {
        sandbox_create(&factory, NULL);
        ++*made;
    }
    sandbox_factory_close(&factory);
    _exit(0);
}

int churn_run(const struct sandbox_options *options, double seconds, int parallel, bool json) {
    size_t size = sizeof(int64_t) * (size_t)parallel;
    int64_t *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) fail(errno, "free some memory", "no counters");
    for (int i = 0; i < parallel; i++) {
        pid_t pid = fork();
        if (pid < 0) fail(errno, "use a smaller --parallel", "fork failed");
        if (pid == 0) work(options, seconds, &made[i]);
    }
    int failed = 0, status;
    while (wait(&status) > 0) failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (failed) fail(0, "see the messages above", "%d of %d workers failed", failed, parallel);
    int64_t total = 0;
    for (int i = 0; i < parallel; i++) total += made[i];
    const char *name = options->netns_ahead ? "floor.netns" : "floor";
    if (json)
        printf("{\"bench\":\"churn\",\"unit\":\"1/s\",\"rows\":[{\"name\":\"%s\",\"n\":%" PRId64
               ",\"seconds\":%.0f,\"parallel\":%d,\"rate\":%.1f}]}\n",
               name, total, seconds, parallel, (double)total / seconds);
    else
        printf("%s: %" PRId64 " sandboxes in %.0f s by %d processes, %.0f a second\n", name, total, seconds, parallel,
               (double)total / seconds);
    return 0;
}
