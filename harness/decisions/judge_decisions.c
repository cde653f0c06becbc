#include "harness/decisions/judge_decisions.h"

#include "detector/bodies/box_coder.h"
#include "detector/bodies/philox.h"
#include "harness/decisions/assign_slack.h"
#include "harness/decisions/exact_iou.h"
#include "harness/decisions/proposal_slack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what both had before them ---- */

static struct det_proposal_filter filter_of(const struct det_model *model,
                                            const struct det_config *c, int n_anchors)
{
    struct det_proposal_filter f = {
        .n_anchors = n_anchors,
        .n_levels = DET_MAX_LEVELS,
        .pre_nms = (int)c->rpn_pre_nms_train,
        .post_nms = (int)c->rpn_post_nms_train,
        .nms_iou = (float)c->rpn_nms_iou,
        .min_size = (float)c->rpn_min_size,
        .coder_weights = {1.0f, 1.0f, 1.0f, 1.0f},
        .delta_clip = DET_DELTA_CLIP,
    };
    det_model_anchor_levels(model, f.level_first);
    return f;
}

/* As the detector packs it: without crowds and what is left out of training. */
static void pack_truth(struct decision_case *c)
{
    int at = 0;
    for (int i = 0; i < c->n_images; i++) {
        const struct det_annotations *truth = &c->samples[i].truth;
        c->first[i] = at;
        for (int t = 0; t < truth->n; t++) {
            if ((truth->crowd && truth->crowd[t]) || (truth->annotated && !truth->annotated[t]))
                continue;
            memcpy(c->truth + 4 * (size_t)at, truth->boxes[t], 4 * sizeof *c->truth);
            c->truth_labels[at++] = truth->labels[t];
        }
    }
    c->first[c->n_images] = at;
}

enum det_code decision_case_make(struct det_model *model, struct det_device *dev,
                                 const struct det_config *config, const struct det_sample *samples,
                                 int n, uint32_t step, struct decision_case *out,
                                 struct det_error *err)
{
    struct det_tap tap;
    size_t total = 1;
    det_model_tap(model, "anchors", &tap);
    for (int i = 0; i < n; i++)
        total += (size_t)samples[i].truth.n;
    *out = (struct decision_case){.config = config, .samples = samples, .n_images = n,
                                  .n_anchors = tap.rows, .step = step};
    out->anchors = malloc((size_t)tap.rows * 4 * sizeof *out->anchors);
    out->truth = malloc(total * 4 * sizeof *out->truth);
    out->truth_labels = malloc(total * sizeof *out->truth_labels);
    out->first = malloc(((size_t)n + 1) * sizeof *out->first);
    if (!out->anchors || !out->truth || !out->truth_labels || !out->first)
        return det_fail(err, DET_NO_MEMORY, "%d anchors, %zu objects", tap.rows, total);
    dev->ops->download(dev, out->anchors, tap.data, (size_t)tap.rows * 4 * sizeof *out->anchors);
    out->filter = filter_of(model, config, tap.rows);
    pack_truth(out);
    return DET_OK;
}

void decision_case_release(struct decision_case *c)
{
    free(c->anchors);
    free(c->truth);
    free(c->truth_labels);
    free(c->first);
    *c = (struct decision_case){0};
}

static struct assignment assignment_of(const struct decision_case *c, int image)
{
    return (struct assignment){
        .image_id = c->samples[image].id,
        .step = c->step,
        .n_truth = c->first[image + 1] - c->first[image],
        .truth = c->truth + 4 * (size_t)c->first[image],
    };
}

static struct assignment anchor_assignment(const struct decision_case *c, int image)
{
    const struct det_config *config = c->config;
    struct assignment a = assignment_of(c, image);
    a.matcher = (struct det_matcher){(float)config->rpn_fg_iou, (float)config->rpn_bg_iou, 1};
    a.sampler = (struct det_sampler){(int)config->rpn_batch_per_image,
                                     (float)config->rpn_positive_fraction, (uint64_t)config->seed,
                                     DET_PURPOSE_RPN_POSITIVE, DET_PURPOSE_RPN_NEGATIVE};
    a.n = c->n_anchors;
    a.boxes = c->anchors;
    return a;
}

static struct slack iou_slack(enum flip_kind kind, double iou, double limit)
{
    struct slack s = {kind, iou, iou > 0.0 ? iou / limit : 0.0};
    return s;
}

