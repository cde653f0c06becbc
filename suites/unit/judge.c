/* Every rule with a log that must trip it and its nearest miss, which must not. */
#include "suites/made_log.h"

#include <criterion/criterion.h>

static struct made made;

static struct verdict judge_made(void)
{
    struct verdict verdict;
    struct det_error err = {0};
    made_write(&made);
    cr_assert_eq(judge_log(made.folder, &verdict, &err), DET_OK, "%s", err.message);
    made_remove(&made);
    return verdict;
}

static int warned(const struct verdict *verdict, const char *rule)
{
    for (int i = 0; i < verdict->n_warnings; i++)
        if (strcmp(verdict->warnings[i].rule, rule) == 0)
            return 1;
    return 0;
}

struct rule_case {
    const char *name;
    void (*bend)(void);
    enum verdict_kind kind;
    const char *rule;
    int64_t step;
    const char *why; /* must be in the sentence */
};

static void judge_cases(const struct rule_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        made_start(&made, cases[i].name, 3);
        if (cases[i].bend)
            cases[i].bend();
        struct verdict got = judge_made();
        cr_expect_eq(got.kind, cases[i].kind, "%s: got %s (%s: %s), want %s", cases[i].name,
                     verdict_name(got.kind), got.rule, got.why, verdict_name(cases[i].kind));
        cr_expect_str_eq(got.rule, cases[i].rule, "%s: rule %s, want %s", cases[i].name, got.rule,
                         cases[i].rule);
        cr_expect_eq(got.step, cases[i].step, "%s: step %ld, want %ld", cases[i].name,
                     (long)got.step, (long)cases[i].step);
        cr_expect(strstr(got.why, cases[i].why), "%s: \"%s\" lacks \"%s\"", cases[i].name, got.why,
                  cases[i].why);
    }
}

#define COUNT(cases) (sizeof(cases) / sizeof(cases)[0])

/* ---- collapsed ---- */

static void empty_from(int eval)
{
    for (int e = eval; e < MADE_EVALS; e++)
        made_detections(&made, e, 0, 0);
}

static void empty_always(void)
{
    empty_from(0);
}

static void empty_last_two(void)
{
    empty_from(MADE_EVALS - 2);
}

static void empty_last_one(void)
{
    empty_from(MADE_EVALS - 1);
}

static void empty_but_one_at_the_end(void)
{
    empty_from(0);
    made_detections(&made, MADE_EVALS - 1, 5, 5);
}

/* Judged are 250, 275 and 300 (from 240 on); everything before is warm-up. */
static void empty_in_warm_up(void)
{
    for (int e = 0; e < 9; e++)
        made_detections(&made, e, 0, 0);
}

static void empty_single_judged(void)
{
    made.config.judge_after = 1;
    empty_from(MADE_EVALS - 1);
}

static void empty_without_objects(void)
{
    for (int e = MADE_EVALS - 2; e < MADE_EVALS; e++) {
        made_detections(&made, e, 0, 0);
        made.evals[e].objects = 0;
        made.objects[e][0] = made.objects[e][1] = 0;
    }
}

static void low_scores_stay(void) /* hundreds of detections at 0.05 do not count */
{
    empty_from(4);
    for (int e = 4; e < MADE_EVALS; e++)
        made.evals[e].detections[0] = 4000;
}

Test(judge, collapsed)
{
    static const struct rule_case cases[] = {
        {"as made", NULL, VERDICT_HEALTHY, "", -1, "detections at score >= 0.5 on 160 objects"},
        {"never any", empty_always, VERDICT_COLLAPSED, "no_detections", 25, "160 objects"},
        {"the last two", empty_last_two, VERDICT_COLLAPSED, "no_detections", 275, "step 300"},
        {"the last one only", empty_last_one, VERDICT_HEALTHY, "", -1, "0 detections"},
        {"back at the end", empty_but_one_at_the_end, VERDICT_HEALTHY, "", -1, "10 detections"},
        {"empty in warm-up", empty_in_warm_up, VERDICT_HEALTHY, "", -1, "detections"},
        {"only one is judged", empty_single_judged, VERDICT_COLLAPSED, "no_detections", 300, "300"},
        {"low scores stay", low_scores_stay, VERDICT_COLLAPSED, "no_detections", 125, "4000"},
        {"no objects there", empty_without_objects, VERDICT_HEALTHY, "", -1, "step 250"},
    };
    judge_cases(cases, COUNT(cases));
}

static void squares(int first_eval, int64_t detections, int64_t objects)
{
    for (int e = first_eval; e < MADE_EVALS; e++) {
        made.objects[e][1] = objects;
        made_detections(&made, e, 80, detections);
    }
}

