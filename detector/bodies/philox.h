/* Philox4x32-10: counter-based random numbers (Salmon, Moraes, Dror, Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011). A number is a function of what it is for (counter, key),
 * never of the order of calls. Known answer: counter 0, key 0 -> 6627e8d5 e169c58d bc57ac4c 9b00dbd8. */
#ifndef DET_BODIES_PHILOX_H
#define DET_BODIES_PHILOX_H

#include "detector/bodies/host_device.h"

#include <stdint.h>

struct det_philox {
    uint32_t word[4];
};

/* What a stream is for: the fourth counter word. 1 to 4 are fixed by the oracle vectors. */
enum det_philox_purpose {
    DET_PURPOSE_RPN_POSITIVE = 1,
    DET_PURPOSE_RPN_NEGATIVE = 2,
    DET_PURPOSE_ROI_POSITIVE = 3,
    DET_PURPOSE_ROI_NEGATIVE = 4,
    DET_PURPOSE_INIT = 5,    /* initial weights */
    DET_PURPOSE_SCENE = 6,   /* synthetic scenes: what stands where */
    DET_PURPOSE_TEXTURE = 7, /* synthetic scenes: pixel noise */
    DET_PURPOSE_ANNOTATE = 8, /* synthetic scenes: which objects are annotated */
    DET_PURPOSE_SHUFFLE = 9, /* order of the images */
};

/* The four words for counter (c0, c1, c2, purpose) and a 64-bit seed (low word first). */
DET_BODY struct det_philox det_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t purpose,
                                      uint64_t seed)
{
    struct det_philox x = {{c0, c1, c2, purpose}};
    uint32_t k0 = (uint32_t)seed;
    uint32_t k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * x.word[0];
        uint64_t b = (uint64_t)0xCD9E8D57u * x.word[2];
        struct det_philox y = {{(uint32_t)(b >> 32) ^ x.word[1] ^ k0, (uint32_t)b,
                                (uint32_t)(a >> 32) ^ x.word[3] ^ k1, (uint32_t)a}};
        x = y;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return x;
}

/* Uniform in [0, 1) with 24 bits, exact in float32. */
DET_BODY float det_philox_uniform(uint32_t word)
{
    return (float)(word >> 8) * (1.0f / 16777216.0f);
}

#endif
