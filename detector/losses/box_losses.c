#include "detector/backend/cpu.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/losses.h"
#include "detector/losses/losses.h"

#include <string.h>

static void count_row(struct det_avg_counts *counts, int label)
{
    counts->rows++;
    counts->sampled += label >= 0;
    counts->positives += label > 0;
    counts->weights += label >= 0 ? 1.0 : 0.0;
}

static double inverse_of(const struct det_box_loss *loss, const struct det_avg_counts *counts)
{
    return det_avg_inverse(loss->reduction, loss->avg_factor, loss->fixed_factor, counts);
}

/* A box matrix: `width` deltas a row, of which four starting at `first` belong to the row. */
struct box_rows {
    int width;
    const float *deltas, *targets;
    float *ddeltas; /* may be NULL */
};

static double row_loss(const struct det_box_loss *loss, const struct box_rows *in, int r, int first,
                       int counts, float factor)
{
    size_t at = (size_t)r * (size_t)in->width;
    if (in->ddeltas)
        memset(in->ddeltas + at, 0, (size_t)in->width * sizeof *in->ddeltas);
    if (!counts)
        return 0.0;
    at += (size_t)first;
    return det_smooth_l1_box(in->deltas + at, in->targets + (size_t)r * 4, loss->beta, factor,
                             in->ddeltas ? in->ddeltas + at : NULL);
}

void det_rpn_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                      const float *deltas, const float *targets, const int8_t *labels, double *out,
                      float *ddeltas)
{
    (void)dev;
    struct box_rows in = {4, deltas, targets, ddeltas};
    struct det_avg_counts counts = {0};
    for (int r = 0; r < rows; r++)
        count_row(&counts, labels[r]);
    double inverse = inverse_of(loss, &counts);
    float factor = (float)(inverse * det_loss_scale(loss->loss_scale));
    double sum = 0.0;
    for (int r = 0; r < rows; r++)
        sum += row_loss(loss, &in, r, 0, labels[r] > 0, factor);
    *out = sum * inverse;
}

void det_rpn_box_loss_rows(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           const float *deltas, const float *targets, const int8_t *labels,
                           float *losses)
{
    (void)dev;
    struct box_rows in = {4, deltas, targets, NULL};
    for (int r = 0; r < rows; r++)
        losses[r] = (float)row_loss(loss, &in, r, 0, labels[r] > 0, 1.0f);
}

void det_roi_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                      int classes, const int32_t *count, const float *deltas, const float *targets,
                      const int32_t *labels, double *out, float *ddeltas)
{
    (void)dev;
    struct box_rows in = {4 * classes, deltas, targets, ddeltas};
    struct det_avg_counts counts = {0};
    int live = det_live(count, rows);
    for (int r = 0; r < live; r++)
        count_row(&counts, labels[r]);
    double inverse = inverse_of(loss, &counts);
    float factor = (float)(inverse * det_loss_scale(loss->loss_scale));
    double sum = 0.0;
    for (int r = 0; r < live; r++)
        sum += row_loss(loss, &in, r, 4 * labels[r], labels[r] > 0, factor);
    *out = sum * inverse;
}

void det_roi_box_loss_rows(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           int classes, const int32_t *count, const float *deltas,
                           const float *targets, const int32_t *labels, float *losses)
{
    (void)dev;
    struct box_rows in = {4 * classes, deltas, targets, NULL};
    int live = det_live(count, rows);
    for (int r = 0; r < live; r++)
        losses[r] = (float)row_loss(loss, &in, r, 4 * labels[r], labels[r] > 0, 1.0f);
}
