/* The whole detector, set up as a vector file describes it. */
#ifndef HARNESS_VERIFY_MODEL_CASE_H
#define HARNESS_VERIFY_MODEL_CASE_H

#include "detector/detector.h"
#include "harness/verify/case.h"

struct model_case {
    struct det_model *model;
    struct det_config config;
    struct det_sample *samples; /* all images of the file; their arrays belong to the case */
    int n_images;
    int height, width;
    int n_classes;
};

/* The configuration that params describe, over torchvision's constants. */
void model_config(struct verify_case *c, struct det_config *config);

/* Samples from in.images, in.gt_*.i; ids from in.image_ids, or the index where there are none. */
void model_samples(struct verify_case *c, struct model_case *m);

/* The model planned for `batch` images, with the file's param.* loaded: every parameter there,
 * none superfluous. Config and samples must be set. */
void model_create(struct verify_case *c, struct model_case *m, int batch);

void model_release(struct model_case *m);

#endif