/* ---- anchors ---- */

static enum det_code judge_anchors(const struct decision_case *c, double limit,
                                   const struct pass_decisions *golden,
                                   const struct pass_decisions *own, struct flip_log *log,
                                   struct det_error *err)
{
    size_t n = (size_t)c->n_anchors;
    double *slack = malloc(2 * n * sizeof *slack);
    if (!slack)
        return det_fail(err, DET_NO_MEMORY, "%zu anchors", n);
    enum det_code code = DET_OK;
    for (int i = 0; i < c->n_images && code == DET_OK; i++) {
        const int8_t *theirs = (const int8_t *)golden->array[DECISION_SAMPLED].at + (size_t)i * n;
        const int8_t *mine = (const int8_t *)own->array[DECISION_SAMPLED].at + (size_t)i * n;
        struct assignment a = anchor_assignment(c, i);
        a.drawn = theirs;
        code = assign_slack(&a, slack, err);
        a.drawn = mine;
        if (code == DET_OK)
            code = assign_slack(&a, slack + n, err);
        for (size_t k = 0; k < n && code == DET_OK; k++) {
            struct slack s = iou_slack(FLIP_ANCHOR, fmax(slack[k], slack[n + k]), limit);
            flip_log_flip(log, &s, mine[k] != theirs[k],
                             "image %d, anchor %zu: sampled as %d there, %d here", i, k, theirs[k],
                             mine[k]);
        }
    }
    free(slack);
    return code;
}

/* ---- proposals ---- */

struct proposal_list { /* of one image and side */
    int n;
    int32_t *anchors;    /* [post_nms] */
    int32_t *rank;       /* [A] place in the list, or -1 */
    struct slack *slack; /* [A] */
};

static void list_release(struct proposal_list *list)
{
    free(list->anchors);
    free(list->rank);
    free(list->slack);
}

/* Which anchors a side's proposals are, by its own numbers. A proposal that is no anchor's fails. */
static enum det_code identify(const struct decision_case *c, const struct pass_decisions *d,
                              const char *side, int image, struct proposal_list *out,
                              struct flip_log *log, struct det_error *err)
{
    size_t a = (size_t)c->n_anchors, row = (size_t)image * a;
    size_t most = (size_t)decision_most_proposals(d), first = (size_t)image * most;
    struct proposal_numbers numbers;
    int n = decision_ints(d, DECISION_PROPOSAL_COUNT)[image];
    out->anchors = malloc((most + 1) * sizeof *out->anchors);
    out->rank = malloc((a + 1) * sizeof *out->rank);
    out->slack = malloc((a + 1) * sizeof *out->slack);
    if (!out->anchors || !out->rank || !out->slack)
        return det_fail(err, DET_NO_MEMORY, "%zu anchors", a);
    enum det_code code = proposal_numbers_make(
        &c->filter, c->anchors, decision_floats(d, DECISION_LOGITS) + row,
        decision_floats(d, DECISION_DELTAS) + 4 * row, (float)c->samples[image].height,
        (float)c->samples[image].width, &numbers, err);
    if (code == DET_OK)
        out->n = proposal_anchors(
            &numbers, n,
            (const float(*)[4])(decision_floats(d, DECISION_PROPOSAL_BOXES) + 4 * first),
            decision_floats(d, DECISION_PROPOSAL_SCORES) + first, out->anchors);
    if (code == DET_OK && out->n < n)
        flip_log_add(log, 1, "image %d: proposal %d %s is no anchor's box and score", image,
                        out->n, side);
    proposal_numbers_release(&numbers);
    memset(out->rank, 0xff, a * sizeof *out->rank);
    for (int r = 0; r < out->n; r++)
        out->rank[out->anchors[r]] = r;
    return code;
}

static void compare_lists(const struct decision_case *c, int image, const struct proposal_list *t,
                          const struct proposal_list *o, struct flip_log *log)
{
    for (int a = 0; a < c->n_anchors; a++) {
        struct slack s = slack_larger(t->slack[a], o->slack[a]);
        int moved = t->rank[a] >= 0 && o->rank[a] >= 0 && o->slack[a].kind == FLIP_RANK &&
                    o->slack[a].share > 0.0;
        int changed = (t->rank[a] < 0) != (o->rank[a] < 0);
        flip_log_flip(log, &s, changed || moved,
                         "image %d, anchor %d: proposal %d there, %d here (-1: none)", image, a,
                         t->rank[a], o->rank[a]);
    }
}

