/* Matrix transposition. Internal to layers/. */
#ifndef DET_LAYERS_TRANSPOSE_H
#define DET_LAYERS_TRANSPOSE_H

#include <stddef.h>
#include <string.h>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

/* A 4 x 4 block: to[j][i] = from[i][j]. */
static inline void det_transpose_block(const float *const from[4], float *const to[4])
{
#ifdef __SSE__
    __m128 a = _mm_loadu_ps(from[0]);
    __m128 b = _mm_loadu_ps(from[1]);
    __m128 c = _mm_loadu_ps(from[2]);
    __m128 d = _mm_loadu_ps(from[3]);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to[0], a);
    _mm_storeu_ps(to[1], b);
    _mm_storeu_ps(to[2], c);
    _mm_storeu_ps(to[3], d);
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            to[j][i] = from[i][j];
#endif
}

typedef float det_eight __attribute__((vector_size(32)));

/* An 8 x 8 block: to[j][i] = from[i][j]. Pairs of rows are interleaved, then pairs of pairs, then the
 * halves exchanged. Inlined always: what instructions it becomes is decided where it is called
 * (vector_targets.h). */
__attribute__((always_inline)) static inline void det_transpose_block8(const float *const from[8],
                                                                       float *const to[8])
{
    det_eight r[8];
    det_eight s[8];
    for (int i = 0; i < 8; i++)
        memcpy(&r[i], from[i], sizeof r[i]);
    for (int i = 0; i < 8; i += 2) {
        s[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        s[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            det_eight low = s[i + k];
            det_eight high = s[i + k + 2];
            r[i + 2 * k] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
            r[i + 2 * k + 1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        s[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        s[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (int i = 0; i < 8; i++)
        memcpy(to[i], &s[i], sizeof s[i]);
}

/* to[j * to_ld + i] = from[i * ld + j] for i < rows, j < columns; the two do not overlap. */
void det_transpose(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld);

#endif
