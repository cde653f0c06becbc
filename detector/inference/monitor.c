#include "detector/inference/monitor.h"

#include "detector/bodies/probability.h"

#include <string.h>

static void monitor_rpn(struct det_model *m, int n, struct det_infer_stats *stats)
{
    size_t rows = (size_t)n * (size_t)m->n_anchors;
    m->dev->ops->download(m->dev, m->h.rows, m->d.logits, rows * sizeof(float));
    for (size_t i = 0; i < rows; i++) {
        float objectness = det_sigmoid(m->h.rows[i]);
        if (objectness >= 0.5f)
            stats->rpn_foreground++;
        else
            stats->rpn_background++; /* NaN too: it is no foreground */
        if (objectness > stats->max_objectness)
            stats->max_objectness = objectness;
    }
}

/* Arg-max and highest foreground probability of one row; the logits become probabilities. */
static int classify(float *row, int classes, float *foreground)
{
    int best = 0;
    det_softmax(classes, row, row);
    *foreground = 0.0f;
    for (int c = 1; c < classes; c++) {
        if (row[c] > row[best])
            best = c;
        if (row[c] > *foreground)
            *foreground = row[c];
    }
    return best;
}

static void monitor_rois(struct det_model *m, struct det_infer_stats *stats)
{
    int classes = m->n_classes + 1;
    int32_t rows;
    m->dev->ops->download(m->dev, &rows, m->d.rois.count, sizeof rows);
    m->dev->ops->download(m->dev, m->h.rows, m->box_head.tensors[m->box_logits].value,
                          (size_t)rows * (size_t)classes * sizeof(float));
    for (int r = 0; r < rows; r++) {
        float foreground;
        if (classify(m->h.rows + (size_t)r * (size_t)classes, classes, &foreground) > 0)
            stats->roi_foreground++;
        else
            stats->roi_background++;
        if (foreground > stats->max_score)
            stats->max_score = foreground;
    }
}

void det_monitor_inference(struct det_model *m, int n, struct det_infer_stats *stats)
{
    int32_t dropped[2];
    memset(stats, 0, sizeof *stats);
    m->dev->ops->download(m->dev, &dropped[0], m->d.proposals.n_not_finite, sizeof *dropped);
    m->dev->ops->download(m->dev, &dropped[1], m->d.detections.n_not_finite, sizeof *dropped);
    stats->not_finite = dropped[0] + dropped[1];
    monitor_rpn(m, n, stats);
    monitor_rois(m, stats);
}
