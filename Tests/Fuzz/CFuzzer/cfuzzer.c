#include "cfuzzer.h"

// libFuzzer's own main, which is linked but never runs, refers to this.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)data, (void)size;
    return 0;
}
