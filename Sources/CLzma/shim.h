// liblzma as Debian ships it (liblzma-dev). LZMA_STREAM_INIT is a macro, which Swift cannot import.
#ifndef HEARTH_CLZMA_SHIM_H
#define HEARTH_CLZMA_SHIM_H
#include <lzma.h>

/// Starts an .xz decoder that goes on through concatenated streams, as xzcat does.
static inline lzma_ret hearth_xz_decoder(lzma_stream *stream, uint64_t memory_limit) {
    lzma_stream fresh = LZMA_STREAM_INIT;
    *stream = fresh;
    return lzma_stream_decoder(stream, memory_limit, LZMA_CONCATENATED);
}
#endif
