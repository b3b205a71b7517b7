// The nursery's own C, compiled against the pretended kernel.
#include "../../../Sources/CNursery/kernel.c"
