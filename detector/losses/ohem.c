#include "detector/losses/ohem.h"

/* Radix selection: the threshold is found a byte at a time, from the highest, by counting how many
 * keys that agree with it so far have which next byte. */
struct det_ohem det_ohem_select(const uint32_t *keys, int n, int keep)
{
    struct det_ohem ohem = {UINT32_MAX, 0};
    if (keep <= 0)
        return ohem;
    uint32_t prefix = 0, mask = 0;
    int left = keep;
    for (int shift = 24; shift >= 0; shift -= 8) {
        int histogram[256] = {0};
        for (int i = 0; i < n; i++) {
            if ((keys[i] & mask) == prefix)
                histogram[(keys[i] >> shift) & 255u]++;
        }
        uint32_t byte = 255;
        while (histogram[byte] < left)
            left -= histogram[byte--];
        prefix |= byte << shift;
        mask |= 255u << shift;
    }
    ohem.threshold = prefix;
    ohem.ties = left;
    return ohem;
}
