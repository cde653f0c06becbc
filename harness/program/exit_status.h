/* What the program's exit status says; the same for every command. */
#ifndef HARNESS_EXIT_STATUS_H
#define HARNESS_EXIT_STATUS_H

#include "detector/base/status.h"

enum exit_status {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1,       /* a verdict or a comparison failed */
    STATUS_BAD_INPUT = 2,    /* bad usage or input: one line on stderr */
    STATUS_CANNOT_RUN = 77,  /* not on this machine: no GPU (Meson counts it as skipped) */
    STATUS_CANNOT_TEST = 125 /* a commit that does not build (git bisect skips it) */
};

/* The status that an error of the library ends the program with. */
static inline int exit_status_of(enum det_code code)
{
    switch (code) {
    case DET_OK:
        return STATUS_GOOD;
    case DET_NOT_FINITE:
        return STATUS_FAILED;
    case DET_UNAVAILABLE:
        return STATUS_CANNOT_RUN;
    case DET_INVALID:
    case DET_IO:
    case DET_NO_MEMORY:
        break;
    }
    return STATUS_BAD_INPUT;
}

#endif
