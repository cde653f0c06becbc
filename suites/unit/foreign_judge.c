/* What may be said of a run whose log counts no detections, and what may not. Each rule with a log
 * that must trip it and its nearest miss. */
#include "suites/foreign_logs.h"

TestSuite(foreign_judge, .init = make_folder, .fini = remove_folder);

struct shape { /* of a made run of 1000 steps in detectron2's format, a line every 20 */
    double fg_accuracy, false_negative, fg_samples; /* negative: not logged */
    double ap[2];                                   /* of the evaluations at 900 and 1000 */
    double early_fg;                                /* accuracy before judge.after */
    int64_t planned;
};

static struct logged_run *make(const struct shape *shape)
{
    static char text[60000];
    const struct foreign_options options = {.steps = shape->planned};
    int at = 0;
    for (int i = 19; i < 1000; i += 20) {
        double fg = i < 800 ? shape->early_fg : shape->fg_accuracy;
        at += sprintf(text + at, "{\"iteration\": %d, \"total_loss\": %.17g", i, 1.0 / (i + 1));
        if (fg >= 0)
            at += sprintf(text + at, ", \"fast_rcnn/fg_cls_accuracy\": %g", fg);
        if (shape->false_negative >= 0)
            at += sprintf(text + at, ", \"fast_rcnn/false_negative\": %g", shape->false_negative);
        if (shape->fg_samples >= 0)
            at += sprintf(text + at, ", \"roi_head/num_fg_samples\": %g", shape->fg_samples);
        if (i == 899 && shape->ap[0] >= 0)
            at += sprintf(text + at, ", \"bbox/AP\": %g", shape->ap[0]);
        at += sprintf(text + at, "}\n");
    }
    if (shape->ap[1] >= 0)
        sprintf(text + at, "{\"iteration\": 1000, \"bbox/AP\": %g}\n", shape->ap[1]);
    return read_log(text, &options);
}

static void expect_shape(const char *name, struct shape shape, enum verdict_kind kind,
                         const char *rule, int64_t step)
{
    struct logged_run *run = make(&shape);
    expect_verdict(name, run, kind, rule, step);
    logged_run_close(run);
}

Test(foreign_judge, foreground_missed)
{
    const char *rule = "foreground_missed";
    struct shape all = {0, 1, 4, {30, 31}, 0.5, 1000}, s = all;
    expect_shape("all of it, though AP is fine", s, VERDICT_COLLAPSED, rule, 819);
    s.fg_accuracy = 0.02, s.false_negative = 0.98;
    expect_shape("nearly all", s, VERDICT_COLLAPSED, rule, 819);
    s.fg_accuracy = 0.03;
    expect_shape("some is found", s, VERDICT_HEALTHY, "", -1);
    s = all, s.false_negative = 0.9;
    expect_shape("classes are confused", s, VERDICT_HEALTHY, "", -1);
    s = all, s.false_negative = -1;
    expect_shape("the share is not logged", s, VERDICT_COLLAPSED, rule, 819);
    s = all, s.fg_samples = 0;
    expect_shape("there is no foreground", s, VERDICT_HEALTHY, "", -1);
    s = all, s.fg_samples = -1;
    expect_shape("its amount is not logged", s, VERDICT_COLLAPSED, rule, 819);
    s = all, s.fg_samples = 2;
    expect_shape("so little foreground that a median of 0 says nothing", s, VERDICT_HEALTHY, "",
                 -1);
    s = all, s.early_fg = 0;
    expect_shape("from the start", s, VERDICT_COLLAPSED, rule, 19);
    s = all, s.early_fg = 0, s.fg_accuracy = 0.4, s.false_negative = 0.6;
    expect_shape("in the beginning only", s, VERDICT_HEALTHY, "", -1);
}

Test(foreign_judge, ap_zero)
{
    struct shape zero = {-1, -1, -1, {0, 0}, -1, 1000}, s = zero;
    expect_shape("twice, nothing else known", s, VERDICT_COLLAPSED, "ap_zero", 900);
    s.ap[0] = 0.1;
    expect_shape("a tenth of a percent before", s, VERDICT_HEALTHY, "", -1);
    s = zero, s.ap[0] = -1;
    expect_shape("once only", s, VERDICT_HEALTHY, "", -1);
    s = zero, s.fg_accuracy = s.early_fg = 0.5, s.false_negative = 0.4;
    expect_shape("the head sees foreground: boxes or evaluation are wrong", s, VERDICT_HEALTHY, "",
                 -1);
    s = zero, s.fg_accuracy = s.early_fg = 0.04, s.false_negative = 0.9;
    expect_shape("the head hardly does", s, VERDICT_COLLAPSED, "ap_zero", 900);
}

