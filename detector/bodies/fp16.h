/* IEEE 754 binary16, kept in a float. */
#ifndef DET_BODIES_FP16_H
#define DET_BODIES_FP16_H

#include "detector/bodies/host_device.h"

#include <stdint.h>
#include <string.h>

/* Round to the nearest binary16, ties to even. From 65520 on it is infinity; below 2^-14 the steps
 * are 2^-24 (subnormal numbers), and half of one goes to zero. Infinity and the sign of zero stay;
 * a NaN stays a NaN, made quiet. */
DET_BODY float det_fp16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits & 0x80000000u;
    uint32_t size = bits ^ sign;
    if (size > 0x7F800000u) {
        size = (size | 0x00400000u) & 0xFFFFE000u;
    } else if (size >= 0x477FF000u) {
        size = 0x7F800000u;
    } else if (size >= 0x38800000u) {
        size = (size + 0xFFFu + ((size >> 13) & 1u)) & 0xFFFFE000u;
    } else { /* floats in [0.5, 1) are 2^-24 apart: the sum rounds as wanted, and 0.5 is even */
        float small;
        memcpy(&small, &size, sizeof small);
        small = (small + 0.5f) - 0.5f;
        memcpy(&size, &small, sizeof size);
    }
    bits = sign | size;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
