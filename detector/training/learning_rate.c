#include "detector/detector.h"

#include <math.h>

/* Linear from warmup_factor at step 0 to 1 at step warmup_steps (Goyal et al., "Accurate, large
 * minibatch SGD", 2017), in the order of operations of the reference implementations, so that the
 * doubles are the same. */
static double warm_up(const struct det_config *config, int64_t step)
{
    if (step >= config->schedule_warmup_steps)
        return 1.0;
    double share = (double)step / (double)config->schedule_warmup_steps;
    return config->schedule_warmup_factor * (1.0 - share) + share;
}

/* gamma for every milestone reached; a milestone is a share of the run, rounded to a step. */
static double multi_step(const struct det_config *config, int64_t step)
{
    double factor = 1.0;
    for (int i = 0; i < config->schedule_milestones.n; i++) {
        double at = config->schedule_milestones.at[i] * (double)config->schedule_steps;
        if (step >= llround(at))
            factor *= config->schedule_gamma;
    }
    return factor;
}

/* Half a cosine from 1 at the end of the warm-up to 0 at the end of the run (Loshchilov and Hutter,
 * "SGDR", ICLR 2017, without restarts). */
static double cosine(const struct det_config *config, int64_t step)
{
    int64_t length = config->schedule_steps - config->schedule_warmup_steps;
    int64_t done = step - config->schedule_warmup_steps;
    if (done <= 0)
        return 1.0;
    if (done >= length)
        return 0.0;
    return 0.5 * (1.0 + cos(acos(-1.0) * (double)done / (double)length));
}

double det_learning_rate(const struct det_config *config, int64_t step)
{
    double lr = config->optimizer_lr * warm_up(config, step);
    switch (config->schedule_decay) {
    case DET_DECAY_MULTI_STEP:
        return lr * multi_step(config, step);
    case DET_DECAY_COSINE:
        return lr * cosine(config, step);
    default:
        return lr;
    }
}
