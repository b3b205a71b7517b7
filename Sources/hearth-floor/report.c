#define _GNU_SOURCE
#include "floor.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fail(int error, const char *remedy, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("hearth-floor: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (error != 0) fprintf(stderr, ": %s", strerror(error));
    fprintf(stderr, "; %s\n", remedy);
    exit(1);
}

int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// The nearest-rank percentile: always a value that was measured.
static int64_t percentile(const int64_t *sorted, size_t count, unsigned percent) {
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

void print_summary(const char *name, int64_t *values, size_t count, bool json) {
    qsort(values, count, sizeof *values, by_value);
    int64_t p50 = percentile(values, count, 50), p90 = percentile(values, count, 90);
    int64_t p99 = percentile(values, count, 99);
    if (json) {
        printf("{\"bench\":\"create\",\"unit\":\"us\",\"rows\":[{\"name\":\"%s\",\"n\":%zu,\"p50\":%.1f,\"p90\":%.1f,"
               "\"p99\":%.1f,\"min\":%.1f}]}\n",
               name, count, p50 / 1e3, p90 / 1e3, p99 / 1e3, values[0] / 1e3);
    } else {
        fprintf(stderr, "%s: n %zu, p50 %.1f us, p90 %.1f us, p99 %.1f us, least %.1f us\n", name, count, p50 / 1e3,
                p90 / 1e3, p99 / 1e3, values[0] / 1e3);
    }
}
