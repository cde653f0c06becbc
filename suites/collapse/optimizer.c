/* The two other ways to lose all detections, told apart from the first and from one another: a
 * learning rate that kills the net (no score anywhere), and divergence, which must never pass for
 * "no detections". */
#include "suites/collapse/short_run.h"

/* Clipping does not rescue a learning rate that is far too high. The signature is the opposite of
 * the weights' collapse: nothing is left at any threshold. */
Test(optimizer, too_high_a_learning_rate_is_dead_at_every_threshold)
{
    static const struct setting settings[] = {
        {"optimizer.kind", "sgd"}, {"optimizer.lr", "0.2"}, {"schedule.steps", "60"}, {NULL, NULL}};
    struct short_run run;
    short_run_make(&run, settings, 1);
    expect_verdict("lr 0.2, clipped", &run, VERDICT_COLLAPSED);
    cr_assert_not_null(run.last);
    for (int t = 1; t < RUN_LOG_THRESHOLDS; t++)
        cr_expect_eq(run.last->detections[t], 0, "%lld detections at %g",
                     (long long)run.last->detections[t], run_log_thresholds[t]);
    cr_expect_lt(run.last->mean_object_score, 0.1, "score at objects %g",
                 run.last->mean_object_score);
    cr_expect(run.last->weights_finite);
    short_run_drop(&run);
}

static const struct {
    const char *what;
    struct setting settings[7];
} diverging[] = {
    {"lr 0.1 without clipping",
     {{"optimizer.kind", "sgd"}, {"optimizer.lr", "0.1"}, {"clip_grad_norm", "0"}}},
    {"loss_cls summed, without clipping",
     {{"optimizer.kind", "sgd"},
      {"optimizer.lr", "0.02"},
      {"clip_grad_norm", "0"},
      {"roi_cls_reduction", "sum"},
      {"roi_cls_avg_factor", "none"}}},
    {"RPN losses summed, without clipping",
     {{"optimizer.kind", "sgd"},
      {"optimizer.lr", "0.02"},
      {"clip_grad_norm", "0"},
      {"rpn_cls_reduction", "sum"},
      {"rpn_avg_factor", "none"}}},
};

Test(optimizer, divergence_is_called_by_its_name)
{
    for (size_t i = 0; i < sizeof diverging / sizeof *diverging; i++) {
        struct short_run run;
        short_run_make(&run, diverging[i].settings, 1);
        expect_verdict(diverging[i].what, &run, VERDICT_DIVERGED);
        cr_expect_lt(run.verdict.step, 60, "%s: at step %lld", diverging[i].what,
                     (long long)run.verdict.step);
        cr_expect_not_null(run.log->stop_reason, "%s: went on", diverging[i].what);
        short_run_drop(&run);
    }
}

/* The same sum, clipped: clipping is what keeps it finite. */
Test(optimizer, clipping_keeps_the_summed_loss_finite)
{
    static const struct setting settings[] = {
        {"optimizer.kind", "sgd"},      {"optimizer.lr", "0.02"}, {"roi_cls_reduction", "sum"},
        {"roi_cls_avg_factor", "none"}, {"schedule.steps", "40"}, {NULL, NULL}};
    struct short_run run;
    int clipped = 0;
    short_run_make(&run, settings, 1);
    cr_expect_neq(run.verdict.kind, VERDICT_DIVERGED, "%s", run.verdict.why);
    for (size_t i = 0; i < run.log->n_steps; i++)
        clipped += run.log->steps[i].clipped;
    cr_expect_gt(clipped, 10, "only %d of %zu steps were clipped", clipped, run.log->n_steps);
    short_run_drop(&run);
}
