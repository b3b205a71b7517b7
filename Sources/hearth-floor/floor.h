// The C floor: what a sandbox costs the kernel when a careful C program asks for it and nothing else stands between.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// ---- errors and time (report.c)

// Prints "hearth-floor: MESSAGE: errno text; REMEDY" and ends the program with status 1. errno 0 prints no text.
_Noreturn void fail(int error, const char *remedy, const char *format, ...) __attribute__((format(printf, 3, 4)));
int64_t monotonic_ns(void);
// Sorts `values` and prints n, p50, p90, p99, min as one JSON row, or as a line for people.
void print_summary(const char *name, int64_t *values, size_t count, bool json);

// ---- the cgroup subtree (cgroup.c)

struct cgroup_tree {
    char path[4096];         // our own directory under the v2 mount
    int fd;
    char leaf[32];           // the one that exists now, if any
    unsigned long held;      // leaves s0 to s(held - 1) exist beside it
    bool cpu, memory, pids;  // the controllers that its leaves have
};
// Makes `hearth-floor.PID` under the process's own place in the cgroup v2 mount and enables what controllers it can.
// It is removed by the call below, at exit, and by the usual signals.
void cgroup_tree_create(struct cgroup_tree *tree);
void cgroup_tree_remove(struct cgroup_tree *tree);
// A leaf with the limits of a sandbox, where the controllers for them exist. Returns a directory descriptor.
int cgroup_leaf_create(struct cgroup_tree *tree, unsigned long id);
void cgroup_leaf_remove(struct cgroup_tree *tree);

// ---- the place that sandboxes are cloned from (stage.c)

struct stage {
    int proc;  // the host's /proc: the children's id maps are written through it
};
// Moves this process into a mount namespace of its own that holds three things: /proc, and under /image the read-only
// image with its /usr, its /dev and `program` as /app/program. A clone copies every mount of its parent's namespace,
// so a small one is where a careful program clones from.
void stage_enter(struct stage *stage, const char *program);

// ---- one sandbox (sandbox.c)

enum { SANDBOX_TRACE_STEPS = 16 };
struct sandbox_trace {
    int count;
    const char *name[SANDBOX_TRACE_STEPS];
    int64_t at[SANDBOX_TRACE_STEPS];
};

// When a sandbox's cgroup is made: before the measured time starts, in it, or once for all sandboxes of a factory.
enum cgroup_policy { CGROUP_AHEAD, CGROUP_TIMED, CGROUP_REUSED };

struct sandbox_options {
    const char *program;   // a static executable that stamps
    const char *argument;  // its argument, or NULL
    size_t netns_ahead;    // network namespaces made ahead and used in turn; 0: each sandbox gets a new one
    enum cgroup_policy cgroup;
};

struct sandbox_factory {
    struct cgroup_tree cgroups;
    struct stage stage;
    int output[2];  // the program's stdout
    int *netns;
    size_t netns_count;
    enum cgroup_policy cgroup_policy;
    int cgroup;  // the leaf of the sandbox under way, or the reused one; -1: none
    char *stack;
    const char *argument;
    unsigned long made;
    int64_t started;  // when the last creation began
};
void sandbox_factory_open(struct sandbox_factory *factory, const struct sandbox_options *options);
void sandbox_factory_close(struct sandbox_factory *factory);
// Creates one sandbox, waits for its program to say when it began, reaps it and removes its cgroup.
// Returns the nanoseconds from the start of the work to the program's first act.
int64_t sandbox_create(struct sandbox_factory *factory, struct sandbox_trace *trace);
// Creates one sandbox whose program stays: it, its cgroup and its pidfd are there until the factory is closed.
void sandbox_hold(struct sandbox_factory *factory);

// ---- the modes

int churn_run(const struct sandbox_options *options, double seconds, int parallel, bool json);
// One or two hops.
int relay_run(const char *path, int hops);
// For each line of stdin one run of `command`, whose stdout must begin with a stamp; `to_exit` takes the time to its end
// instead.
int spawn_run(char **command, bool cgroup2, bool to_exit);
// For each number read from stdin so many sandboxes more, which stay until stdin ends.
int hold_run(const struct sandbox_options *options);
// A `native` function that answers every invocation with its payload (protocol/FUNCTION.md).
int function_run(void);
