/* How many rows of a padded array are live. */
#ifndef DET_BACKEND_CUDA_LIVE_H
#define DET_BACKEND_CUDA_LIVE_H

#include "detector/bodies/host_device.h"

#include <stddef.h>
#include <stdint.h>

/* *count clamped to max, or max where count is NULL: det_live (backend/cpu.h) inside a kernel. */
DET_BODY int det_live_rows(const int32_t *count, int max)
{
    return !count ? max : *count < 0 ? 0 : *count < max ? *count : max;
}

#endif
