// zlib as Debian ships it (zlib1g-dev). inflateInit2 is a macro, which Swift cannot import.
#ifndef HEARTH_CZLIB_SHIM_H
#define HEARTH_CZLIB_SHIM_H
#include <zlib.h>

/// Starts a gzip decoder (window bits 15, +16: gzip header and CRC are required and checked).
static inline int hearth_inflate_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
#endif
