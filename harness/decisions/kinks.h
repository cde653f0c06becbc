/* The kinks of a training pass: which units a ReLU let through, which element each maximum took.
 *
 * Gradients jump there. A unit within rounding of 0 that is on in one build and off in another turns
 * the gradients of all layers below it by some thousandths, a hundred times what rounding does. A
 * pupil is therefore given its teacher's kinks: a unit that must be on and is not gets the smallest
 * number that is above 0, one that must be off gets 0. Neither moves a value by more than the unit
 * was from the tie, which is told. */
#ifndef HARNESS_DECISIONS_KINKS_H
#define HARNESS_DECISIONS_KINKS_H

#include "detector/detector.h"

/* A unit in a byte: 0 is off, else its value's exponent, so that the teacher's distance from the tie
 * is known to a factor of 2. */
struct kinks {
    uint8_t *units;  /* of all ReLUs, one after another, all rows; owned */
    int32_t *maxima; /* likewise; owned */
    size_t n_units, n_maxima;
};

struct kink_flips { /* of one layer */
    const char *name; /* the model's */
    int maximum;
    int n;
    double margin; /* the largest distance from a tie, as a share of the layer's root mean square */
};

/* Of the model's pass; memory is taken at the first call. DET_NO_MEMORY. */
enum det_code kinks_take(struct kinks *kinks, struct det_model *model, struct det_device *dev,
                         struct det_error *err);

/* Give the layers of `stage` the teacher's kinks: from a det_pass_hook. tell is called for each
 * layer with a flip. DET_INVALID where `kinks` are of another model or batch or hold an element that
 * no plane has; nothing is changed then. DET_NO_MEMORY. */
typedef void kink_teller(void *arg, const struct kink_flips *flips);
enum det_code kinks_force(const struct kinks *kinks, struct det_model *model,
                          struct det_device *dev, enum det_pass_stage stage, kink_teller *tell,
                          void *arg, struct det_error *err);
void kinks_release(struct kinks *kinks);

#endif
