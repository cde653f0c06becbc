/* Comparing two runs: one changed bit anywhere is found, named and measured. */
#include "harness/compare/compare.h"
#include "harness/report/run_table.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>

static struct made first, second;
static struct logged_run *a, *b;

static void start(void)
{
    made_start(&first, "first", 3);
    made_start(&second, "second", 3);
}

static struct comparison compare(const struct compare_options *options)
{
    struct comparison comparison;
    struct det_error err = {0};
    made_write(&first);
    made_write(&second);
    a = made_read(&first);
    b = made_read(&second);
    cr_assert_eq(compare_runs(a, b, options, &comparison, &err), DET_OK, "%s", err.message);
    return comparison;
}

static void stop(struct comparison *comparison)
{
    compare_release(comparison);
    logged_run_close(a);
    logged_run_close(b);
    made_remove(&first);
    made_remove(&second);
}

static const struct compare_options bits = {0};

Test(compare, equal_runs)
{
    start();
    second.steps[7].images_per_second = 1; /* speed does not count */
    struct comparison got = compare(&bits);
    cr_expect(compare_equal(&got), "%s", got.n ? got.at[0].name : "nothing compared");
    cr_expect_eq(got.steps, MADE_STEPS);
    cr_expect_eq(got.evals, MADE_EVALS);
    stop(&got);
}

Test(compare, one_ulp_of_a_double)
{
    start();
    second.steps[123].loss_cls = nextafter(second.steps[123].loss_cls, 10);
    struct comparison got = compare(&bits);
    cr_expect_not(compare_equal(&got));
    cr_assert_eq(got.n, 1);
    cr_expect_str_eq(got.at[0].name, "loss_cls");
    cr_expect_eq(got.at[0].step, 123);
    cr_expect_eq(got.at[0].ulps, 1, "%g ulps", got.at[0].ulps);
    cr_expect_not(got.at[0].single);
    cr_expect(got.at[0].relative > 0 && got.at[0].relative < 3e-16, "%g", got.at[0].relative);
    cr_expect_str_neq(got.at[0].a, got.at[0].b, "the printed values look the same: %s",
                      got.at[0].a);
    cr_expect_eq(compare_first_loss(&got), &got.at[0]);
    stop(&got);
}

Test(compare, one_ulp_of_a_float)
{
    start();
    first.steps[0].loss_mask = 0.1f;
    second.steps[0].loss_mask = nextafterf(nextafterf(0.1f, 1), 1);
    struct comparison got = compare(&bits);
    cr_assert_eq(got.n, 1);
    cr_expect(got.at[0].single);
    cr_expect_eq(got.at[0].ulps, 2, "%g ulps", got.at[0].ulps);
    stop(&got);
}

Test(compare, ulps_across_zero)
{
    start();
    first.steps[0].loss_mask = -1e-45f; /* one denormal below zero, one above: 2 apart */
    second.steps[0].loss_mask = 1e-45f;
    struct comparison got = compare(&bits);
    cr_assert_eq(got.n, 1);
    cr_expect_eq(got.at[0].ulps, 2, "%g ulps", got.at[0].ulps);
    cr_expect_eq(got.at[0].relative, 2);
    stop(&got);
}