static enum det_code judge_image_proposals(const struct decision_case *c,
                                           const double limits[FLIP_KINDS],
                                           const struct pass_decisions *golden,
                                           const struct pass_decisions *own, int image,
                                           struct flip_log *log, struct det_error *err)
{
    size_t row = (size_t)image * (size_t)c->n_anchors;
    struct proposal_list theirs = {0}, mine = {0};
    struct proposal_numbers numbers = {0};
    enum det_code code = identify(c, golden, "there", image, &theirs, log, err);
    if (code == DET_OK)
        code = identify(c, own, "here", image, &mine, log, err);
    if (code == DET_OK)
        code = proposal_numbers_make(
            &c->filter, c->anchors, decision_floats(golden, DECISION_LOGITS) + row,
            decision_floats(golden, DECISION_DELTAS) + 4 * row, (float)c->samples[image].height,
            (float)c->samples[image].width, &numbers, err);
    if (code == DET_OK)
        code = proposal_slack(&numbers, theirs.n, theirs.anchors, limits, theirs.slack, err);
    if (code == DET_OK)
        code = proposal_slack(&numbers, mine.n, mine.anchors, limits, mine.slack, err);
    if (code == DET_OK)
        compare_lists(c, image, &theirs, &mine, log);
    proposal_numbers_release(&numbers);
    list_release(&theirs);
    list_release(&mine);
    return code;
}

/* ---- RoIs ---- */

struct roi_candidates { /* of one image: the teacher's proposals, then truth where it is appended */
    int n;
    float *boxes; /* [n, 4] */
    struct roi_outcome {
        int8_t *drawn;
        int32_t *matched, *row; /* row: of the RoI arrays, or -1 */
        double *slack;
    } theirs, mine;
};

static void outcome_release(struct roi_outcome *o)
{
    free(o->drawn);
    free(o->matched);
    free(o->row);
    free(o->slack);
}

static int outcome_take(struct roi_outcome *o, size_t n)
{
    o->drawn = malloc(n + 1);
    o->matched = malloc((n + 1) * sizeof *o->matched);
    o->row = malloc((n + 1) * sizeof *o->row);
    o->slack = malloc((n + 1) * sizeof *o->slack);
    return o->drawn && o->matched && o->row && o->slack;
}

static void candidates_release(struct roi_candidates *r)
{
    free(r->boxes);
    outcome_release(&r->theirs);
    outcome_release(&r->mine);
}

static enum det_code candidates_make(const struct decision_case *c,
                                     const struct pass_decisions *golden, int image,
                                     struct roi_candidates *out, struct det_error *err)
{
    size_t proposals = (size_t)decision_ints(golden, DECISION_PROPOSAL_COUNT)[image];
    size_t truth = c->config->roi_append_ground_truth
                       ? (size_t)(c->first[image + 1] - c->first[image]) : 0;
    size_t first = (size_t)image * (size_t)decision_most_proposals(golden);
    size_t n = proposals + truth;
    out->n = (int)n;
    out->boxes = malloc((n + 1) * 4 * sizeof *out->boxes);
    if (!out->boxes || !outcome_take(&out->theirs, n) || !outcome_take(&out->mine, n))
        return det_fail(err, DET_NO_MEMORY, "%zu RoI candidates", n);
    memcpy(out->boxes, decision_floats(golden, DECISION_PROPOSAL_BOXES) + 4 * first,
           proposals * 4 * sizeof *out->boxes);
    memcpy(out->boxes + 4 * proposals, c->truth + 4 * (size_t)c->first[image],
           truth * 4 * sizeof *out->boxes);
    return DET_OK;
}

/* What a side drew of the image's candidates. A class that is not its match's has no match. */
static void read_outcome(const struct decision_case *c, const struct pass_decisions *d, int image,
                         int n, struct roi_outcome *out, struct flip_log *log)
{
    memset(out->drawn, -1, (size_t)n);
    memset(out->row, 0xff, (size_t)n * sizeof *out->row);
    for (int r = 0; r < decision_ints(d, DECISION_ROI_COUNT)[0]; r++) {
        int k = decision_ints(d, DECISION_ROI_INDEX)[r];
        int label = decision_ints(d, DECISION_ROI_LABELS)[r];
        int matched = decision_ints(d, DECISION_ROI_MATCHED)[r];
        if (decision_ints(d, DECISION_ROI_IMAGE)[r] != image)
            continue;
        if (k >= n) {
            flip_log_add(log, 1, "image %d: RoI %d is candidate %d of %d", image, r, k, n);
            continue;
        }
        int fits = matched >= c->first[image] && matched < c->first[image + 1] &&
                   c->truth_labels[matched] == label;
        out->drawn[k] = label > 0;
        out->matched[k] = fits ? matched - c->first[image] : -1;
        out->row[k] = r;
    }
}

