/* bfloat16: the upper half of a float32. */
#ifndef DET_BODIES_BF16_H
#define DET_BODIES_BF16_H

#include "detector/bodies/host_device.h"

#include <stdint.h>
#include <string.h>

/* Round to the nearest bfloat16, ties to even, kept in a float. Overflow goes to infinity; infinity
 * and the sign of zero stay; a NaN stays a NaN (made quiet, so that cutting its low half cannot
 * turn it into an infinity). */
DET_BODY float det_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        bits |= 0x00400000u;
    else
        bits += 0x7FFFu + ((bits >> 16) & 1u);
    bits &= 0xFFFF0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
