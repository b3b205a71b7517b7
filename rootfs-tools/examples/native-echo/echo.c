/* Answers every invocation with its own payload: one read(2) and one writev(2) a message. */
#define HEARTH_NO_STDIO
#include "hearth_function.h"

int main(void) {
    static struct hearth_function function;
    struct hearth_invocation call;
    if (hearth_start(&function, "c", "1.0") || hearth_ready(&function)) return hearth_status(&function);
    while (hearth_next(&function, &call)) hearth_reply(&function, call.payload, call.payload_length);
    return hearth_status(&function);
}