static void squares_lost(void)
{
    squares(7, 0, 70);
}

static void squares_lost_rare(void) /* two objects suffice: the class had been learnt */
{
    squares(7, 0, 2);
}

static void squares_lost_once(void)
{
    squares(MADE_EVALS - 1, 0, 70);
}

static void squares_never(void)
{
    squares(0, 0, 70);
}

static void squares_never_few(void)
{
    squares(0, 0, 5);
}

static void squares_never_too_few(void)
{
    squares(0, 0, 4);
}

static void squares_noise_only(void) /* the untrained network's detections are not learnt ones */
{
    squares(0, 0, 4);
    made_detections(&made, 0, 80, 30);
}

static void squares_absent(void)
{
    squares(0, 0, 0);
}

static void squares_one_detection(void)
{
    squares(0, 0, 70);
    made_detections(&made, MADE_EVALS - 2, 80, 1);
}

Test(judge, collapsed_per_class)
{
    static const struct rule_case cases[] = {
        {"class lost", squares_lost, VERDICT_COLLAPSED, "class_lost", 200, "square"},
        {"rare class lost", squares_lost_rare, VERDICT_COLLAPSED, "class_lost", 200, "2 objects"},
        {"lost in the last one only", squares_lost_once, VERDICT_HEALTHY, "", -1, ""},
        {"class never there", squares_never, VERDICT_COLLAPSED, "class_never", 25, "square"},
        {"5 objects, never", squares_never_few, VERDICT_COLLAPSED, "class_never", 25, "5 objects"},
        {"4 objects, never", squares_never_too_few, VERDICT_HEALTHY, "", -1, ""},
        {"4 objects, noise", squares_noise_only, VERDICT_HEALTHY, "", -1, ""},
        {"no such objects", squares_absent, VERDICT_HEALTHY, "", -1, ""},
        {"one detection", squares_one_detection, VERDICT_HEALTHY, "", -1, ""},
    };
    judge_cases(cases, COUNT(cases));
}

/* ---- diverged ---- */

static void nan_loss(void)
{
    made.steps[42].loss_bbox = made.steps[42].loss = (double)NAN;
    empty_from(0); /* the rest looks collapsed */
}

static void inf_loss(void)
{
    made.steps[299].loss_rpn_cls = (double)INFINITY;
}

static void nan_gradient(void)
{
    made.steps[10].grad_norm = (double)NAN;
}

static void skipped_overflow(void) /* the loss scaler at work */
{
    made.steps[10].grad_norm = (double)INFINITY;
    made.steps[10].skipped = 1;
}

static void nan_weights(void)
{
    for (int e = 3; e < MADE_EVALS; e++)
        made.evals[e].weights_finite = 0;
}

static void nan_boxes(void)
{
    made.evals[5].not_finite = 3;
    made.steps[150].not_finite = 1; /* comes after the evaluation after 150 steps */
}

static void nan_boxes_in_training(void)
{
    made.evals[5].not_finite = 3;
    made.steps[149].not_finite = 1; /* step 149 comes before the evaluation after 150 steps */
}

static void nan_score(void)
{
    made.evals[11].max_score = (double)NAN;
}

static void huge_but_finite(void)
{
    for (int i = 0; i < MADE_STEPS; i++)
        made.steps[i].loss = made.steps[i].grad_norm = 1e300;
}

static void no_ap(void) /* null is not NaN */
{
    for (int e = 0; e < MADE_EVALS; e++)
        made.evals[e].mask_ap = made.evals[e].mask_ap50 = RUN_LOG_NONE;
}

Test(judge, diverged)
{
    static const struct rule_case cases[] = {
        {"NaN loss", nan_loss, VERDICT_DIVERGED, "loss_not_finite", 42, "loss_bbox is nan"},
        {"inf loss", inf_loss, VERDICT_DIVERGED, "loss_not_finite", 299, "loss_rpn_cls is inf"},
        {"NaN gradient", nan_gradient, VERDICT_DIVERGED, "gradient_not_finite", 10, "nan"},
        {"skipped overflow", skipped_overflow, VERDICT_HEALTHY, "", -1, ""},
        {"NaN weights", nan_weights, VERDICT_DIVERGED, "weights_not_finite", 100, "step 100"},
        {"NaN boxes", nan_boxes, VERDICT_DIVERGED, "boxes_not_finite", 150, "3 boxes"},
        {"NaN boxes, training", nan_boxes_in_training, VERDICT_DIVERGED, "boxes_not_finite", 149,
         "1 boxes"},
        {"NaN score", nan_score, VERDICT_DIVERGED, "scores_not_finite", 300, "nan"},
        {"huge but finite", huge_but_finite, VERDICT_HEALTHY, "", -1, ""},
        {"no mask AP", no_ap, VERDICT_HEALTHY, "", -1, ""},
    };
    judge_cases(cases, COUNT(cases));
}

