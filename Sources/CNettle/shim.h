// SHA-256 of Nettle as Debian ships it (nettle-dev); it uses the CPU's SHA instructions where there are any.
#ifndef HEARTH_CNETTLE_SHIM_H
#define HEARTH_CNETTLE_SHIM_H
#include <nettle/sha2.h>
#endif
