#include "detector/base/edit_distance.h"

#include <string.h>

#define LENGTH_MAX 63

static int least(int a, int b)
{
    return a < b ? a : b;
}

int det_edit_distance(const char *a, const char *b)
{
    int rows[3][LENGTH_MAX + 1]; /* the distances of the last three prefixes of a */
    int n = (int)strnlen(a, LENGTH_MAX), m = (int)strnlen(b, LENGTH_MAX);

    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = rows[i % 3];
        const int *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1);
            now[j] = least(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}