/* ---- stalled ---- */

static void equal_hash(void)
{
    made.evals[6].weights_hash = made.evals[5].weights_hash;
}

static void equal_hash_short(void) /* 25 steps apart, 26 asked for */
{
    made.config.judge_stall_steps = 26;
    equal_hash();
}

static void equal_losses(int steps)
{
    for (int i = 61; i <= 60 + steps; i++) {
        int64_t step = made.steps[i].step;
        made.steps[i] = made.steps[60];
        made.steps[i].step = step;
    }
}

static void equal_losses_20(void)
{
    equal_losses(20);
}

static void equal_losses_19(void)
{
    equal_losses(19);
}

static void equal_total_only(void)
{
    for (int i = 60; i < 120; i++)
        made.steps[i].loss = 1;
}

static void skipped_always(void)
{
    for (int i = 30; i <= 50; i++)
        made.steps[i].skipped = 1;
}

static void skipped_often(void)
{
    skipped_always();
    made.steps[45].skipped = 0;
}

static void stalled_and_nan(void)
{
    equal_hash();
    nan_score();
}

Test(judge, stalled)
{
    static const struct rule_case cases[] = {
        {"equal hash", equal_hash, VERDICT_STALLED, "weights_unchanged", 150, "25 steps"},
        {"equal hash, too short", equal_hash_short, VERDICT_HEALTHY, "", -1, ""},
        {"equal losses", equal_losses_20, VERDICT_STALLED, "losses_unchanged", 60, "step 80"},
        {"equal losses, too short", equal_losses_19, VERDICT_HEALTHY, "", -1, ""},
        {"only the total is equal", equal_total_only, VERDICT_HEALTHY, "", -1, ""},
        {"skipped always", skipped_always, VERDICT_STALLED, "updates_skipped", 30, "step 50"},
        {"skipped often", skipped_often, VERDICT_HEALTHY, "", -1, ""},
        {"stalled and NaN", stalled_and_nan, VERDICT_DIVERGED, "scores_not_finite", 300, ""},
    };
    judge_cases(cases, COUNT(cases));
}

/* ---- incomplete ---- */

static void ended_early(void)
{
    made.n_steps = 299;
    made.n_evals = MADE_EVALS - 1;
    made.stop = "interrupted";
}

static void ended_early_collapsed(void)
{
    empty_always();
    ended_early();
}

static void ended_in_warm_up(void)
{
    empty_always();
    made.n_steps = 100;
    made.n_evals = 4;
}

static void never_evaluated(void)
{
    made.n_evals = 0;
}

static void no_objects_at_all(void)
{
    for (int e = 0; e < MADE_EVALS; e++)
        made.evals[e].objects = made.objects[e][0] = made.objects[e][1] = 0;
}

static void nothing_at_all(void)
{
    made.n_steps = made.n_evals = 0;
}

Test(judge, incomplete)
{
    static const struct rule_case cases[] = {
        {"ended early", ended_early, VERDICT_INCOMPLETE, "ended_early", 299, "interrupted"},
        {"ended early, empty", ended_early_collapsed, VERDICT_COLLAPSED, "no_detections", 25, ""},
        {"ended in warm-up", ended_in_warm_up, VERDICT_INCOMPLETE, "ended_early", 100, "of 300"},
        {"never evaluated", never_evaluated, VERDICT_INCOMPLETE, "nothing_evaluated", 300, ""},
        {"no objects", no_objects_at_all, VERDICT_INCOMPLETE, "nothing_evaluated", 300, "12"},
        {"run line only", nothing_at_all, VERDICT_INCOMPLETE, "ended_early", 0, "0 of 300"},
    };
    judge_cases(cases, COUNT(cases));
}

/* ---- warnings ---- */

static void without_positives(int from, int to)
{
    for (int i = from; i <= to; i++)
        made.steps[i].roi_positives = made.steps[i].rpn_positives = 0;
}

static void no_positives_20(void)
{
    without_positives(100, 119);
}

static void no_positives_19(void)
{
    without_positives(100, 118);
}

static void fg_accuracy(double value)
{
    for (int i = 0; i < MADE_STEPS; i++) {
        made.steps[i].fg_accuracy = i % 2 ? value : RUN_LOG_NONE;
        made.steps[i].false_negative = i % 2 ? 1 - value : RUN_LOG_NONE;
    }
}

