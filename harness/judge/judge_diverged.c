/* Divergence is looked for first and everywhere, since inference drops what is not finite: a
 * network full of NaN looks like one that sees no objects. */
#include "harness/judge/judge_rules.h"
#include "harness/log/run_log_fields.h"

#include <inttypes.h>
#include <math.h>

static const char *word(double value)
{
    return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/* The parts before their sum, so that the one that went first is named. */
static int bad_loss(const struct run_log_step *step, struct verdict *out)
{
    static const char *const keys[] = {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls",
                                       "loss_bbox",    "loss_mask",     "loss"};
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t offset = run_log_find(fields, n, keys[i])->offset;
        double value = *(const double *)((const char *)step + offset);
        if (!isfinite(value))
            return judge_say(out, VERDICT_DIVERGED, "loss_not_finite", step->step,
                             "%s is %s at step %" PRId64, keys[i], word(value), step->step);
    }
    return 0;
}

static int bad_step(const struct run_log_step *step, struct verdict *out)
{
    if (bad_loss(step, out))
        return 1;
    /* A skipped step's overflow is the loss scaler at work, not divergence. A log that does not say
     * which steps were skipped cannot tell the two apart by the norm: the losses will. */
    if (!isfinite(step->grad_norm) && step->skipped == 0)
        return judge_say(out, VERDICT_DIVERGED, "gradient_not_finite", step->step,
                         "the gradient's norm is %s at step %" PRId64, word(step->grad_norm),
                         step->step);
    if (step->not_finite > 0)
        return judge_say(out, VERDICT_DIVERGED, "boxes_not_finite", step->step,
                         "%" PRId64 " boxes or scores dropped for not being finite in training "
                         "step %" PRId64,
                         step->not_finite, step->step);
    if (!isfinite(step->max_score) || !isfinite(step->max_objectness))
        return judge_say(out, VERDICT_DIVERGED, "scores_not_finite", step->step,
                         "highest score %g, highest objectness %g in training step %" PRId64,
                         step->max_score, step->max_objectness, step->step);
    return 0;
}

static int bad_eval(const struct run_log_eval *eval, struct verdict *out)
{
    if (!eval->weights_finite)
        return judge_say(out, VERDICT_DIVERGED, "weights_not_finite", eval->step,
                         "a weight is not finite at the evaluation after step %" PRId64,
                         eval->step);
    if (eval->not_finite > 0)
        return judge_say(out, VERDICT_DIVERGED, "boxes_not_finite", eval->step,
                         "%" PRId64 " boxes or scores dropped for not being finite in the "
                         "evaluation after step %" PRId64,
                         eval->not_finite, eval->step);
    if (!isfinite(eval->max_score) || !isfinite(eval->max_objectness))
        return judge_say(out, VERDICT_DIVERGED, "scores_not_finite", eval->step,
                         "highest score %g, highest objectness %g in the evaluation after step "
                         "%" PRId64,
                         eval->max_score, eval->max_objectness, eval->step);
    return 0;
}

/* Steps and evaluations in the order of time: an evaluation after s steps comes before step s. */
int judge_diverged(const struct logged_run *run, struct verdict *out)
{
    size_t s = 0, e = 0;
    while (s < run->n_steps || e < run->n_evals) {
        int eval_next =
            s == run->n_steps || (e < run->n_evals && run->evals[e].step <= run->steps[s].step);
        if (eval_next ? bad_eval(&run->evals[e++], out) : bad_step(&run->steps[s++], out))
            return 1;
    }
    return 0;
}
