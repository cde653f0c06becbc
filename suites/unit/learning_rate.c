/* The learning rate's schedule. */
#include "detector/detector.h"

#include <criterion/criterion.h>
#include <math.h>

static struct det_config schedule(enum det_config_decay decay)
{
    struct det_config config = {
        .optimizer_lr = 0.02,
        .schedule_steps = 100,
        .schedule_warmup_steps = 5,
        .schedule_warmup_factor = 0.1,
        .schedule_decay = decay,
        .schedule_milestones = {2, {0.6, 0.8}},
        .schedule_gamma = 0.1,
    };
    return config;
}

static void expect_lr(const struct det_config *config, int64_t step, double want, double tolerance)
{
    double got = det_learning_rate(config, step);
    cr_expect(fabs(got - want) <= tolerance, "step %lld: got %.17g, want %.17g", (long long)step,
              got, want);
}

/* The very doubles of a PyTorch run with factor 0.1 over 5 steps, for two rates. */
Test(learning_rate, warm_up_is_pytorchs_to_the_bit)
{
    static const double low[] = {0.002, 0.005600000000000001, 0.0092, 0.0128, 0.0164, 0.02, 0.02};
    static const double high[] = {0.03, 0.084, 0.138, 0.192, 0.246, 0.3, 0.3};
    struct det_config config = schedule(DET_DECAY_NONE);
    for (int step = 0; step < 7; step++)
        expect_lr(&config, step, low[step], 0);
    config.optimizer_lr = 0.3;
    for (int step = 0; step < 7; step++)
        expect_lr(&config, step, high[step], 0);
}

Test(learning_rate, no_warm_up)
{
    struct det_config config = schedule(DET_DECAY_NONE);
    config.schedule_warmup_steps = 0;
    expect_lr(&config, 0, 0.02, 0);
    expect_lr(&config, 99, 0.02, 0);
}

/* Milestones are shares of the run: 0.6 and 0.8 of 100 steps, from that step on. */
Test(learning_rate, multi_step)
{
    struct det_config config = schedule(DET_DECAY_MULTI_STEP);
    expect_lr(&config, 59, 0.02, 0);
    expect_lr(&config, 60, 0.002, 1e-17);
    expect_lr(&config, 79, 0.002, 1e-17);
    expect_lr(&config, 80, 0.0002, 1e-18);
    expect_lr(&config, 99, 0.0002, 1e-18);
}

/* 0.07 * 100 is a hair above 7 in binary, 0.29 * 100 a hair below 29: the step is rounded, neither
 * passed over nor cut. */
Test(learning_rate, milestones_are_rounded_to_steps)
{
    struct det_config config = schedule(DET_DECAY_MULTI_STEP);
    config.schedule_milestones.n = 1;
    for (int64_t steps = 100; steps <= 10000; steps *= 10) {
        for (int percent = 1; percent < 100; percent++) {
            config.schedule_steps = steps;
            config.schedule_milestones.at[0] = percent / 100.0;
            int64_t at = steps * percent / 100;
            config.schedule_warmup_steps = 0;
            expect_lr(&config, at - 1, 0.02, 0);
            expect_lr(&config, at, 0.002, 1e-17);
        }
    }
}

/* Full at the end of the warm-up, half half-way between it and the end, 0 at the end and after. */
Test(learning_rate, cosine)
{
    struct det_config config = schedule(DET_DECAY_COSINE);
    config.schedule_steps = 105;
    expect_lr(&config, 0, 0.002, 0);
    expect_lr(&config, 5, 0.02, 0);
    expect_lr(&config, 30, 0.02 * (1 + sqrt(0.5)) / 2, 1e-16);
    expect_lr(&config, 55, 0.01, 1e-16);
    expect_lr(&config, 105, 0, 0);
    expect_lr(&config, 1000000, 0, 0);
    for (int64_t step = 6; step < 105; step++)
        cr_expect_lt(det_learning_rate(&config, step), det_learning_rate(&config, step - 1),
                     "step %lld does not fall", (long long)step);
}

/* A run shorter than its warm-up, or as long: still a number. */
Test(learning_rate, warm_up_as_long_as_the_run)
{
    struct det_config config = schedule(DET_DECAY_COSINE);
    config.schedule_steps = 5;
    for (int64_t step = 0; step < 8; step++) {
        double lr = det_learning_rate(&config, step);
        cr_expect(lr >= 0 && lr <= 0.02, "step %lld: %g", (long long)step, lr);
    }
}
