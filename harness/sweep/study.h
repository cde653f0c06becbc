/* A study: variants of one configuration, each to be trained with several seeds.
 *
 *     about: one line
 *     closed_form_p: 0.3333        # optional: share of look-alikes that are annotated
 *     base:                        # configuration keys of every variant
 *       schedule.steps: 300
 *     variants:
 *       - name: unfixed
 *         about: both positive weights 1
 *         seeds: 20                # optional, default 2
 *         expect: collapsed        # optional: the verdict that every seed must have
 *         set:
 *           rpn_cls_pos_weight: 1.0
 */
#ifndef HARNESS_SWEEP_STUDY_H
#define HARNESS_SWEEP_STUDY_H

#include "detector/training/training_config.h"

#define STUDY_VARIANTS_MAX 64
#define STUDY_TEXT_MAX 200

struct study_variant {
    char name[64], about[STUDY_TEXT_MAX];
    int seeds;
    char expect[16]; /* a verdict's name; "" for none */
    struct det_config config;
};

struct study {
    char name[64]; /* the file's, without folder and .yaml */
    char about[STUDY_TEXT_MAX];
    double closed_form_p; /* negative: none */
    struct study_variant variants[STUDY_VARIANTS_MAX];
    int n_variants;
};

/* Read the study at path; every variant's configuration is resolved and checked. `settings` go over
 * each of them (for shorter runs, other data). DET_INVALID names file, line and key. */
enum det_code study_read(const char *path, const char *const *settings, size_t n_settings,
                         struct study *out, struct det_error *err);

#endif