Test(foreign_judge, nothing_to_tell_by)
{
    struct shape none = {-1, -1, -1, {-1, -1}, -1, 1000}, s = none;
    expect_shape("losses alone", s, VERDICT_INCOMPLETE, "nothing_evaluated", 1000);
    s.ap[0] = s.ap[1] = 40;
    expect_shape("AP alone", s, VERDICT_HEALTHY, "", -1);
    s.planned = 2000;
    expect_shape("not at its end", s, VERDICT_INCOMPLETE, "ended_early", 1000);
    struct logged_run *run = make(&none);
    run->strict = 1;
    run->planned_steps = run->steps_done;
    struct verdict verdict = verdict_of(run);
    cr_expect(is_untold(&verdict, "no_detections") && is_untold(&verdict, "foreground_missed") &&
              is_untold(&verdict, "ap_zero") && !is_untold(&verdict, "loss_not_finite"));
    logged_run_close(run);
}

Test(foreign_judge, strictly_AP_alone_is_not_healthy)
{
    struct shape ap = {-1, -1, -1, {40, 41}, -1, 1000};
    struct logged_run *run = make(&ap);
    run->strict = 1;
    expect_verdict("AP alone", run, VERDICT_INCOMPLETE, "nothing_counted", 1000);
    logged_run_close(run);
    ap.fg_accuracy = ap.early_fg = 0.5;
    run = make(&ap);
    run->strict = 1;
    expect_verdict("with foreground accuracy", run, VERDICT_HEALTHY, "", -1);
    logged_run_close(run);
}

/* Steps logged one by one: so much foreground must have been seen that finding none of it is no
 * chance. */
Test(foreign_judge, foreground_missed_step_by_step)
{
    static const struct {
        int lines;
        double samples;
        enum verdict_kind kind;
    } cases[] = {{9, 50, VERDICT_HEALTHY},    {10, 2, VERDICT_HEALTHY}, {10, 3, VERDICT_COLLAPSED},
                 {10, -1, VERDICT_COLLAPSED}, {29, 1, VERDICT_HEALTHY}, {30, 1, VERDICT_COLLAPSED}};
    write_text("map.yaml", "step: i\nsteps: 1000\ntraining: {fg_accuracy: a, roi_positives: n}\n");
    char map[160];
    snprintf(map, sizeof map, "%s", in_folder(&folder, "map.yaml"));
    const struct foreign_options options = {.mapping = map};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        char text[2000] = "i,a,n\n";
        int at = (int)strlen(text);
        for (int i = 0; i < cases[c].lines; i++) {
            at += sprintf(text + at, "%d,0,", i < cases[c].lines - 1 ? 800 + i : 999);
            at += cases[c].samples < 0 ? sprintf(text + at, "\n")
                                       : sprintf(text + at, "%g\n", cases[c].samples);
        }
        struct logged_run *run = read_log(text, &options);
        struct verdict verdict = verdict_of(run);
        cr_expect_eq(verdict.kind, cases[c].kind, "%d lines of %g: %s", cases[c].lines,
                     cases[c].samples, verdict_name(verdict.kind));
        logged_run_close(run);
    }
}

/* A mid-way verdict holds only where the rule has all that it asks for. */
Test(foreign_judge, certainty)
{
    struct shape shape = {0, 1, 4, {30, 31}, 0, 1000};
    struct judge_rules rules;
    struct logged_run *run = make(&shape);
    judge_rules_of(run, &rules);
    struct verdict verdict = verdict_of(run);
    cr_expect(judge_is_certain(run, &rules, &verdict));
    run->planned_unknown = 1;
    cr_expect_not(judge_is_certain(run, &rules, &verdict), "how far the run is, is not known");
    logged_run_close(run);
    shape = (struct shape){-1, -1, -1, {0, 0}, -1, 1000};
    run = make(&shape);
    verdict = verdict_of(run);
    cr_expect(judge_is_certain(run, &rules, &verdict));
    rules.consecutive = 3;
    judge_run(run, &rules, &verdict);
    cr_expect_eq(verdict.kind, VERDICT_COLLAPSED);
    cr_expect_not(judge_is_certain(run, &rules, &verdict), "a third evaluation may come");
    logged_run_close(run);
    run = read_log("{\"iteration\": 1, \"total_loss\": NaN}\n", NULL);
    verdict = verdict_of(run);
    cr_expect(judge_is_certain(run, &rules, &verdict));
    logged_run_close(run);
}

