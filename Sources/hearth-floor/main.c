#define _GNU_SOURCE
#include "floor.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "hearth-floor: what a sandbox costs the kernel, asked for by a small C program\n"
    "\n"
    "  hearth-floor create --binary PATH [--n N] [--netns new|premade] [--cgroup C] [--json] [--trace]\n"
    "      creates N sandboxes (200) one after another and prints for each the nanoseconds from the start of the\n"
    "      clone to the first act of PATH, a static program that writes its CLOCK_MONOTONIC to stdout (hearth-stamp)\n"
    "  hearth-floor serve --binary PATH [--netns new|premade] [--cgroup C]\n"
    "      one creation for each line read from stdin, so that several subjects can take turns in one run\n"
    "  hearth-floor churn --binary PATH [--seconds S] [--parallel P] [--netns new|premade] [--cgroup C] [--json]\n"
    "      creations, each with its end and its cleaning, for S seconds (5) by P processes (4)\n"
    "  hearth-floor hold --binary PATH\n"
    "      for each number read from stdin so many sandboxes more, whose program stays (it gets the argument \"hold\"),\n"
    "      until stdin ends\n"
    "  hearth-floor spawn [--cgroup2] [--exit] -- COMMAND...\n"
    "      as serve, for another program: runs COMMAND, which must lead to a program like PATH with the same stdout;\n"
    "      --cgroup2 shows it /sys/fs/cgroup as a machine with cgroup v2 alone has it, --exit takes the time to its end\n"
    "  hearth-floor relay --socket PATH [--hops 1|2]\n"
    "      listens on a Unix socket, says so on stdout, and passes 64-byte messages on to an echo process and back (two\n"
    "      hops), or answers them itself (one)\n"
    "  hearth-floor function\n"
    "      a `native` function that answers every invocation with its own payload\n"
    "\n"
    "  --cgroup says when a sandbox's cgroup is made: ahead (before the measured time), timed (in it), or reused (one\n"
    "  for all). --netns premade enters one of 16 network namespaces that are used in turn. --trace prints where the\n"
    "  time went.\n";

struct arguments {
    const char *mode, *binary, *socket;
    enum cgroup_policy cgroup;
    long count, parallel, hops;
    double seconds;
    bool premade, json, trace, cgroup2, to_exit;
    char **command;
};

static _Noreturn void refuse(const char *what, const char *value) {
    fprintf(stderr, "hearth-floor: %s%s%s; see hearth-floor --help\n", what, value ? ": " : "", value ? value : "");
    exit(2);
}

static long positive(const char *name, const char *text, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 1 || value > most) {
        fprintf(stderr, "hearth-floor: %s must be a whole number from 1 to %ld, not \"%s\"\n", name, most, text);
        exit(2);
    }
    return value;
}

static bool one_of(const char *name, const char *text, const char *no, const char *yes) {
    if (strcmp(text, yes) == 0) return true;
    if (strcmp(text, no) == 0) return false;
    fprintf(stderr, "hearth-floor: %s must be %s or %s, not \"%s\"\n", name, no, yes, text);
    exit(2);
}

static enum cgroup_policy cgroup_policy(const char *text) {
    if (strcmp(text, "ahead") == 0) return CGROUP_AHEAD;
    if (strcmp(text, "timed") == 0) return CGROUP_TIMED;
    if (strcmp(text, "reused") == 0) return CGROUP_REUSED;
    refuse("--cgroup must be ahead, timed or reused, not", text);
}

