#include "harness/verify/decisions.h"

#include "detector/bodies/iou.h"

#include <math.h>
#include <stdio.h>

/* Two boxes that are the same anchor's, in passes whose weights differ in the last bits. */
#define SAME_BOX 1e-2f /* pixels */

/* ---- recording ---- */

static void *tap_copy(struct verify_case *c, struct model_case *m, const char *name)
{
    struct det_tap tap = {0};
    if (!det_model_tap(m->model, name, &tap))
        return NULL;
    size_t bytes = (size_t)tap.rows * (size_t)tap.columns * 4; /* floats and int32 alike */
    void *to = case_host(c, bytes);
    if (to && bytes)
        c->dev->ops->download(c->dev, to, tap.data, bytes);
    return to;
}

void decisions_record(struct verify_case *c, struct model_case *m, int n, struct decisions *out)
{
    *out = (struct decisions){.n_images = n, .most = (int)m->config.rpn_post_nms_train};
    size_t rows = (size_t)n * (size_t)out->most;
    out->n_proposals = case_host(c, (size_t)n * sizeof *out->n_proposals);
    out->boxes = case_host(c, rows * sizeof *out->boxes);
    out->scores = case_host(c, rows * sizeof *out->scores);
    for (int i = 0; i < n && !case_failed(c); i++)
        out->n_proposals[i] = det_model_proposals(m->model, i, out->boxes + i * out->most,
                                                  out->scores + i * out->most);
    const int32_t *count = tap_copy(c, m, "roi_count");
    out->roi_boxes = tap_copy(c, m, "roi_boxes");
    out->roi_image = tap_copy(c, m, "roi_image");
    out->roi_labels = tap_copy(c, m, "roi_labels");
    out->n_rois = case_failed(c) ? 0 : count[0];
}

/* ---- explaining ---- */

static int same_box(const float a[4], const float b[4])
{
    for (int k = 0; k < 4; k++)
        if (!(fabsf(a[k] - b[k]) <= SAME_BOX))
            return 0;
    return 1;
}

static int contains(const struct decisions *d, int image, const float box[4])
{
    for (int r = 0; r < d->n_proposals[image]; r++)
        if (same_box(d->boxes[image * d->most + r], box))
            return 1;
    return 0;
}

/* How far the IoUs of proposal `rank` with the better ones are from the NMS threshold. */
static double nms_margin(const struct decisions *d, int image, int rank, double threshold)
{
    float(*boxes)[4] = d->boxes + image * d->most;
    double nearest = INFINITY;
    for (int r = 0; r < rank; r++)
        nearest = fmin(nearest, fabs((double)det_box_iou(boxes[r], boxes[rank]) - threshold));
    return nearest;
}

/* Proposals `rank` of the two passes are different ones. */
static void explain_proposal(const struct model_case *m, const struct decisions *a,
                             const struct decisions *b, int image, int rank, char *out, size_t size)
{
    const float *scores = a->scores + image * a->most;
    float(*mine)[4] = a->boxes + image * a->most, (*theirs)[4] = b->boxes + image * b->most;
    int here = rank < a->n_proposals[image] && !contains(b, image, mine[rank]);
    int there = rank < b->n_proposals[image] && !contains(a, image, theirs[rank]);
    if (here || there)
        snprintf(out, size,
                 "proposal %d of image %d is %s: its nearest IoU is %.1e from the NMS threshold",
                 rank, image, here ? "kept here, dropped there" : "dropped here, kept there",
                 nms_margin(here ? a : b, image, rank, m->config.rpn_nms_iou));
    else if (rank + 1 < a->n_proposals[image])
        snprintf(out, size,
                 "proposals %d and %d of image %d, whose objectness differs by %.1e, change places",
                 rank, rank + 1, image, fabs((double)scores[rank] - (double)scores[rank + 1]));
    else
        snprintf(out, size, "proposal %d of image %d is another one", rank, image);
}

static int explain_proposals(const struct model_case *m, const struct decisions *a,
                             const struct decisions *b, int image, char *out, size_t size)
{
    int n = a->n_proposals[image], other = b->n_proposals[image];
    for (int r = 0; r < n || r < other; r++) {
        int at = image * a->most + r;
        if (r < n && r < other && same_box(a->boxes[at], b->boxes[at]))
            continue;
        explain_proposal(m, a, b, image, r, out, size);
        return 1;
    }
    return 0;
}

/* The same proposals, but a RoI of another class. */
static int explain_rois(const struct model_case *m, const struct det_sample *samples,
                        const struct decisions *a, const struct decisions *b, char *out,
                        size_t size)
{
    for (int r = 0; r < a->n_rois && r < b->n_rois; r++) {
        if (a->roi_labels[r] == b->roi_labels[r] && same_box(a->roi_boxes[r], b->roi_boxes[r]))
            continue;
        const struct det_annotations *truth = &samples[a->roi_image[r]].truth;
        double nearest = INFINITY;
        for (int g = 0; g < truth->n; g++)
            nearest = fmin(nearest, fabs((double)det_box_iou(truth->boxes[g], a->roi_boxes[r]) -
                                         m->config.roi_fg_iou));
        snprintf(out, size, "RoI %d is of class %d here, %d there: its IoU is %.1e from the limit",
                 r, a->roi_labels[r], b->roi_labels[r], nearest);
        return 1;
    }
    return 0;
}

int decisions_explain(const struct model_case *m, const struct det_sample *samples,
                      const struct decisions *a, const struct decisions *b, char *out, size_t size)
{
    for (int i = 0; i < a->n_images; i++)
        if (explain_proposals(m, a, b, i, out, size))
            return 1;
    return explain_rois(m, samples, a, b, out, size);
}
