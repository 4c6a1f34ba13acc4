/* An NVIDIA driver's library, libnvidia-ml.so.1, of which nothing ever comes back. */
#include <unistd.h>

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    for (;;) pause();
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
