#define _GNU_SOURCE
#define HEARTH_NO_STDIO
#include "../../rootfs-tools/runtimes/native/hearth_function.h"
#include "floor.h"

// What the agent's warm invocations are measured with: as little in the function as in the relay's echo process.
int function_run(void) {
    static struct hearth_function function;
    struct hearth_invocation call;
    if (hearth_start(&function, "c", "1.0") || hearth_ready(&function)) return hearth_status(&function);
    while (hearth_next(&function, &call)) hearth_reply(&function, call.payload, call.payload_length);
    return hearth_status(&function);
}
