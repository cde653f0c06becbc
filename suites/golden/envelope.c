/* Envelopes: twenty made runs that differ as seeds do, and what is held against them. */
#include "harness/golden/envelope_fit.h"
#include "harness/golden/envelope_judge.h"
#include "harness/golden/envelope_power.h"
#include "harness/golden/golden_config.h"
#include "suites/golden/made_table.h"

#define SEEDS 20

static struct made made;
static struct envelope envelope;
static struct envelope_run runs[SEEDS];
static char path[128];

/* About standard normal, the same for the same (seed, key). */
static double scatter(int seed, int key)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += made_noise(1000 * seed + i, 100 + key);
    return sum;
}

/* The made run as this seed would have it: levels by 5 %, counts and shares by a little. */
static void make_seed(int seed)
{
    char folder[sizeof made.folder];
    strcpy(folder, made.folder);
    for (int i = 0; i < MADE_STEPS; i++) {
        struct run_log_step *s = &made.steps[i];
        made_step(s, i, 3);
        s->loss_rpn_cls *= exp(0.05 * scatter(seed, 1));
        s->loss_rpn_bbox *= exp(0.05 * scatter(seed, 2));
        s->loss_cls *= exp(0.05 * scatter(seed, 3));
        s->loss_bbox *= exp(0.05 * scatter(seed, 4));
        s->loss_mask *= exp(0.05 * scatter(seed, 5));
        s->loss *= exp(0.04 * scatter(seed, 6));
        s->grad_norm *= exp(0.05 * scatter(seed, 7));
        s->fg_accuracy *= 1 - 0.03 * fabs(scatter(seed, 8));
    }
    for (int e = 0; e < MADE_EVALS; e++) {
        made_eval(&made, e, 3);
        made_detections(&made, e, 85 + (int64_t)(3 * scatter(seed, 9)),
                        65 + (int64_t)(3 * scatter(seed, 10)));
        made.evals[e].detections[5] = 0;
        made.evals[e].box_ap += 0.02 * scatter(seed, 11);
        made.evals[e].mask_ap += 0.02 * scatter(seed, 12);
        made.evals[e].mean_object_score += 0.01 * scatter(seed, 13);
        made.evals[e].max_score -= 0.01 * fabs(scatter(seed, 14));
    }
}

static struct logged_run *written(void)
{
    made_write(&made);
    return made_read(&made);
}

static void start(void)
{
    static const char head[] = "detcheck golden envelope 1\nset: data=lookalike\n";
    struct det_error err = {0};
    made_start(&made, "seed", 3);
    made_path(&made, "made-fixed.txt", path);
    must(det_file_write(path, head, strlen(head), &err), &err);
    must(envelope_read(path, &envelope, &err), &err);
    for (int seed = 1; seed <= SEEDS; seed++) {
        make_seed(seed);
        struct logged_run *run = written();
        must(envelope_measure_run(run, &runs[seed - 1], &err), &err);
        logged_run_close(run);
    }
    must(envelope_fit(&envelope, runs, SEEDS, &err), &err);
    envelope.verdicts = 1u << VERDICT_HEALTHY;
    must(envelope_put(&envelope, &err), &err);
    must(golden_config_record(&envelope.file, &envelope.config, 1, &err), &err);
    must(golden_file_write(&envelope.file, &err), &err);
    make_seed(SEEDS + 1);
}

static void stop(void)
{
    envelope_release(&envelope);
    made_remove(&made);
}

TestSuite(envelope, .init = start, .fini = stop);

/* The made run as it stands, by the rules and then by the envelope. */
static struct verdict judge(void)
{
    struct det_error err = {0};
    struct judge_rules rules;
    struct verdict verdict;
    struct logged_run *run = written();
    judge_rules_of(run, &rules);
    judge_run(run, &rules, &verdict);
    must(envelope_judge(&envelope, run, &verdict, &err), &err);
    logged_run_close(run);
    return verdict;
}

static void expect_off(const char *what, const char *rule, const char *metric)
{
    struct verdict verdict = judge();
    cr_expect_eq(verdict.kind, VERDICT_OFF_GOLDEN, "%s: %s: %s", what, verdict_name(verdict.kind),
                 verdict.why);
    cr_expect(!rule || strcmp(verdict.rule, rule) == 0, "%s: rule %s, want %s: %s", what,
              verdict.rule, rule, verdict.why);
    cr_expect(strstr(verdict.why, metric), "%s: no %s in: %s", what, metric, verdict.why);
}

/* ---- judged ---- */

Test(envelope, other_seeds_are_inside)
{
    for (int seed = SEEDS + 1; seed <= SEEDS + 40; seed++) {
        make_seed(seed);
        struct verdict verdict = judge();
        cr_expect_eq(verdict.kind, VERDICT_HEALTHY, "seed %d: %s: %s", seed,
                     verdict_name(verdict.kind), verdict.why);
    }
}

