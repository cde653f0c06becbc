#include "detector/backend/gemm.h"

#include "detector/layers/transpose.h"

#include <cblas.h>
#include <stddef.h>
#include <string.h>

/* OpenBLAS copies its operands before it multiplies, except that its kernels for AVX-512 leave that
 * out where m n k is at most SMALL: there they reach their full speed, where a copied product of the
 * sizes of small models reaches two thirds. So on such a core a product of up to MEDIUM is cut into
 * small ones, unless B is transposed: those kernels are no faster. The cut depends on the sizes
 * alone. */
#define SMALL 1e6
#define MEDIUM 64e6
#define COLUMNS 64 /* of a block of B: K_BLOCK x COLUMNS floats stay in a level 1 or 2 cache */
#define K_BLOCK 256
#define ROW_STEP 16
#define COLLECT_ROWS 32 /* of A: fewer do not pay for copying a block of B */

static int has_small_kernels;

void det_gemm_use_one_thread(void)
{
    openblas_set_num_threads(1);
    has_small_kernels = strcmp(openblas_get_corename(), "SkylakeX") == 0;
}

static void scale(int m, int n, float beta, float *c, int ldc)
{
    for (int i = 0; i < m; i++) {
        float *row = c + (size_t)i * (size_t)ldc;
        for (int j = 0; j < n; j++)
            row[j] = beta == 0.0f ? 0.0f : beta * row[j];
    }
}

struct product {
    enum det_transpose ta, tb;
    int m, n, k;
    float alpha;
    const float *a;
    int lda;
    const float *b;
    int ldb;
    float beta;
    float *c;
    int ldc;
};

static void multiply(const struct product *p)
{
    cblas_sgemm(CblasRowMajor, p->ta == DET_TRANSPOSE ? CblasTrans : CblasNoTrans,
                p->tb == DET_TRANSPOSE ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, p->alpha,
                p->a, p->lda, p->b, p->ldb, p->beta, p->c, p->ldc);
}

/* The length of even parts of n, a multiple of `step`, none longer than `most`. */
static int even_part(int n, int most, int step)
{
    int parts = (n + most - 1) / most;
    int part = (n + parts - 1) / parts;
    return (part + step - 1) / step * step;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* A block of columns and of k: as small products of some rows each. */
static void multiply_rows(const struct product *block)
{
    int most = (int)(SMALL / block->n / block->k) / ROW_STEP * ROW_STEP;
    int rows = even_part(block->m, most, ROW_STEP);
    for (int i = 0; i < block->m; i += rows) {
        struct product part = *block;
        part.m = min_int(rows, block->m - i);
        part.a += (size_t)i * (block->ta == DET_TRANSPOSE ? 1 : (size_t)block->lda);
        part.c += (size_t)i * (size_t)block->ldc;
        multiply(&part);
    }
}

/* B's block by itself: rows a power of two apart would share few lines of the cache. */
static void collect_b(struct product *block, float collected[K_BLOCK * COLUMNS])
{
    for (int l = 0; l < block->k; l++)
        memcpy(collected + l * COLUMNS, block->b + (size_t)l * (size_t)block->ldb,
               (size_t)block->n * sizeof *collected);
    block->b = collected;
    block->ldb = COLUMNS;
}

static void multiply_blocks(const struct product *p)
{
    float collected[K_BLOCK * COLUMNS];
    int columns = even_part(p->n, COLUMNS, ROW_STEP);
    int depth = even_part(p->k, K_BLOCK, 1);
    for (int j = 0; j < p->n; j += columns)
        for (int l = 0; l < p->k; l += depth) {
            struct product block = *p;
            size_t down = (size_t)l;
            size_t right = (size_t)j;
            block.n = min_int(columns, p->n - j);
            block.k = min_int(depth, p->k - l);
            block.a += p->ta == DET_TRANSPOSE ? down * (size_t)p->lda : down;
            block.b += down * (size_t)p->ldb + right;
            block.c += right;
            block.beta = l == 0 ? p->beta : 1.0f;
            if (p->m >= COLLECT_ROWS)
                collect_b(&block, collected);
            multiply_rows(&block);
        }
}

void det_gemm(enum det_transpose ta, enum det_transpose tb, int m, int n, int k, float alpha,
              const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    struct product p = {ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
    double size = (double)m * n * k;
    if (m == 0 || n == 0)
        return;
    if (k == 0)
        scale(m, n, beta, c, ldc);
    else if (has_small_kernels && tb == DET_NO_TRANSPOSE && size > SMALL && size <= MEDIUM)
        multiply_blocks(&p);
    else
        multiply(&p);
}

const char *det_gemm_core(void)
{
    return openblas_get_corename();
}

const char *det_gemm_config(void)
{
    return openblas_get_config();
}
