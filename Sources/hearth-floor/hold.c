#define _GNU_SOURCE
#include "floor.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int hold_run(const struct sandbox_options *options) {
    // A pidfd for each sandbox.
    struct rlimit files = {0, 0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sandbox_factory factory;
    sandbox_factory_open(&factory, options);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        long count = atol(line);
        for (long i = 0; i < count; i++) sandbox_hold(&factory);
        printf("%lu\n", factory.made);
        fflush(stdout);
    }
    free(line);
    sandbox_factory_close(&factory);
    return 0;
}
