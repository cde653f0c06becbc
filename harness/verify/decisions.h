/* The discrete decisions of one training pass, so that two passes that differ can be told why:
 * which proposals survived and in which order, which RoIs were drawn and what they stand for.
 * (Which anchors are sampled depends on nothing that training changes.) */
#ifndef HARNESS_VERIFY_DECISIONS_H
#define HARNESS_VERIFY_DECISIONS_H

#include "harness/verify/model_case.h"

struct decisions {      /* arrays owned by the case that recorded them */
    int n_images, most; /* most: proposals an image */
    int *n_proposals;   /* [n_images] */
    float (*boxes)[4];  /* [n_images, most] best first */
    float *scores;      /* [n_images, most] sigmoid of the objectness */
    int n_rois;
    float (*roi_boxes)[4];           /* [n_rois] */
    int32_t *roi_image, *roi_labels; /* [n_rois] */
};

/* Of the model's last training pass over n images. */
void decisions_record(struct verify_case *c, struct model_case *m, int n, struct decisions *out);

/* The first decision that differs between two passes over the same samples, and how near to a tie
 * it was in `a`, as text. Returns 0 where none is found. */
int decisions_explain(const struct model_case *m, const struct det_sample *samples,
                      const struct decisions *a, const struct decisions *b, char *out, size_t size);

#endif