/* How far a box's level is from the border of the two that it is given. */
static struct slack level_slack(const float box[4], int a, int b, double limit)
{
    double level = 4.0 + log2(sqrt(exact_area(box)) / 224.0) + 1e-6;
    double margin = abs(a - b) > 1 ? INFINITY : fabs(level - (2.0 + (double)(a > b ? a : b)));
    return iou_slack(FLIP_ROI_LEVEL, a == b ? 0.0 : margin, limit);
}

static void compare_rois(const struct pass_decisions *golden, const struct pass_decisions *own,
                         int image, const struct roi_candidates *r,
                         const double limits[FLIP_KINDS], struct flip_log *log)
{
    for (int k = 0; k < r->n; k++) {
        int t = r->theirs.row[k], o = r->mine.row[k];
        struct slack s = iou_slack(FLIP_ROI, fmax(r->theirs.slack[k], r->mine.slack[k]),
                                   limits[FLIP_ROI]);
        int both = r->theirs.drawn[k] == 1 && r->mine.drawn[k] == 1;
        int changed = r->theirs.drawn[k] != r->mine.drawn[k] ||
                      (both && r->theirs.matched[k] != r->mine.matched[k]);
        flip_log_flip(log, &s, changed,
                         "image %d, RoI candidate %d: drawn as %d there, %d here", image, k,
                         r->theirs.drawn[k], r->mine.drawn[k]);
        if (t < 0 || o < 0)
            continue;
        int level_t = decision_ints(golden, DECISION_ROI_LEVEL)[t];
        int level_o = decision_ints(own, DECISION_ROI_LEVEL)[o];
        struct slack l = level_slack(r->boxes + 4 * (size_t)k, level_t, level_o, limits[FLIP_ROI_LEVEL]);
        flip_log_flip(log, &l, level_t != level_o,
                         "image %d, RoI candidate %d: level %d there, %d here", image, k, level_t,
                         level_o);
    }
}

static enum det_code judge_image_rois(const struct decision_case *c,
                                      const double limits[FLIP_KINDS],
                                      const struct pass_decisions *golden,
                                      const struct pass_decisions *own, int image,
                                      struct flip_log *log, struct det_error *err)
{
    const struct det_config *config = c->config;
    struct roi_candidates r = {0};
    struct assignment a = assignment_of(c, image);
    enum det_code code = candidates_make(c, golden, image, &r, err);
    a.matcher = (struct det_matcher){(float)config->roi_fg_iou, (float)config->roi_bg_iou, 0};
    a.sampler = (struct det_sampler){(int)config->roi_batch_per_image,
                                     (float)config->roi_positive_fraction, (uint64_t)config->seed,
                                     DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE};
    a.n = r.n;
    a.boxes = r.boxes;
    struct roi_outcome *sides[2] = {&r.theirs, &r.mine};
    for (int side = 0; side < 2 && code == DET_OK; side++) {
        read_outcome(c, side ? own : golden, image, r.n, sides[side], log);
        a.drawn = sides[side]->drawn;
        a.matched = sides[side]->matched;
        code = assign_slack(&a, sides[side]->slack, err);
    }
    if (code == DET_OK)
        compare_rois(golden, own, image, &r, limits, log);
    candidates_release(&r);
    return code;
}

/* ---- all ---- */

enum det_code judge_decisions(const struct decision_case *c, const double limits[FLIP_KINDS],
                              const struct pass_decisions *golden, const struct pass_decisions *own,
                              struct flip_log *log, struct det_error *err)
{
    enum det_code code = judge_anchors(c, limits[FLIP_ANCHOR], golden, own, log, err);
    for (int i = 0; i < c->n_images && code == DET_OK; i++)
        code = judge_image_proposals(c, limits, golden, own, i, log, err);
    for (int i = 0; i < c->n_images && code == DET_OK; i++)
        code = judge_image_rois(c, limits, golden, own, i, log, err);
    return code;
}
