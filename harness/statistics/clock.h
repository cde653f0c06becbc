/* Time that only goes forward, for durations and speeds. */
#ifndef HARNESS_STATISTICS_CLOCK_H
#define HARNESS_STATISTICS_CLOCK_H

#include <time.h>

/* Seconds since some fixed moment: of no meaning but in differences. */
static inline double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
