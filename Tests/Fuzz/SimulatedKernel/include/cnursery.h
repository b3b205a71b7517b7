// The nursery's own header, with its system calls going to simulated.c.
#pragma once
#define CN_SIMULATED 1
#include "../../../../Sources/CNursery/include/cnursery.h"