static void fg_accuracy_4(void)
{
    fg_accuracy(0.04);
}

static void fg_accuracy_6(void)
{
    fg_accuracy(0.06);
}

static void fg_accuracy_none(void)
{
    for (int i = 0; i < MADE_STEPS; i++)
        made.steps[i].fg_accuracy = made.steps[i].false_negative = RUN_LOG_NONE;
}

static void recall_29(void)
{
    made.evals[MADE_EVALS - 1].proposal_recall = 0.29;
}

static void recall_30(void)
{
    made.evals[MADE_EVALS - 1].proposal_recall = 0.3;
}

static void recall_none(void)
{
    made.evals[MADE_EVALS - 1].proposal_recall = RUN_LOG_NONE;
}

static void clip(int steps)
{
    for (int i = 0; i < MADE_STEPS; i++)
        made.steps[i].clipped = i < steps;
}

static void clip_151(void)
{
    clip(151);
}

static void clip_150(void)
{
    clip(150);
}

static void rising(void)
{
    for (int i = 0; i < MADE_STEPS; i++)
        made.steps[i].loss = 1 + i;
}

static void found_nothing(void)
{
    memset(made.evals[MADE_EVALS - 1].objects_found, 0, sizeof made.evals[0].objects_found);
}

Test(judge, warnings)
{
    static const struct {
        const char *name;
        void (*bend)(void);
        const char *rule;
        int want;
    } cases[] = {
        {"20 steps without positives", no_positives_20, "no_roi_positives", 1},
        {"20 steps without positives", no_positives_20, "no_rpn_positives", 1},
        {"19 steps without positives", no_positives_19, "no_roi_positives", 0},
        {"19 steps without positives", no_positives_19, "no_rpn_positives", 0},
        {"foreground accuracy .04", fg_accuracy_4, "fg_accuracy_low", 1},
        {"foreground accuracy .06", fg_accuracy_6, "fg_accuracy_low", 0},
        {"no foreground accuracy", fg_accuracy_none, "fg_accuracy_low", 0},
        {"proposal recall .29", recall_29, "proposal_recall_low", 1},
        {"proposal recall .30", recall_30, "proposal_recall_low", 0},
        {"no proposal recall", recall_none, "proposal_recall_low", 0},
        {"151 of 300 clipped", clip_151, "clipping", 1},
        {"150 of 300 clipped", clip_150, "clipping", 0},
        {"loss rises", rising, "loss_rose", 1},
        {"loss falls", NULL, "loss_rose", 0},
        {"last evaluation empty", empty_last_one, "last_evaluation_empty", 1},
        {"last evaluation not empty", NULL, "last_evaluation_empty", 0},
        {"found nothing", found_nothing, "nothing_found", 1},
        {"found something", NULL, "nothing_found", 0},
        {"4 objects of a class missed", squares_never_too_few, "class_empty", 1},
        {"no object of a class there", squares_absent, "class_empty", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        made_start(&made, cases[i].name, 3);
        if (cases[i].bend)
            cases[i].bend();
        struct verdict got = judge_made();
        cr_expect_eq(got.kind, VERDICT_HEALTHY, "%s: %s", cases[i].name, got.why);
        cr_expect_eq(warned(&got, cases[i].rule), cases[i].want, "%s: warning %s: got %d, want %d",
                     cases[i].name, cases[i].rule, !cases[i].want, cases[i].want);
    }
}

Test(judge, a_healthy_run_has_no_warnings)
{
    made_start(&made, "healthy", 3);
    struct verdict got = judge_made();
    cr_expect_eq(got.n_warnings, 0, "%s: %s", got.warnings[0].rule, got.warnings[0].why);
}

/* The unfixed run of the main job: total loss falls nicely, and everything is background. */
Test(judge, the_unfixed_run)
{
    made_start(&made, "before", 1);
    struct verdict got = judge_made();
    cr_expect_eq(got.kind, VERDICT_COLLAPSED);
    cr_expect_eq(got.step, 25);
    cr_expect(warned(&got, "fg_accuracy_low"));
    cr_expect_eq(verdict_status(got.kind), 1);
}

Test(judge, the_rules_are_the_runs_own)
{
    made_start(&made, "own rules", 3);
    made.config.judge_consecutive = 3;
    empty_last_two();
    struct verdict got = judge_made();
    cr_expect_eq(got.kind, VERDICT_HEALTHY, "two empty ones where three are asked for: %s",
                 got.why);
}
