/* COCO's compressed form of a mask's runs: see det_rle_from_string in rle.h. */
#include "detector/evaluation/rle_runs.h"

#include <stdlib.h>

#define GROUP_BITS 5
#define GROUP_MORE 0x20
#define GROUP_SIGN 0x10
#define GROUP_MASK 0x1f
#define FIRST_CHARACTER 48
#define GROUPS_MAX 7 /* 35 bits hold the difference of any two counts below 2^31, with its sign */

/* Reads one number at *at and moves *at behind it; 0 where the string is cut short, has another
 * character or a number that no count can have. */
static int read_number(const char *string, size_t length, size_t *at, int64_t *out)
{
    uint64_t value = 0;
    for (int k = 0; k < GROUPS_MAX && *at < length; k++) {
        int group = (unsigned char)string[(*at)++] - FIRST_CHARACTER;
        if (group < 0 || group > (GROUP_MORE | GROUP_MASK))
            return 0;
        value |= (uint64_t)(group & GROUP_MASK) << GROUP_BITS * k;
        if (group & GROUP_MORE)
            continue;
        if (group & GROUP_SIGN)
            value |= ~UINT64_C(0) << GROUP_BITS * (k + 1);
        *out = (int64_t)value;
        return 1;
    }
    return 0;
}

/* Numbers in a valid string: the groups that are the last of theirs. */
static size_t count_numbers(const char *string, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        n += !((string[i] - FIRST_CHARACTER) & GROUP_MORE);
    return n;
}

enum det_code det_rle_from_string(const char *string, size_t length, int h, int w,
                                  struct det_rle *out, struct det_error *err)
{
    *out = (struct det_rle){0};
    struct rle_runs runs = {0};
    rle_runs_reserve(&runs, count_numbers(string, length));
    for (size_t at = 0; at < length && !runs.failed;) {
        size_t start = at;
        int64_t count = 0;
        int good = read_number(string, length, &at, &count);
        if (good && runs.n > 2)
            count += runs.counts[runs.n - 2];
        if (!good || count < 0 || count > INT32_MAX) {
            rle_runs_abandon(&runs);
            return det_fail(err, DET_INVALID,
                            "compressed mask: no valid run at character %zu of %zu", start, length);
        }
        rle_runs_push(&runs, (uint32_t)count);
    }
    return rle_runs_finish(&runs, h, w, out, err);
}

enum det_code det_rle_to_string(const struct det_rle *rle, char **out, struct det_error *err)
{
    char *string = malloc(rle->n * GROUPS_MAX + 1);
    *out = string;
    if (!string)
        return det_fail(err, DET_NO_MEMORY, "no memory for the string of a mask of %zu runs",
                        rle->n);
    for (size_t i = 0; i < rle->n; i++) {
        int64_t rest = rle->counts[i];
        if (i > 2)
            rest -= rle->counts[i - 2];
        for (int more = 1; more;) {
            int group = (int)((uint64_t)rest & GROUP_MASK);
            rest = (rest - group) / (GROUP_MASK + 1);
            more = rest != (group & GROUP_SIGN ? -1 : 0);
            *string++ = (char)(FIRST_CHARACTER + (more ? group | GROUP_MORE : group));
        }
    }
    *string = '\0';
    return DET_OK;
}
