/* From matches to precision over recall, and to the means that COCO reports. */
#include "detector/evaluation/coco_rows.h"

#include <float.h>
#include <math.h>

static const uint32_t caps[DET_COCO_CAPS] = {1, 10, COCO_CAP_LARGEST};

/* The values of numpy's linspace(0, 1, 101), to the bit. */
double coco_recall_threshold(int r)
{
    return r == DET_COCO_RECALLS - 1 ? 1.0 : r * (1.0 / (DET_COCO_RECALLS - 1));
}

static double *precision_at(struct det_coco_result *result, int t, int r, size_t k, int a, int m)
{
    size_t row = ((size_t)t * DET_COCO_RECALLS + (size_t)r) * result->n_categories + k;
    return &result->precision[(row * DET_COCO_AREAS + (size_t)a) * DET_COCO_CAPS + (size_t)m];
}

static double *recall_at(struct det_coco_result *result, int t, size_t k, int a, int m)
{
    size_t row = (size_t)t * result->n_categories + k;
    return &result->recall[(row * DET_COCO_AREAS + (size_t)a) * DET_COCO_CAPS + (size_t)m];
}

/* Precision at each true positive, made to fall with recall: entry i is the best one that is
 * reached at true positive i or later. Between true positives precision only falls, so these are
 * all that matter. The epsilon, and where it is added, are pycocotools'. */
static size_t precision_envelope(const struct coco_match *matches, size_t n, int t, int a, int m,
                                 double *envelope)
{
    size_t found = 0, wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const struct coco_match *match = &matches[i];
        if (match->rank >= caps[m] || (match->ignored[a] >> t & 1))
            continue;
        if (match->matched[a] >> t & 1) {
            found++;
            envelope[found - 1] = (double)found / ((double)wrong + (double)found + DBL_EPSILON);
        } else {
            wrong++;
        }
    }
    for (size_t i = found; i-- > 1;)
        envelope[i - 1] = fmax(envelope[i - 1], envelope[i]);
    return found;
}

void coco_accumulate(const struct coco_match *matches, size_t n, size_t objects, size_t k, int a,
                     int m, double *envelope, struct det_coco_result *result)
{
    for (int t = 0; t < DET_COCO_IOUS; t++) {
        if (objects == 0) {
            *recall_at(result, t, k, a, m) = -1;
            for (int r = 0; r < DET_COCO_RECALLS; r++)
                *precision_at(result, t, r, k, a, m) = -1;
            continue;
        }
        size_t found = precision_envelope(matches, n, t, a, m, envelope);
        *recall_at(result, t, k, a, m) = (double)found / (double)objects;
        size_t i = 0;
        for (int r = 0; r < DET_COCO_RECALLS; r++) {
            while (i < found && (double)(i + 1) / (double)objects < coco_recall_threshold(r))
                i++;
            *precision_at(result, t, r, k, a, m) = i < found ? envelope[i] : 0;
        }
    }
}

/* A mean over what is defined, -1 where nothing is. */
struct mean {
    double sum;
    size_t n;
};

static void mean_add(struct mean *mean, double value)
{
    if (value > -1) {
        mean->sum += value;
        mean->n++;
    }
}

static double mean_value(const struct mean *mean)
{
    return mean->n ? mean->sum / (double)mean->n : -1;
}

/* Over IoU thresholds [t0, t1) and categories [k0, k1). */
static double mean_precision(const struct det_coco_result *result, size_t t0, size_t t1, size_t k0,
                             size_t k1, size_t a)
{
    struct mean mean = {0};
    for (size_t t = t0; t < t1; t++)
        for (size_t r = 0; r < DET_COCO_RECALLS; r++)
            for (size_t k = k0; k < k1; k++)
                mean_add(&mean, det_coco_precision(result, t, r, k, a, DET_COCO_CAPS - 1));
    return mean_value(&mean);
}

static double mean_recall(const struct det_coco_result *result, size_t a, size_t m)
{
    struct mean mean = {0};
    for (size_t t = 0; t < DET_COCO_IOUS; t++)
        for (size_t k = 0; k < result->n_categories; k++)
            mean_add(&mean, det_coco_recall(result, t, k, a, m));
    return mean_value(&mean);
}

void coco_summarize(struct det_coco_result *result)
{
    enum { IOU_50 = 0, IOU_75 = 5 };
    const size_t n = result->n_categories, last = DET_COCO_CAPS - 1;
    double *stats = result->stats;
    stats[DET_COCO_AP] = mean_precision(result, 0, DET_COCO_IOUS, 0, n, 0);
    stats[DET_COCO_AP50] = mean_precision(result, IOU_50, IOU_50 + 1, 0, n, 0);
    stats[DET_COCO_AP75] = mean_precision(result, IOU_75, IOU_75 + 1, 0, n, 0);
    for (size_t m = 0; m < DET_COCO_CAPS; m++)
        stats[DET_COCO_AR1 + m] = mean_recall(result, 0, m);
    for (size_t a = 1; a < DET_COCO_AREAS; a++) {
        stats[DET_COCO_AP_SMALL + a - 1] = mean_precision(result, 0, DET_COCO_IOUS, 0, n, a);
        stats[DET_COCO_AR_SMALL + a - 1] = mean_recall(result, a, last);
    }
    for (size_t k = 0; k < n; k++) {
        result->category_ap[k] = mean_precision(result, 0, DET_COCO_IOUS, k, k + 1, 0);
        result->category_ap50[k] = mean_precision(result, IOU_50, IOU_50 + 1, k, k + 1, 0);
    }
}
