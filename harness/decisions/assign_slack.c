#include "harness/decisions/assign_slack.h"

#include "detector/bodies/philox.h"
#include "detector/bodies/sort_key.h"
#include "harness/decisions/exact_iou.h"

#include <stdlib.h>

/* A ground-truth row's best candidates: the low-quality matches. */
struct row_best {
    double highest, second;
};

/* What one candidate's IoUs say of it. */
struct standing {
    double best;
    double to_positive; /* the IoU that is missing for a match */
    double from_positive; /* the IoU that would have to go for none */
};

/* The random numbers of the candidates that were drawn. */
struct draw {
    uint32_t purpose;
    int n, most;
    uint64_t last; /* the largest key among them */
};

static const float *row(const float *boxes, int i)
{
    return boxes + 4 * (size_t)i;
}

static void find_row_bests(const struct assignment *a, struct row_best *bests)
{
    for (int t = 0; t < a->n_truth; t++)
        for (int c = 0; c < a->n; c++) {
            double iou = exact_iou(row(a->truth, t), row(a->boxes, c));
            if (iou > bests[t].highest) {
                bests[t].second = bests[t].highest;
                bests[t].highest = iou;
            } else if (iou > bests[t].second) {
                bests[t].second = iou;
            }
        }
}

static struct standing standing_of(const struct assignment *a, const struct row_best *bests, int c)
{
    struct standing s = {0};
    double lacking = INFINITY;
    for (int t = 0; t < a->n_truth; t++) {
        double iou = exact_iou(row(a->truth, t), row(a->boxes, c));
        s.best = fmax(s.best, iou);
        if (!a->matcher.allow_low_quality || !(bests[t].highest > 0.0))
            continue;
        lacking = fmin(lacking, bests[t].highest - iou);
        if (iou >= bests[t].highest)
            s.from_positive = fmax(s.from_positive, bests[t].highest - bests[t].second);
    }
    s.from_positive = fmax(s.from_positive, s.best - (double)a->matcher.high);
    s.to_positive = fmin(lacking, fmax(0.0, (double)a->matcher.high - s.best));
    return s;
}

static uint64_t key_of(const struct assignment *a, uint32_t purpose, int c)
{
    return det_key(
        det_philox((uint32_t)c, (uint32_t)a->image_id, a->step, purpose, a->sampler.seed).word[0],
        (uint32_t)c);
}

static struct draw draw_of(const struct assignment *a, int8_t label, uint32_t purpose, int most)
{
    struct draw draw = {.purpose = purpose, .most = most};
    for (int c = 0; c < a->n; c++) {
        if (a->drawn[c] != label)
            continue;
        uint64_t key = key_of(a, purpose, c);
        draw.last = key > draw.last ? key : draw.last;
        draw.n++;
    }
    return draw;
}

/* Whether a candidate of that kind can have been left out. */
static int left_out(const struct assignment *a, const struct draw *draw, int c)
{
    return draw->n >= draw->most && (draw->n == 0 || key_of(a, draw->purpose, c) > draw->last);
}

static double slack_of(const struct assignment *a, const struct standing *s,
                       const struct draw *positives, const struct draw *negatives, int c)
{
    double high = (double)a->matcher.high, low = (double)a->matcher.low;
    double as_negative = fmax(s->from_positive, fmax(0.0, s->best - low));
    if (a->drawn[c] == 1 && positives->n > positives->most)
        return INFINITY;
    if (a->drawn[c] == 0)
        return negatives->n > negatives->most ? INFINITY : as_negative;
    if (a->drawn[c] == 1) {
        if (!a->matched)
            return s->to_positive;
        int match = a->matched[c];
        if (match < 0 || match >= a->n_truth)
            return INFINITY;
        return fmax(s->to_positive,
                    s->best - exact_iou(row(a->truth, match), row(a->boxes, c)));
    }
    double slack = low < high ? fmax(s->from_positive, fmax(0.0, low - s->best)) : INFINITY;
    if (left_out(a, positives, c))
        slack = fmin(slack, s->to_positive);
    if (left_out(a, negatives, c))
        slack = fmin(slack, as_negative);
    return slack;
}

enum det_code assign_slack(const struct assignment *a, double *slack, struct det_error *err)
{
    struct row_best *bests = calloc((size_t)a->n_truth + 1, sizeof *bests);
    if (!bests)
        return det_fail(err, DET_NO_MEMORY, "%d ground-truth rows", a->n_truth);
    int quota = (int)((float)a->sampler.batch_per_image * a->sampler.positive_fraction);
    struct draw positives = draw_of(a, 1, a->sampler.positive_purpose, quota);
    struct draw negatives = draw_of(a, 0, a->sampler.negative_purpose,
                                    a->sampler.batch_per_image - positives.n);
    if (a->matcher.allow_low_quality)
        find_row_bests(a, bests);
    for (int c = 0; c < a->n; c++) {
        struct standing s = standing_of(a, bests, c);
        slack[c] = slack_of(a, &s, &positives, &negatives, c);
    }
    free(bests);
    return DET_OK;
}