/* Every metric of both kinds of line is looked at. */
Test(compare, every_place)
{
    static const struct {
        const char *name;
        int64_t step;
    } wanted[] = {
        {"skipped", 5},
        {"rpn_positives", 6},
        {"fg_accuracy", 7},
        {"eval detections 0.7", 50},
        {"eval detections_per_class square", 75},
        {"eval box_ap_per_class circle", 100},
        {"eval weights_hash", 125},
        {"eval mask_ap", 150},
    };
    start();
    second.steps[5].skipped = 1;
    second.steps[6].rpn_positives++;
    second.steps[7].fg_accuracy = RUN_LOG_NONE;
    second.evals[1].detections[4]++;
    second.detections[2][1]++;
    second.class_ap[3][0] += 1e-9;
    second.evals[4].weights_hash ^= 1;
    second.evals[5].mask_ap = RUN_LOG_NONE;
    struct comparison got = compare(&bits);
    cr_assert_eq(got.n, 8, "%d metrics differ, want 8", got.n);
    for (int i = 0; i < 8; i++) {
        cr_expect_str_eq(got.at[i].name, wanted[i].name, "%d: %s, want %s", i, got.at[i].name,
                         wanted[i].name);
        cr_expect_eq(got.at[i].step, wanted[i].step, "%s: step %ld", wanted[i].name,
                     (long)got.at[i].step);
    }
    cr_expect_str_eq(got.at[2].b, "null");
    cr_expect_null(compare_first_loss(&got));
    stop(&got);
}

Test(compare, nan_equals_nothing)
{
    start();
    first.steps[9].loss = second.steps[9].loss = (double)NAN;
    first.steps[8].grad_norm = second.steps[8].grad_norm = (double)INFINITY;
    struct compare_options loose = {.relative = 1e9, .absolute = 1e9};
    struct comparison got = compare(&loose);
    cr_assert_eq(got.n, 1, "inf equals inf, NaN does not equal NaN");
    cr_expect_str_eq(got.at[0].name, "loss");
    cr_expect(isnan(got.at[0].worst));
    stop(&got);
}

Test(compare, infinity_is_not_close_to_anything)
{
    start();
    second.steps[8].grad_norm = (double)INFINITY;
    struct compare_options loose = {.relative = 1e9, .absolute = 1e9};
    struct comparison got = compare(&loose);
    cr_expect_eq(got.n, 1);
    stop(&got);
}

