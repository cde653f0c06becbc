#include "detector/layers/transpose.h"

#include "detector/base/vector_targets.h"

/* One by one: what is left beside the whole 4 x 4 blocks. */
static void by_element(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[(size_t)j * to_ld + (size_t)i] = from[(size_t)i * ld + (size_t)j];
}

static void block4(const float *from, size_t ld, float *to, size_t to_ld)
{
    const float *const rows[4] = {from, from + ld, from + 2 * ld, from + 3 * ld};
    float *const columns[4] = {to, to + to_ld, to + 2 * to_ld, to + 3 * to_ld};
    det_transpose_block(rows, columns);
}

/* In blocks of 4 x 4: what is left beside the whole 8 x 8 blocks. */
static void by_fours(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld)
{
    int whole_rows = rows - rows % 4;
    int whole_columns = columns - columns % 4;
    for (int i = 0; i < whole_rows; i += 4)
        for (int j = 0; j < whole_columns; j += 4)
            block4(from + (size_t)i * ld + (size_t)j, ld, to + (size_t)j * to_ld + (size_t)i,
                   to_ld);
    by_element(whole_rows, columns - whole_columns, from + whole_columns, ld,
               to + (size_t)whole_columns * to_ld, to_ld);
    by_element(rows - whole_rows, columns, from + (size_t)whole_rows * ld, ld, to + whole_rows,
               to_ld);
}

/* rows and columns are multiples of 8. */
DET_VECTOR_TARGETS static void by_eights(int rows, int columns, const float *from, size_t ld,
                                         float *to, size_t to_ld)
{
    for (int j = 0; j < columns; j += 8)
        for (int i = 0; i < rows; i += 8) {
            const float *at[8];
            float *place[8];
            for (int k = 0; k < 8; k++) {
                at[k] = from + (size_t)(i + k) * ld + (size_t)j;
                place[k] = to + (size_t)(j + k) * to_ld + (size_t)i;
            }
            det_transpose_block8(at, place);
        }
}

void det_transpose(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld)
{
    int whole_rows = rows - rows % 8;
    int whole_columns = columns - columns % 8;
    by_eights(whole_rows, whole_columns, from, ld, to, to_ld);
    by_fours(whole_rows, columns - whole_columns, from + whole_columns, ld,
             to + (size_t)whole_columns * to_ld, to_ld);
    by_fours(rows - whole_rows, columns, from + (size_t)whole_rows * ld, ld, to + whole_rows,
             to_ld);
}
