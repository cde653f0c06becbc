/* The matrix product against a plain loop in double, and its edges. */
#include "detector/backend/gemm.h"
#include "suites/layers.h"

struct gemm_case {
    enum det_transpose ta, tb;
    int m, n, k;
    float alpha, beta;
};

static double element(const float *x, enum det_transpose t, int ld, int row, int column)
{
    return (double)(t == DET_TRANSPOSE ? x[column * ld + row] : x[row * ld + column]);
}

/* With leading dimensions wider than the rows: what lies between them must not change. */
static void check(const struct gemm_case *g)
{
    char name[96];
    snprintf(name, sizeof name, "%c%c m %d n %d k %d alpha %g beta %g", g->ta ? 'T' : 'N',
             g->tb ? 'T' : 'N', g->m, g->n, g->k, (double)g->alpha, (double)g->beta);
    int lda = (g->ta ? g->m : g->k) + 3;
    int ldb = (g->tb ? g->k : g->n) + 2;
    int ldc = g->n + 5;
    size_t nc = (size_t)(g->m * ldc);
    float *a = uniform((size_t)((g->ta ? g->k : g->m) * lda), 1);
    float *b = uniform((size_t)((g->tb ? g->n : g->k) * ldb), 2);
    float *c = uniform(nc, 3);
    double *want = calloc(nc + 1, sizeof *want);
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < ldc; j++) {
            double sum = 0.0;
            for (int l = 0; j < g->n && l < g->k; l++)
                sum += element(a, g->ta, lda, i, l) * element(b, g->tb, ldb, l, j);
            double old = (double)c[i * ldc + j];
            want[i * ldc + j] = j < g->n ? (double)g->alpha * sum + (double)g->beta * old : old;
        }
    for (int i = 0; i < g->m && g->beta == 0.0f; i++)
        for (int j = 0; j < g->n; j++)
            c[i * ldc + j] = NAN; /* beta 0 overwrites, also NaN */
    det_gemm(g->ta, g->tb, g->m, g->n, g->k, g->alpha, a, lda, b, ldb, g->beta, c, ldc);
    expect_near(name, "C", c, want, nc, 2e-5);
    free(a);
    free(b);
    free(c);
    free(want);
}

Test(gemm, agrees_with_a_plain_loop)
{
    static const int sizes[][3] = {
        {1, 1, 1}, {3, 5, 7}, {64, 33, 17}, {130, 70, 129}, {2, 300, 40}};
    static const float factors[][2] = {{1.0f, 0.0f}, {1.0f, 1.0f}, {-0.5f, 2.0f}};
    det_gemm_use_one_thread();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t f = 0; f < sizeof factors / sizeof *factors; f++)
            for (int t = 0; t < 4; t++)
                check(&(struct gemm_case){t & 1 ? DET_TRANSPOSE : DET_NO_TRANSPOSE,
                                          t & 2 ? DET_TRANSPOSE : DET_NO_TRANSPOSE, sizes[s][0],
                                          sizes[s][1], sizes[s][2], factors[f][0], factors[f][1]});
}

Test(gemm, sizes_of_zero)
{
    static const int sizes[][3] = {{0, 4, 4}, {4, 0, 4}, {4, 4, 0}, {0, 0, 0}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int beta = 0; beta <= 2; beta++)
            check(&(struct gemm_case){DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, sizes[s][0], sizes[s][1],
                                      sizes[s][2], 1.0f, (float)beta});
}

Test(gemm, names_itself)
{
    cr_expect(det_gemm_core()[0], "no name of the kernel set");
    cr_expect(strstr(det_gemm_config(), "OpenBLAS"), "config: %s", det_gemm_config());
}