Test(compare, tolerances)
{
    static const struct {
        double relative, absolute;
        int equal;
    } cases[] = {{0, 0, 0}, {0.9e-3, 0, 0}, {1.1e-3, 0, 1}, {0, 1.9e-3, 0}, {0, 2.1e-3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start();
        first.steps[3].loss_cls = 2;
        second.steps[3].loss_cls = 2.002;
        second.steps[3].loss_cls -= 1e-9;
        struct compare_options options = {.relative = cases[i].relative,
                                          .absolute = cases[i].absolute};
        struct comparison got = compare(&options);
        cr_expect_eq(compare_equal(&got), cases[i].equal, "relative %g, absolute %g: equal %d",
                     options.relative, options.absolute, !cases[i].equal);
        stop(&got);
    }
}

Test(compare, the_first_part_to_move)
{
    start();
    second.steps[20].grad_norm += 1e-3;
    second.steps[21].loss_rpn_bbox *= 1.5;
    second.steps[22].loss_cls *= 2;
    second.steps[23].loss_rpn_bbox *= 4;
    struct comparison got = compare(&bits);
    cr_assert_eq(got.n, 3);
    cr_expect_str_eq(got.at[0].name, "grad_norm");
    cr_expect_str_eq(compare_first_loss(&got)->name, "loss_rpn_bbox");
    cr_expect_eq(got.at[1].steps, 2);
    cr_expect_eq(got.at[1].worst_step, 23);
    cr_expect(fabs(got.at[1].worst - 0.75) < 1e-12);
    stop(&got);
}

Test(compare, a_shorter_run_is_not_equal)
{
    start();
    second.n_steps = 250;
    second.n_evals = 10;
    struct comparison got = compare(&bits);
    cr_expect_not(compare_equal(&got));
    cr_expect_eq(got.n, 0);
    cr_expect_eq(got.unmatched, 52);
    cr_expect_str_eq(got.first_unmatched, "step 250 is only in A");
    stop(&got);

    start();
    second.n_steps = 250;
    second.n_evals = 10;
    struct compare_options common = {.steps = 250};
    got = compare(&common);
    cr_expect(compare_equal(&got), "the first 250 steps are equal");
    cr_expect_eq(got.steps, 250);
    cr_expect_eq(got.evals, 10);
    stop(&got);
}

Test(compare, nothing_in_common_is_not_equal)
{
    start();
    first.n_steps = first.n_evals = second.n_steps = second.n_evals = 0;
    struct comparison got = compare(&bits);
    cr_expect_not(compare_equal(&got));
    stop(&got);
}

static char *printed(struct comparison *comparison, int json)
{
    static char text[40000];
    struct det_error err = {0};
    FILE *file = fmemopen(text, sizeof text, "w");
    cr_assert_eq(json ? compare_print_json(file, a, b, comparison, &err)
                      : compare_print(file, a, b, &bits, comparison, &err),
                 DET_OK);
    fclose(file);
    return text;
}

Test(compare, the_answer_names_configuration_and_environment)
{
    start();
    second.config.roi_cls_pos_weight = 1;
    second.run.environment.threads = 8;
    second.run.environment.memory_planned = 123456789;
    second.steps[2].loss_bbox = 9;
    struct comparison got = compare(&bits);
    const char *text = printed(&got, 0);
    cr_expect(strstr(text, "configuration: roi_cls_pos_weight: 3"), "%s", text);
    cr_expect(strstr(text, "environment: threads: 2 in A, 8 in B"), "%s", text);
    cr_expect(strstr(text, "first part of the loss to move: loss_bbox, at step 2"), "%s", text);
    cr_expect_null(strstr(text, "memory_planned"), "%s", text);

    json_t *json = json_loads(printed(&got, 1), 0, NULL);
    cr_assert(json, "not JSON");
    cr_expect(json_is_false(json_object_get(json, "equal")));
    cr_expect_str_eq(json_string_value(json_object_get(json, "first_loss")), "loss_bbox");
    cr_expect_eq(json_array_size(json_object_get(json, "differences")), 1);
    json_decref(json);
    stop(&got);
}

Test(compare, runs_side_by_side)
{
    static char text[20000];
    struct det_error err = {0};
    made_start(&first, "before", 1);
    made_start(&second, "after", 3);
    struct comparison got = compare(&bits);
    const struct logged_run *runs[] = {a, b};
    struct verdict verdicts[2];
    struct judge_rules rules;
    for (int i = 0; i < 2; i++) {
        judge_rules_of(runs[i], &rules);
        judge_run(runs[i], &rules, &verdicts[i]);
    }
    FILE *file = fmemopen(text, sizeof text, "w");
    cr_expect_eq(run_table_print(file, runs, verdicts, 2, &err), DET_OK);
    fclose(file);
    static const char *const wanted[] = {
        "before", "roi_cls_pos_weight", "loss_rpn_cls", "score >= 0.5",
        "box AP", "collapsed",          "no_detections"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_expect(strstr(text, wanted[i]), "lacks %s:\n%s", wanted[i], text);
    cr_expect(!strstr(text, "loss scaler"), "none of the two has one:\n%s", text);
    stop(&got);
}

Test(compare, skipped_steps_side_by_side)
{
    static char text[20000];
    struct det_error err = {0};
    made_start(&first, "fp32", 3);
    made_start(&second, "fp16", 3);
    second.config.model_precision = DET_PRECISION_FP16;
    second.skipped_steps = 17;
    struct comparison got = compare(&bits);
    const struct logged_run *runs[] = {a, b};
    struct verdict verdicts[2] = {{.rule = ""}, {.rule = ""}};
    FILE *file = fmemopen(text, sizeof text, "w");
    cr_expect_eq(run_table_print(file, runs, verdicts, 2, &err), DET_OK);
    fclose(file);
    const char *row = strstr(text, "steps skipped by the loss scaler");
    cr_assert_not_null(row, "%s", text);
    const char *end = strchr(row, '\n'), *cell = strstr(row, "17 of 300");
    cr_expect(cell && cell < end, "%.*s", (int)(end - row), row);
    stop(&got);
}
