/* Which detection found which object: greedy, best score first, each to the free object with the
 * highest IoU, for every IoU threshold and area range on its own. */
#include "detector/evaluation/coco_rows.h"

#include <math.h>
#include <string.h>

/* The values of numpy's linspace(0.5, 0.95, 10), to the bit. */
double coco_iou_threshold(int t)
{
    const double step = (0.95 - 0.5) / (DET_COCO_IOUS - 1);
    return t == DET_COCO_IOUS - 1 ? 0.95 : 0.5 + t * step;
}

int coco_area_outside(double area, int a)
{
    static const double range[DET_COCO_AREAS][2] = {
        {0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}};
    return area < range[a][0] || area > range[a][1];
}

/* Boxes are x, y, width, height; a crowd's IoU is over the detection's area alone. */
static double box_iou(const double *detection, const double *truth, int crowd)
{
    double w =
        fmin(detection[2] + detection[0], truth[2] + truth[0]) - fmax(detection[0], truth[0]);
    double h =
        fmin(detection[3] + detection[1], truth[3] + truth[1]) - fmax(detection[1], truth[1]);
    if (w <= 0 || h <= 0)
        return 0;
    double common = w * h, area = detection[2] * detection[3];
    return common / (crowd ? area : area + truth[2] * truth[3] - common);
}

static double mask_iou(const struct coco_row *detection, const struct coco_row *truth)
{
    if (detection->mask.h != truth->mask.h || detection->mask.w != truth->mask.w)
        return -1;
    if (box_iou(detection->box, truth->box, truth->crowd) <= 0)
        return 0;
    int64_t common = det_rle_intersection(&detection->mask, &truth->mask);
    int64_t joined = detection->pixels + (truth->crowd ? 0 : truth->pixels - common);
    return joined ? (double)common / (double)joined : 0;
}

/* The objects that the detection may be matched to at the lowest threshold, in their order. */
static size_t find_candidates(enum det_iou_type type, const struct coco_row *detection,
                              const struct coco_row *truth, size_t n_truth,
                              struct coco_match_scratch *scratch)
{
    size_t n = 0;
    for (size_t g = 0; g < n_truth; g++) {
        double iou = type == DET_IOU_SEGM ? mask_iou(detection, &truth[g])
                                          : box_iou(detection->box, truth[g].box, truth[g].crowd);
        if (iou >= coco_iou_threshold(0)) {
            scratch[n].iou = iou;
            scratch[n++].truth = (uint32_t)g;
        }
    }
    return n;
}

/* The free candidate with the highest IoU, the last of equal ones; -1 where there is none. */
static int best_candidate(const struct coco_row *truth, const struct coco_match_scratch *scratch,
                          size_t n, int t, int a, int ignored)
{
    double iou = coco_iou_threshold(t);
    int best = -1;
    for (size_t c = 0; c < n; c++) {
        size_t g = scratch[c].truth;
        int taken = scratch[g].taken[a] >> t & 1;
        if ((scratch[g].ignored >> a & 1) != ignored || (taken && !truth[g].crowd))
            continue;
        if (scratch[c].iou >= iou) {
            iou = scratch[c].iou;
            best = (int)g;
        }
    }
    return best;
}

/* Objects that count come before ignored ones, however much better those fit. */
static void match_detection(const struct coco_row *truth, struct coco_match_scratch *scratch,
                            size_t n_candidates, int a, struct coco_match *match)
{
    for (int t = 0; t < DET_COCO_IOUS; t++) {
        int ignored = 0;
        int g = best_candidate(truth, scratch, n_candidates, t, a, 0);
        if (g < 0) {
            ignored = 1;
            g = best_candidate(truth, scratch, n_candidates, t, a, 1);
        }
        if (g < 0)
            continue;
        uint16_t bit = (uint16_t)(1 << t);
        scratch[g].taken[a] |= bit;
        if (!truth[g].uncounted)
            match->matched[a] |= bit;
        if (ignored)
            match->ignored[a] |= bit;
    }
}

/* Detections outside the area range are no mistakes where they match nothing. */
static void ignore_unmatched(double area, struct coco_match *match)
{
    for (int a = 0; a < DET_COCO_AREAS; a++)
        if (coco_area_outside(area, a))
            match->ignored[a] |= (uint16_t)~match->matched[a];
}

void coco_match_cell(enum det_iou_type type, const struct coco_row *detections,
                     const struct coco_row *truth, const struct coco_cell *cell,
                     struct coco_match_scratch *scratch, struct coco_match *matches)
{
    for (size_t g = 0; g < cell->n_truth; g++) {
        scratch[g] = (struct coco_match_scratch){0};
        for (int a = 0; a < DET_COCO_AREAS; a++)
            if (truth[g].crowd || coco_area_outside(truth[g].area, a))
                scratch[g].ignored |= (uint8_t)(1 << a);
    }
    memset(matches, 0, cell->n_detections * sizeof *matches);
    for (size_t d = 0; d < cell->n_detections; d++) {
        matches[d].rank = (uint32_t)d;
        if (d >= COCO_CAP_LARGEST)
            continue;
        size_t n = find_candidates(type, &detections[d], truth, cell->n_truth, scratch);
        for (int a = 0; a < DET_COCO_AREAS && n; a++)
            match_detection(truth, scratch, n, a, &matches[d]);
        ignore_unmatched(detections[d].area, &matches[d]);
    }
}
