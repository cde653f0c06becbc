#include "detector/layers/transpose.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define LD 41 /* longer than any row here, and odd: nothing is aligned */
#define NOTHING (-1.0f)

static void expect_turned(int rows, int columns)
{
    float from[40 * LD], to[40 * LD];
    for (int i = 0; i < 40 * LD; i++) {
        from[i] = (float)i;
        to[i] = NOTHING;
    }
    det_transpose(rows, columns, from, LD, to, LD);
    for (int j = 0; j < 40; j++)
        for (int i = 0; i < LD; i++) {
            float want = j < columns && i < rows ? from[i * LD + j] : NOTHING;
            cr_assert_eq(to[j * LD + i], want, "%d x %d: row %d column %d: got %g want %g", rows,
                         columns, j, i, (double)to[j * LD + i], (double)want);
        }
}

/* All remainders beside whole blocks of 8 and of 4, and nothing outside is written. */
Test(transpose, every_small_shape)
{
    for (int rows = 0; rows <= 40; rows++)
        for (int columns = 0; columns <= 40; columns++)
            expect_turned(rows, columns);
}
