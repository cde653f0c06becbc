/* How far a pupil may be from its teacher: one table for each pair of precisions, read from
 * golden/teacher/tolerances.txt, which says why each number is what it is. */
#ifndef HARNESS_TEACHER_TOLERANCES_H
#define HARNESS_TEACHER_TOLERANCES_H

#include "detector/base/status.h"
#include "harness/decisions/flip_kind.h"

struct tolerances {
    double loss;      /* of each loss, relative */
    double value;     /* of the RPN's logits and deltas: largest difference, of their root mean square */
    double target;    /* of encoded box targets: largest difference, relative to max(1, |target|) */
    double gradient;  /* of a parameter's gradient: norm of the difference, of the norm */
    double bias;      /* a bias's gradient may instead be so near, of its layer's norm */
    double grad_norm; /* of the global norm, relative; also the margin of clipped or not */
    double update;    /* of an update: largest difference, of the update's largest, beyond roundings */
    double kink;      /* of a unit or a maximum, of the root mean square of its layer */
    double match;     /* IoU: anchors and RoIs to their thresholds and rivals */
    double nms;       /* IoU: proposals to the NMS threshold */
    double size;      /* pixels: proposals to the smallest side */
    double level;     /* levels: RoIs to the border of two */
};

/* The table of a teacher's and a pupil's precision ("fp32", "bf16"), from the file at `path`, or
 * from the built-in table where that is NULL. DET_INVALID names file, line and row: every quantity
 * must be there once. */
enum det_code tolerances_read(const char *path, const char *teacher, const char *pupil,
                              struct tolerances *out, struct det_error *err);

/* The limits of flips' margins, where the RPN's logits have that root mean square. */
void tolerances_limits(const struct tolerances *t, double logits_rms, double limits[FLIP_KINDS]);

#endif
