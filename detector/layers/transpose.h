/* Matrix transposition. Internal to layers/. */
#ifndef DET_LAYERS_TRANSPOSE_H
#define DET_LAYERS_TRANSPOSE_H

#include <stddef.h>

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

/* to[j * to_ld + i] = from[i * ld + j] for i < rows, j < columns; the two do not overlap. */
void det_transpose(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld);

#endif
