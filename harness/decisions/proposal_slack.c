#include "harness/decisions/proposal_slack.h"

#include "detector/bodies/box_coder.h"
#include "detector/bodies/probability.h"
#include "detector/bodies/sort_key.h"
#include "harness/decisions/exact_iou.h"

#include <stdlib.h>
#include <string.h>

#define SAME_SCORE 2e-6f /* a sigmoid's rounding, in any library */
#define SAME_BOX 1e-3f   /* pixels: a decoded box's */

/* ---- numbers ---- */

static int level_of(const struct det_proposal_filter *filter, int anchor)
{
    int level = 0;
    while (level + 1 < filter->n_levels && anchor >= filter->level_first[level + 1])
        level++;
    return level;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum det_code sort_anchors(struct proposal_numbers *p, struct det_error *err)
{
    int n = p->filter->n_anchors;
    uint64_t *keys = malloc(((size_t)n + 1) * sizeof *keys);
    if (!keys)
        return det_fail(err, DET_NO_MEMORY, "%d anchors", n);
    for (int a = 0; a < n; a++)
        if (p->usable[a])
            keys[p->n_usable++] = det_key_descending(p->logits[a], (uint32_t)a);
    qsort(keys, (size_t)p->n_usable, sizeof *keys, compare_keys);
    for (int i = 0; i < p->n_usable; i++)
        p->order[i] = (int32_t)det_key_index(keys[i]);
    free(keys);
    return DET_OK;
}

static void find_entries(struct proposal_numbers *p)
{
    int ranks[DET_MAX_LEVELS] = {0};
    for (int l = 0; l < DET_MAX_LEVELS; l++)
        p->entry[l] = p->below[l] = -INFINITY;
    for (int i = 0; i < p->n_usable; i++) {
        int level = level_of(p->filter, p->order[i]);
        int rank = ranks[level]++;
        if (rank == p->filter->pre_nms - 1)
            p->entry[level] = (double)p->logits[p->order[i]];
        if (rank == p->filter->pre_nms)
            p->below[level] = (double)p->logits[p->order[i]];
    }
}

enum det_code proposal_numbers_make(const struct det_proposal_filter *filter, const float *anchors,
                                    const float *logits, const float *deltas, float height,
                                    float width, struct proposal_numbers *out,
                                    struct det_error *err)
{
    size_t n = (size_t)filter->n_anchors;
    *out = (struct proposal_numbers){.filter = filter, .logits = logits};
    out->boxes = calloc(n, 4 * sizeof *out->boxes);
    out->usable = calloc(n, sizeof *out->usable);
    out->order = calloc(n, sizeof *out->order);
    if (!out->boxes || !out->usable || !out->order)
        return det_fail(err, DET_NO_MEMORY, "%zu anchors", n);
    for (size_t a = 0; a < n; a++)
        out->usable[a] = isfinite(logits[a]) &&
                         det_box_decode_clipped(anchors + 4 * a, deltas + 4 * a,
                                                filter->coder_weights, filter->delta_clip, height,
                                                width, out->boxes + 4 * a);
    enum det_code code = sort_anchors(out, err);
    if (code == DET_OK)
        find_entries(out);
    return code;
}

void proposal_numbers_release(struct proposal_numbers *numbers)
{
    free(numbers->boxes);
    free(numbers->usable);
    free(numbers->order);
    *numbers = (struct proposal_numbers){0};
}

/* ---- which anchor a proposal is ---- */

/* The first place in the order whose score is not above `score`. */
static int first_at_most(const struct proposal_numbers *p, float score)
{
    int low = 0, high = p->n_usable;
    while (low < high) {
        int middle = (low + high) / 2;
        if (det_sigmoid(p->logits[p->order[middle]]) > score)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static float box_distance(const float a[4], const float b[4])
{
    float most = 0.0f;
    for (int k = 0; k < 4; k++)
        most = fmaxf(most, fabsf(a[k] - b[k]));
    return most;
}

static int32_t nearest_anchor(const struct proposal_numbers *p, const float box[4], float score,
                              const uint8_t *taken)
{
    int32_t best = -1;
    float nearest = SAME_BOX;
    for (int i = first_at_most(p, score + SAME_SCORE); i < p->n_usable; i++) {
        int32_t a = p->order[i];
        if (det_sigmoid(p->logits[a]) < score - SAME_SCORE)
            break;
        float distance = box_distance(p->boxes + 4 * (size_t)a, box);
        if (taken[a] || !(distance < nearest))
            continue;
        nearest = distance;
        best = a;
    }
    return best;
}

int proposal_anchors(const struct proposal_numbers *p, int n, const float (*boxes)[4],
                     const float *scores, int32_t *anchors)
{
    uint8_t *taken = calloc((size_t)p->filter->n_anchors + 1, 1);
    int found = 0;
    for (; taken && found < n; found++) {
        int32_t a = nearest_anchor(p, boxes[found], scores[found], taken);
        if (a < 0)
            break;
        anchors[found] = a;
        taken[a] = 1;
    }
    free(taken);
    return found;
}

/* ---- slack ---- */

struct judge {
    const struct proposal_numbers *p;
    const double *limits;
    int n;
    const int32_t *list;
};

static double logit(const struct judge *j, int32_t anchor)
{
    return (double)j->p->logits[anchor];
}

static double iou(const struct judge *j, int32_t a, int32_t b)
{
    return exact_iou(j->p->boxes + 4 * (size_t)a, j->p->boxes + 4 * (size_t)b);
}

static double lacking_size(const struct judge *j, int32_t a)
{
    const float *box = j->p->boxes + 4 * (size_t)a;
    return (double)j->p->filter->min_size -
           fmin((double)box[2] - (double)box[0], (double)box[3] - (double)box[1]);
}

static struct slack never(enum flip_kind kind)
{
    return (struct slack){kind, INFINITY, INFINITY};
}

/* The place `rank` of the list; `least`: the lowest logit before it. */
static struct slack of_present(const struct judge *j, int rank, double least)
{
    int32_t a = j->list[rank];
    if (!j->p->usable[a])
        return never(FLIP_RANK);
    int level = level_of(j->p->filter, a);
    struct slack worst = slack_make(FLIP_RANK, logit(j, a) - least, j->limits);
    worst = slack_larger(
        worst, slack_make(FLIP_RANK, j->p->entry[level] - logit(j, a), j->limits));
    worst = slack_larger(worst, slack_make(FLIP_SIZE, lacking_size(j, a), j->limits));
    for (int r = 0; r < rank; r++)
        if (level_of(j->p->filter, j->list[r]) == level)
            worst = slack_larger(
                worst, slack_make(FLIP_NMS,
                                  iou(j, j->list[r], a) - (double)j->p->filter->nms_iou,
                                  j->limits));
    return worst;
}

/* By how little it fails to be suppressed by one of the list. */
static struct slack of_suppressed(const struct judge *j, int32_t a)
{
    struct slack least = never(FLIP_NMS);
    int level = level_of(j->p->filter, a);
    for (int r = 0; r < j->n && least.share > 0.0; r++) {
        int32_t k = j->list[r];
        if (level_of(j->p->filter, k) != level || !j->p->usable[k])
            continue;
        struct slack after = slack_make(FLIP_RANK, logit(j, a) - logit(j, k), j->limits);
        if (!(after.share < least.share))
            continue;
        struct slack apart =
            slack_make(FLIP_NMS, (double)j->p->filter->nms_iou - iou(j, a, k), j->limits);
        least = slack_smaller(least, slack_larger(after, apart));
    }
    return least;
}

/* The reason that an anchor is not in the list which needs the least moving; `last`: the lowest
 * logit of a full list, infinite where it is not full: then nothing was cut. */
static struct slack of_absent(const struct judge *j, int32_t a, double last)
{
    if (!j->p->usable[a])
        return (struct slack){FLIP_RANK, 0.0, 0.0};
    double below = j->p->below[level_of(j->p->filter, a)];
    struct slack least = slack_make(FLIP_RANK, logit(j, a) - last, j->limits);
    least = slack_smaller(least, slack_make(FLIP_RANK, logit(j, a) - below, j->limits));
    if (least.share > 0.0)
        least = slack_smaller(least, slack_make(FLIP_SIZE, -lacking_size(j, a), j->limits));
    return least.share > 0.0 ? slack_smaller(least, of_suppressed(j, a)) : least;
}

enum det_code proposal_slack(const struct proposal_numbers *numbers, int n, const int32_t *list,
                             const double limits[FLIP_KINDS], struct slack *slack,
                             struct det_error *err)
{
    int n_anchors = numbers->filter->n_anchors;
    struct judge j = {numbers, limits, n, list};
    uint8_t *present = calloc((size_t)n_anchors + 1, 1);
    if (!present)
        return det_fail(err, DET_NO_MEMORY, "%d anchors", n_anchors);
    double least = INFINITY;
    for (int r = 0; r < n; r++) {
        slack[list[r]] = of_present(&j, r, least);
        least = fmin(least, logit(&j, list[r]));
        present[list[r]] = 1;
    }
    double last = n == numbers->filter->post_nms ? least : -INFINITY;
    for (int32_t a = 0; a < n_anchors; a++)
        if (!present[a])
            slack[a] = of_absent(&j, a, last);
    free(present);
    return DET_OK;
}
