// A kernel that is only pretended, so that the nursery and PID 1 can be run on any input within one process: every system call
// of theirs comes here instead. Nothing outside this process is touched.
//
// It is strict where the real one is lenient: a descriptor that is not open, a pointer to too few bytes, a signal to a process
// that the caller does not own, or a descriptor left open at the end stops the program with a message.
#pragma once
#include <stdint.h>
#include <stddef.h>

// What the input is: byte 0 says how likely a call fails (of 256), bytes 1-4 seed what is left to chance, then packets:
// length (two bytes, little-endian), descriptors (one byte; 255: the peer hangs up), and the bytes.
struct sim_input {
    const uint8_t *bytes;
    size_t count;
};

// Runs `body` in a fresh world until it returns or exits. Descriptors 0 to 3 and `control` are open.
void sim_run(struct sim_input input, int control, void (*body)(void));
// From here on calls may fail; until then they do not.
void sim_allow_failures(void);
// Replies or answers that were sent, for an assertion that the code under test answered at all.
int sim_sent(void);
