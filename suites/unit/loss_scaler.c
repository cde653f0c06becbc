/* The dynamic loss scale: torch.cuda.amp.GradScaler's rules. */
#include "detector/training/loss_scaler.h"

#include <criterion/criterion.h>
#include <float.h>

static struct det_loss_scaler scaler(double scale, int64_t interval)
{
    return (struct det_loss_scaler){
        .scale = scale, .growth = 2.0, .backoff = 0.5, .interval = interval};
}

Test(loss_scaler, defaults_are_pytorchs)
{
    struct det_loss_scaler s = det_loss_scaler_default();
    cr_expect_eq(s.scale, 65536.0);
    cr_expect_eq(s.growth, 2.0);
    cr_expect_eq(s.backoff, 0.5);
    cr_expect_eq(s.interval, 2000);
    cr_expect_eq(s.clean, 0);
}

/* Interval 3. Two clean steps and an overflow: the count starts again. Three clean ones double. */
Test(loss_scaler, sequence_by_hand)
{
    static const struct {
        int found_inf;
        double scale;
    } steps[] = {{0, 16}, {0, 16}, {1, 8}, {0, 8}, {0, 8}, {0, 16}, {0, 16}, {0, 16},
                 {0, 32}, {1, 16}, {1, 8}, {1, 4}, {0, 4}, {0, 4},  {0, 8}};
    struct det_loss_scaler s = scaler(16, 3);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        det_loss_scaler_update(&s, steps[i].found_inf);
        cr_expect_eq(s.scale, steps[i].scale, "step %zu: got %g, want %g", i, s.scale,
                     steps[i].scale);
    }
}

Test(loss_scaler, grows_every_step_with_interval_one)
{
    struct det_loss_scaler s = scaler(1, 1);
    for (int i = 0; i < 10; i++)
        det_loss_scaler_update(&s, 0);
    cr_expect_eq(s.scale, 1024.0, "got %g", s.scale);
}

/* The gradients are multiplied by it in float32: it must stay a float32. */
Test(loss_scaler, stays_within_float32)
{
    struct det_loss_scaler s = scaler(65536, 1);
    for (int i = 0; i < 1000; i++)
        det_loss_scaler_update(&s, 0);
    cr_expect_leq(s.scale, (double)FLT_MAX);
    cr_expect_gt(s.scale * 2, (double)FLT_MAX);
}

/* Powers of two: scaling and unscaling change no bit of a gradient. */
Test(loss_scaler, scale_stays_a_power_of_two)
{
    struct det_loss_scaler s = det_loss_scaler_default();
    s.interval = 2;
    for (int i = 0; i < 200; i++) {
        det_loss_scaler_update(&s, i % 7 == 0);
        double scale = s.scale;
        while (scale > 1)
            scale /= 2;
        while (scale < 1)
            scale *= 2;
        cr_expect_eq(scale, 1.0, "step %d: %g", i, s.scale);
    }
}