/* Evaluations that predicted nothing, beside others that say only how well they rank. */
Test(foreign_judge, silent_and_ranked_evaluations)
{
    static const struct {
        const char *before, *last;
        enum verdict_kind kind;
        const char *rule;
    } cases[] = {{"NaN", "NaN", VERDICT_COLLAPSED, "no_detections"},
                 {"NaN", "40", VERDICT_HEALTHY, ""},
                 {"40", "NaN", VERDICT_HEALTHY, ""},
                 {"NaN", "0", VERDICT_COLLAPSED, "ap_zero"},
                 {"0", "NaN", VERDICT_COLLAPSED, "ap_zero"}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        char text[500];
        const struct foreign_options options = {.steps = 1000};
        snprintf(text, sizeof text,
                 "{\"iteration\": 899, \"total_loss\": 2, \"bbox/AP\": %s}\n"
                 "{\"iteration\": 999, \"total_loss\": 1, \"bbox/AP\": %s}\n",
                 cases[c].before, cases[c].last);
        struct logged_run *run = read_log(text, &options);
        struct verdict got = verdict_of(run);
        cr_expect(got.kind == cases[c].kind && strcmp(got.rule, cases[c].rule) == 0,
                  "%s, %s: got %s (%s)", cases[c].before, cases[c].last, verdict_name(got.kind),
                  got.rule);
        logged_run_close(run);
    }
}

/* An early evaluation without any prediction, as many begin, tells nothing of the late ones. */
Test(foreign_judge, early_silence_is_no_count)
{
    struct logged_run *run = read_log("{\"iteration\": 19, \"total_loss\": 2, \"bbox/AP\": NaN}\n"
                                      "{\"iteration\": 99, \"total_loss\": 1, \"bbox/AP\": 40}\n",
                                      NULL);
    struct verdict verdict = verdict_of(run);
    cr_expect_eq(verdict.kind, VERDICT_HEALTHY, "%s", verdict.why);
    cr_expect(is_untold(&verdict, "no_detections"));
    cr_expect(is_untold(&verdict, "foreground_missed"));
    logged_run_close(run);
}

/* What is not logged does not stand still. */
Test(foreign_judge, no_losses)
{
    static const struct {
        const char *name, *key;
        enum verdict_kind kind;
    } cases[] = {{"only a rate", "lr", VERDICT_INCOMPLETE},
                 {"only accuracy", "fast_rcnn/fg_cls_accuracy", VERDICT_HEALTHY},
                 {"one part of the loss", "loss_cls", VERDICT_STALLED}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        char text[2000];
        int at = 0;
        for (int i = 0; i < 8; i++)
            at +=
                sprintf(text + at, "{\"iteration\": %d, \"%s\": 0.5}\n", 20 * i + 19, cases[c].key);
        struct logged_run *run = read_log(text, NULL);
        struct verdict verdict = verdict_of(run);
        cr_expect_eq(verdict.kind, cases[c].kind, "%s: %s", cases[c].name,
                     verdict_name(verdict.kind));
        logged_run_close(run);
    }
}

/* Rounded losses that repeat are no standstill until there are enough of them. */
Test(foreign_judge, equal_lines)
{
    char text[2000] = "";
    for (int lines = 4; lines <= 5; lines++) {
        int at = 0;
        for (int i = 0; i < lines; i++)
            at += sprintf(text + at, "{\"iteration\": %d, \"total_loss\": 0.25}\n", 20 * i + 19);
        struct logged_run *run = read_log(text, NULL);
        if (lines == 4)
            expect_verdict("4 lines", run, VERDICT_INCOMPLETE, "nothing_evaluated", 80);
        else
            expect_verdict("5 lines", run, VERDICT_STALLED, "losses_unchanged", 19);
        logged_run_close(run);
    }
}
