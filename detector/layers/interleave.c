#include "detector/layers/interleave.h"

#include "detector/bodies/affine.h"

#define GROUP 4 /* channels whose blocks share a cache line: their maps are written side by side   \
                 */

/* The compilers' own vectors: pairs of columns would stay scalar in plain loops. */
typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* A block (tap = 2 row + column) of one position. */
static void place_block(const float *z, float bias, int relu, float *top, float *bottom)
{
    top[0] = det_biased(z[0], bias, relu);
    top[1] = det_biased(z[1], bias, relu);
    bottom[0] = det_biased(z[2], bias, relu);
    bottom[1] = det_biased(z[3], bias, relu);
}

static quad biased(quad x, float bias, int relu)
{
    typedef int mask __attribute__((vector_size(16)));
    quad y = x + bias;
    return relu ? (quad)((mask)y & ~(y < 0.0f)) : y; /* NaN stays, as in det_relu */
}

/* One channel's row. `step` floats lie between the blocks of neighbours. */
static void interleave_channel(const float *z, size_t step, int w, float bias, int relu, float *to)
{
    int whole = w - w % 2;
    for (int j = 0; j < whole; j += 2, z += 2 * step) {
        quad left = biased(*(const quad *)z, bias, relu);
        quad right = biased(*(const quad *)(z + step), bias, relu);
        *(quad *)(to + 2 * j) = __builtin_shufflevector(left, right, 0, 1, 4, 5);
        *(quad *)(to + 2 * (w + j)) = __builtin_shufflevector(left, right, 2, 3, 6, 7);
    }
    if (whole < w)
        place_block(z, bias, relu, to + 2 * whole, to + 2 * (w + whole));
}

void det_interleave(const float *z, int h, int w, int c, const float *bias, int relu, float *y)
{
    size_t step = (size_t)(4 * c);
    for (int first = 0; first < c; first += GROUP)
        for (int i = 0; i < h; i++)
            for (int k = first; k < c && k < first + GROUP; k++)
                interleave_channel(z + (size_t)(i * w) * step + 4 * k, step, w,
                                   bias ? bias[k] : 0.0f, relu, y + (size_t)(4 * (k * h + i) * w));
}

static void deinterleave_channel(const float *from, int w, size_t step, float *z)
{
    int whole = w - w % 2;
    for (int j = 0; j < whole; j += 2, z += 2 * step) {
        quad top = *(const quad *)(from + 2 * j);
        quad bottom = *(const quad *)(from + 2 * (w + j));
        *(quad *)z = __builtin_shufflevector(top, bottom, 0, 1, 4, 5);
        *(quad *)(z + step) = __builtin_shufflevector(top, bottom, 2, 3, 6, 7);
    }
    for (int t = 0; whole < w && t < 4; t++)
        z[t] = from[2 * (t / 2 * w + whole) + t % 2];
}

void det_deinterleave(const float *y, int h, int w, int c, float *z)
{
    size_t step = (size_t)(4 * c);
    for (int first = 0; first < c; first += GROUP)
        for (int i = 0; i < h; i++)
            for (int k = first; k < c && k < first + GROUP; k++)
                deinterleave_channel(y + (size_t)(4 * (k * h + i) * w), w, step,
                                     z + (size_t)(i * w) * step + 4 * k);
}