static struct arguments parse(int argc, char **argv) {
    static const struct option options[] = {
        {"binary", required_argument, NULL, 'b'},  {"n", required_argument, NULL, 'n'},
        {"netns", required_argument, NULL, 'N'},   {"cgroup", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},          {"trace", no_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'}, {"parallel", required_argument, NULL, 'p'},
        {"socket", required_argument, NULL, 'S'},  {"cgroup2", no_argument, NULL, '2'},
        {"exit", no_argument, NULL, 'e'},          {"hops", required_argument, NULL, 'H'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    if (argc < 2) refuse("a mode is missing (create, serve, churn, hold, spawn, relay or function)", NULL);
    // The mode comes first; the options and, for spawn, the command follow it.
    bool has_mode = argv[1][0] != '-';
    if (has_mode) optind = 2;
    struct arguments arguments = {.mode = argv[1], .count = 200, .parallel = 4, .hops = 2, .seconds = 5};
    for (int option; (option = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
        switch (option) {
        case 'b': arguments.binary = optarg; break;
        case 'n': arguments.count = positive("--n", optarg, 1000000); break;
        case 'N': arguments.premade = one_of("--netns", optarg, "new", "premade"); break;
        case 'c': arguments.cgroup = cgroup_policy(optarg); break;
        case 'j': arguments.json = true; break;
        case 't': arguments.trace = true; break;
        case 's': arguments.seconds = (double)positive("--seconds", optarg, 3600); break;
        case 'p': arguments.parallel = positive("--parallel", optarg, 256); break;
        case 'S': arguments.socket = optarg; break;
        case 'e': arguments.to_exit = true; break;
        case 'H': arguments.hops = positive("--hops", optarg, 2); break;
        case '2': arguments.cgroup2 = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        default: refuse("the arguments were not understood", NULL);
        }
    }
    if (!has_mode) refuse("the mode must come first (create, serve, churn, hold, spawn, relay or function)", NULL);
    arguments.command = argv + optind;
    if (optind < argc && strcmp(arguments.mode, "spawn") != 0) refuse("one argument too many", argv[optind]);
    return arguments;
}

// The mean time from each mark of the child to the next, over all creations: where the time goes.
static void print_trace(const struct sandbox_trace *traces, const int64_t *totals, const int64_t *starts, long count) {
    int steps = traces[0].count;
    double previous = 0, total = 0;
    for (int step = 0; step < steps; step++) {
        double sum = 0;
        for (long i = 0; i < count; i++) sum += (double)(traces[i].at[step] - starts[i]);
        double mean = sum / (double)count / 1e3;
        fprintf(stderr, "  %-12s %8.1f us\n", traces[0].name[step], mean - previous);
        previous = mean;
    }
    for (long i = 0; i < count; i++) total += (double)totals[i] / 1e3 / (double)count;
    fprintf(stderr, "  %-12s %8.1f us\n  %-12s %8.1f us (mean, with the marks' own cost)\n", "exec", total - previous,
            "total", total);
}

static int create_run(struct sandbox_factory *factory, const struct arguments *arguments) {
    int64_t *values = calloc((size_t)arguments->count, sizeof *values);
    int64_t *starts = calloc((size_t)arguments->count, sizeof *starts);
    struct sandbox_trace *traces = arguments->trace ? calloc((size_t)arguments->count, sizeof *traces) : NULL;
    if (!values || !starts || (arguments->trace && !traces)) fail(0, "use a smaller --n", "out of memory");
    for (int warm_up = 0; warm_up < 5; warm_up++) sandbox_create(factory, NULL);
    for (long i = 0; i < arguments->count; i++) {
        values[i] = sandbox_create(factory, traces ? &traces[i] : NULL);
        starts[i] = factory->started;
        if (!arguments->json) printf("%" PRId64 "\n", values[i]);
    }
    fflush(stdout);
    if (traces) print_trace(traces, values, starts, arguments->count);
    print_summary(arguments->premade ? "floor.netns" : "floor", values, (size_t)arguments->count, arguments->json);
    free(values);
    free(starts);
    free(traces);
    return 0;
}

static int serve_run(struct sandbox_factory *factory) {
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        printf("%" PRId64 "\n", sandbox_create(factory, NULL));
        fflush(stdout);
    }
    free(line);
    return 0;
}

int main(int argc, char **argv) {
    enum { NETNS_AHEAD = 16 };
    struct arguments arguments = parse(argc, argv);
    if (strcmp(arguments.mode, "relay") == 0) {
        if (!arguments.socket) refuse("relay needs --socket PATH", NULL);
        return relay_run(arguments.socket, (int)arguments.hops);
    }
    if (strcmp(arguments.mode, "spawn") == 0) {
        if (!arguments.command[0]) refuse("spawn needs a command after --", NULL);
        return spawn_run(arguments.command, arguments.cgroup2, arguments.to_exit);
    }
    if (strcmp(arguments.mode, "function") == 0) return function_run();
    bool create = strcmp(arguments.mode, "create") == 0, serve = strcmp(arguments.mode, "serve") == 0;
    bool churn = strcmp(arguments.mode, "churn") == 0, hold = strcmp(arguments.mode, "hold") == 0;
    if (!create && !serve && !churn && !hold) refuse("there is no such mode", arguments.mode);
    if (!arguments.binary) refuse("--binary PATH is missing", NULL);
    struct sandbox_options options = {
        .program = arguments.binary, .netns_ahead = arguments.premade ? NETNS_AHEAD : 0, .cgroup = arguments.cgroup};
    if (hold) {
        options.argument = "hold";
        return hold_run(&options);
    }
    if (churn) return churn_run(&options, arguments.seconds, (int)arguments.parallel, arguments.json);
    struct sandbox_factory factory;
    sandbox_factory_open(&factory, &options);
    int status = create ? create_run(&factory, &arguments) : serve_run(&factory);
    sandbox_factory_close(&factory);
    return status;
}
