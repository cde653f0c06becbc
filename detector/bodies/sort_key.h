/* 64-bit keys that sort as (value, index): every order in this library is an order of such keys, so
 * ties go to the lower index and a NaN cannot make comparisons contradict one another. */
#ifndef DET_BODIES_SORT_KEY_H
#define DET_BODIES_SORT_KEY_H

#include "detector/bodies/host_device.h"

#include <stdint.h>
#include <string.h>

DET_BODY uint64_t det_key(uint32_t value, uint32_t index)
{
    return (uint64_t)value << 32 | index;
}

/* Ascending keys = descending score, then ascending index. -0 and 0 tie. */
DET_BODY uint64_t det_key_descending(float score, uint32_t index)
{
    float plus = score + 0.0f;
    uint32_t bits;
    memcpy(&bits, &plus, sizeof bits);
    uint32_t ascending = bits ^ (0x80000000u | (0u - (bits >> 31)));
    return det_key(~ascending, index);
}

DET_BODY uint32_t det_key_index(uint64_t key)
{
    return (uint32_t)key;
}

/* The score that det_key_descending was given; 0 for -0. */
DET_BODY float det_key_score(uint64_t key)
{
    uint32_t ascending = ~(uint32_t)(key >> 32);
    uint32_t bits = ascending & 0x80000000u ? ascending ^ 0x80000000u : ~ascending;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

#endif