Test(envelope, losses_times_1_3)
{
    for (int i = 0; i < MADE_STEPS; i++) {
        struct run_log_step *s = &made.steps[i];
        double *losses[] = {&s->loss_rpn_cls, &s->loss_rpn_bbox, &s->loss_cls,
                            &s->loss_bbox,    &s->loss_mask,     &s->loss};
        for (int l = 0; l < 6; l++)
            *losses[l] *= 1.3;
    }
    expect_off("losses x 1.3", NULL, "loss");
}

/* Too low is as wrong as too high. */
Test(envelope, one_loss_halved)
{
    for (int i = 0; i < MADE_STEPS; i++)
        made.steps[i].loss_mask *= 0.5;
    expect_off("loss_mask x 0.5", "outside_envelope", "loss_mask at steps ");
}

/* A change in the last third alone names that window. */
Test(envelope, the_window_is_named)
{
    for (int i = 200; i < MADE_STEPS; i++)
        made.steps[i].loss_cls *= 1.8;
    struct verdict verdict = judge();
    cr_expect_eq(verdict.kind, VERDICT_OFF_GOLDEN, "%s", verdict.why);
    cr_expect_eq(verdict.step, 200, "step %lld", (long long)verdict.step);
    cr_expect(strstr(verdict.why, "loss_cls at steps 200 to 299 is "), "%s", verdict.why);
}

Test(envelope, detections_halved_or_doubled)
{
    for (int e = 0; e < MADE_EVALS; e++)
        made_detections(&made, e, 42, 32);
    expect_off("halved", NULL, "detections");
    for (int e = 0; e < MADE_EVALS; e++)
        made_detections(&made, e, 170, 130);
    expect_off("doubled", NULL, "detections");
}

/* Ground truth that leaks into the evaluation. */
Test(envelope, too_good)
{
    for (int e = 0; e < MADE_EVALS; e++)
        made.evals[e].box_ap = 0.97;
    expect_off("AP 0.97", "outside_envelope", "box_ap");
}

/* No seed had a detection at 0.9: one may be chance, twenty are not. */
Test(envelope, a_count_that_is_always_zero)
{
    made.evals[MADE_EVALS - 1].detections[5] = 1;
    struct verdict verdict = judge();
    cr_expect_eq(verdict.kind, VERDICT_HEALTHY, "one: %s", verdict.why);
    made.evals[MADE_EVALS - 1].detections[5] = 20;
    expect_off("twenty", "outside_envelope", "detections 0.9");
}

Test(envelope, another_configuration)
{
    made.config.optimizer_lr = 0.01;
    expect_off("lr", "other_configuration", "optimizer.lr is 0.02 in the file, 0.01 here");
}

/* What explains more stands: the rules' own verdicts. */
Test(envelope, a_collapse_stays_a_collapse)
{
    for (int e = 0; e < MADE_EVALS; e++) {
        made_detections(&made, e, 0, 0);
        memset(made.evals[e].detections, 0, sizeof made.evals[e].detections);
    }
    struct verdict verdict = judge();
    cr_expect_eq(verdict.kind, VERDICT_COLLAPSED, "%s", verdict_name(verdict.kind));
}

Test(envelope, nan_is_outside)
{
    struct envelope_run run = runs[0];
    for (int m = 0; m < run.n; m++) {
        run.values[m] = (double)NAN;
        cr_expect_eq(envelope_alarms(&envelope, &run, 1), 1, "%s", run.metrics[m].name);
        run.values[m] = runs[0].values[m];
    }
    cr_expect_eq(envelope_alarms(&envelope, &run, 1), 0);
}

Test(envelope, what_cannot_be_measured_is_refused)
{
    struct det_error err = {0};
    struct verdict verdict = {.kind = VERDICT_HEALTHY};
    made.n_evals = 1;
    struct logged_run *run = written();
    cr_expect_eq(envelope_judge(&envelope, run, &verdict, &err), DET_INVALID);
    cr_expect(strstr(err.message, "fewer than 2 evaluations"), "%s", err.message);
    logged_run_close(run);
    made.n_evals = MADE_EVALS;
    made.n_steps = 200;
    made.n_evals = 8;
    run = written();
    cr_expect_eq(envelope_judge(&envelope, run, &verdict, &err), DET_INVALID);
    cr_expect(strstr(err.message, "200 of 300 steps"), "%s", err.message);
    logged_run_close(run);
}

/* ---- fitted ---- */

Test(envelope, its_own_seeds_are_inside_and_bent_ones_are_not)
{
    struct det_error err = {0};
    cr_expect_eq(envelope_alarms(&envelope, runs, SEEDS), 0);
    must(envelope_put_catches(&envelope, runs, SEEDS, &err), &err);
    cr_expect_str_eq(golden_file_get(&envelope.file, "catches", 0), "losses x 1.3: 20 of 20");
}

