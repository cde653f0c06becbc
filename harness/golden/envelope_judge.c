#include "harness/golden/envelope_judge.h"

#include "harness/golden/envelope_fit.h"
#include "harness/golden/golden_config.h"
#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The run's own configuration; keys that it does not have keep their defaults. Returns how many it
 * has: a log of another trainer has none. */
static int config_of(const struct logged_run *run, struct det_config *out)
{
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    int found = 0;
    det_config_defaults(out);
    for (size_t i = 0; i < n; i++) {
        char text[DET_CONFIG_TEXT_MAX];
        const json_t *value = json_object_get(run->config, keys[i].name);
        if (!value)
            continue;
        if (json_is_real(value)) /* to the last bit */
            json_text_print_number(json_real_value(value), text);
        else
            logged_value_text(value, text, sizeof text);
        found += det_config_set(out, keys[i].name, text, NULL) == DET_OK;
    }
    return found;
}

static int other_configuration(const struct envelope *envelope, const struct det_config *config,
                               struct verdict *verdict)
{
    char differ[160];
    if (golden_config_differ(&envelope->file, config, differ, sizeof differ) == 0)
        return 0;
    return judge_say(verdict, VERDICT_OFF_GOLDEN, "other_configuration", 0,
                     "not the configuration of %s: %s", envelope->name, differ);
}

/* The run's values in the order of the envelope's metrics; NaN for one that it does not have. */
static void arrange(const struct envelope *envelope, const struct envelope_run *run, double *values)
{
    for (int m = 0; m < envelope->n; m++) {
        const struct envelope_metric *want = &envelope->metrics[m];
        values[m] = (double)NAN;
        for (int i = 0; i < run->n; i++)
            if (strcmp(run->metrics[i].name, want->name) == 0 && run->metrics[i].from == want->from &&
                run->metrics[i].to == want->to)
                values[m] = run->values[i];
    }
}

static void say(const struct envelope *envelope, const struct envelope_distance *d,
                const double *values, struct verdict *verdict)
{
    int one = d->first_zero >= 0 || !(d->max <= envelope->limit_max);
    int at = d->first_zero >= 0 ? d->first_zero : d->worst;
    const struct envelope_metric *m = &envelope->metrics[at];
    double low, high;
    char metric[160];
    envelope_bounds(envelope, m, &low, &high);
    snprintf(metric, sizeof metric, "%s at steps %" PRId64 " to %" PRId64 " is %.4g", m->name,
             m->from, m->to, values[at]);
    if (one)
        judge_say(verdict, VERDICT_OFF_GOLDEN, "outside_envelope", m->from,
                  "%s, in %s %.4g to %.4g (median %.4g); %d of %d metrics outside", metric,
                  envelope->name, low, high, m->middle, d->n_outside, envelope->n);
    else
        judge_say(verdict, VERDICT_OFF_GOLDEN, "far_from_envelope", m->from,
                  "%d metrics together lie %.2f deviations from %s, limit %.2f; most of all %s "
                  "(median %.4g, %.1f deviations)",
                  envelope->n, d->rms, envelope->name, envelope->limit_rms, metric, m->middle,
                  d->deviation);
}

enum det_code envelope_judge(const struct envelope *envelope, const struct logged_run *run,
                             struct verdict *verdict, struct det_error *err)
{
    struct envelope_run measured;
    struct det_config config;
    double values[ENVELOPE_METRICS_MAX];
    if (envelope->n == 0)
        return det_fail(err, DET_INVALID, "%s: nothing is recorded yet; make it with `detcheck golden "
                        "envelope`", envelope->file.path);
    if (verdict->kind != VERDICT_HEALTHY && !(envelope->verdicts & 1u << verdict->kind))
        return DET_OK;
    if (!config_of(run, &config))
        return det_fail(err, DET_INVALID, "%s: a log without a configuration: an envelope is for the "
                        "runs of detcheck", run->path);
    if (other_configuration(envelope, &config, verdict))
        return DET_OK;
    enum det_code code = envelope_measure_run(run, &measured, err);
    if (code != DET_OK)
        return code;
    arrange(envelope, &measured, values);
    struct envelope_distance distance = envelope_distance_of(envelope, values);
    if (!envelope_inside(envelope, &distance))
        say(envelope, &distance, values, verdict);
    return DET_OK;
}