/* Healthy seeds, drawn again and again: the rule's own false alarms. */
Test(envelope, resampled_false_alarms_are_few)
{
    static struct envelope_run many[3 * SEEDS];
    struct det_error err = {0};
    int alarms, tried, again;
    for (int i = 0; i < 3 * SEEDS; i++) {
        make_seed(i + 1);
        struct logged_run *run = written();
        must(envelope_measure_run(run, &many[i], &err), &err);
        logged_run_close(run);
    }
    must(envelope_resample(&envelope, many, 3 * SEEDS, SEEDS, &alarms, &tried, &err), &err);
    cr_expect_eq(tried, ENVELOPE_ROUNDS * 2 * SEEDS, "%d", tried);
    cr_expect_leq(alarms, tried / 50, "%d of %d", alarms, tried);
    again = alarms;
    must(envelope_resample(&envelope, many, 3 * SEEDS, SEEDS, &alarms, &tried, &err), &err);
    cr_expect_eq(alarms, again, "%d, then %d", again, alarms);
}

/* One wild seed must not open the envelope by much. */
Test(envelope, one_wild_seed_of_twenty)
{
    struct det_error err = {0};
    struct envelope other = envelope;
    static struct envelope_run with_wild[SEEDS];
    memcpy(with_wild, runs, sizeof runs);
    cr_assert_str_eq(runs[0].metrics[2].name, "loss_cls");
    with_wild[4].values[2] *= 3;
    must(envelope_fit(&other, with_wild, SEEDS, &err), &err);
    cr_expect_float_eq(other.metrics[2].middle, envelope.metrics[2].middle, 0.02);
    cr_expect_leq(other.metrics[2].below, 1.2 * envelope.metrics[2].below,
                  "the side it is not on: %g, was %g", other.metrics[2].below,
                  envelope.metrics[2].below);
    cr_expect_float_eq(other.limit_max / envelope.limit_max, 1, 0.2, "limit %g, was %g",
                       other.limit_max, envelope.limit_max);
}

Test(envelope, too_few_seeds_or_other_metrics)
{
    struct det_error err = {0};
    struct envelope other = envelope;
    static struct envelope_run few[SEEDS];
    cr_expect_eq(envelope_fit(&other, runs, 9, &err), DET_INVALID);
    memcpy(few, runs, sizeof runs);
    few[3].n--;
    cr_expect_eq(envelope_fit(&other, few, SEEDS, &err), DET_INVALID);
    few[3].n++;
    few[3].values[0] = (double)NAN;
    cr_expect_eq(envelope_fit(&other, few, SEEDS, &err), DET_INVALID);
}

/* ---- its file ---- */

Test(envelope, its_file_reads_back_the_same)
{
    struct det_error err = {0};
    struct envelope read;
    must(envelope_read(path, &read, &err), &err);
    cr_assert_eq(read.n, envelope.n);
    cr_expect_str_eq(read.name, "made-fixed");
    cr_expect_eq(read.limit_max, envelope.limit_max);
    cr_expect_eq(read.limit_rms, envelope.limit_rms);
    for (int m = 0; m < read.n; m++) {
        struct envelope_metric *got = &read.metrics[m], *want = &envelope.metrics[m];
        cr_expect_str_eq(got->name, want->name);
        cr_expect(got->from == want->from && got->to == want->to, "%s", want->name);
        cr_expect_eq(got->middle, want->middle, "%s: %g, want %g", want->name, got->middle,
                     want->middle);
        cr_expect(got->below == want->below && got->above == want->above, "%s", want->name);
    }
    envelope_release(&read);
}

Test(envelope, a_damaged_file_is_refused)
{
    static const struct {
        const char *what, *from, *to;
    } cases[] = {
        {"no limits", "limits: max", "limits: mx"},
        {"other limits", "limits: max ", "limits: max 1"},
        {"no verdict", "verdict: healthy", "verdict: fine"},
        {"an unknown measure", "| level", "| livel"},
        {"steps that are none", "0..99", "0.99"},
        {"steps backwards", "100..199", "200..199"},
        {"a column too few", "| level   |", "| level   "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct made_table file = {.made = made};
        struct det_error err = {0};
        struct envelope read;
        strcpy(file.path, path);
        must(golden_file_write(&envelope.file, &err), &err);
        made_table_edit(&file, cases[i].from, cases[i].to);
        cr_expect_eq(envelope_read(path, &read, &err), DET_INVALID, "%s", cases[i].what);
        cr_expect(strstr(err.message, "made-fixed.txt"), "%s: %s", cases[i].what, err.message);
        envelope_release(&read);
    }
}
