/* A table against a run: whatever is not as recorded is found, named and measured. */
#include "suites/golden/made_table.h"

static struct made_table t;

static void start(void)
{
    made_table_start(&t);
}

static void stop(void)
{
    made_table_drop(&t);
}

TestSuite(findings, .init = start, .fini = stop);

/* The one finding that is wanted. */
static void expect_one(const struct golden_report *report, enum golden_finding_kind kind,
                       const char *metric, int64_t step)
{
    cr_expect_not(golden_holds(report));
    cr_assert_eq(report->n, 1, "%d findings, want 1; the first: %s of %s at step %lld", report->n,
                 report->n ? golden_finding_name(report->at[0].kind) : "-",
                 report->n ? report->at[0].difference.name : "-",
                 report->n ? (long long)report->at[0].difference.step : 0);
    const struct golden_finding *got = &report->at[0];
    cr_expect_eq(got->kind, kind, "%s, want %s", golden_finding_name(got->kind),
                 golden_finding_name(kind));
    cr_expect_str_eq(got->difference.name, metric);
    cr_expect_eq(got->difference.step, step, "step %lld", (long long)got->difference.step);
}

Test(findings, the_same_run_holds)
{
    struct golden_report report = made_table_compare(&t);
    cr_expect(golden_holds(&report), "%s; %d findings", report.head, report.n);
    cr_expect_eq(report.mode, GOLDEN_MODE_BITS);
    cr_expect_gt(report.compared, 80, "%d rows", report.compared);
    cr_expect_eq(report.not_compared, 0);
    golden_report_release(&report);
}

Test(findings, one_ulp_is_seen_and_named)
{
    t.made.steps[50].loss_cls = nextafter(t.made.steps[50].loss_cls, 10);
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MOVED, "loss_cls", 50);
    cr_expect_eq(report.at[0].difference.ulps, 1, "%g ulp", report.at[0].difference.ulps);
    cr_expect_gt(report.at[0].line, 0);
    cr_expect_str_eq(report.first_loss, "loss_cls");
    cr_expect_eq(report.first_loss_step, 50);
    golden_report_release(&report);
}

/* The total is no part: the part that moved at the same step is named. */
Test(findings, the_first_part_of_the_loss_is_named)
{
    t.made.steps[2].loss += 0.25;
    t.made.steps[3].loss_mask += 0.25;
    t.made.steps[3].loss_bbox += 0.25;
    struct golden_report report = made_table_compare(&t);
    cr_expect_eq(report.n, 3, "%d findings", report.n);
    cr_expect_str_eq(report.first_loss, "loss_bbox");
    cr_expect_eq(report.first_loss_step, 3);
    golden_report_release(&report);
}

Test(findings, one_count_and_one_bit_of_the_weights)
{
    t.made.evals[MADE_EVALS - 1].weights_hash ^= 1;
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MOVED, "eval weights_hash", MADE_STEPS);
    golden_report_release(&report);
    t.made.evals[MADE_EVALS - 1].weights_hash ^= 1;
    t.made.steps[0].roi_positives++;
    report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MOVED, "roi_positives", 0);
    golden_report_release(&report);
}

Test(findings, nan_in_the_run)
{
    t.made.steps[10].loss_mask = (double)NAN;
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_NOT_FINITE, "loss_mask", 10);
    golden_report_release(&report);
}

Test(findings, nan_or_inf_on_both_sides)
{
    static const double values[] = {(double)NAN, (double)INFINITY};
    for (int i = 0; i < 2; i++) {
        t.made.steps[10].grad_norm = values[i];
        made_write(&t.made);
        made_table_record(&t);
        struct golden_report report = made_table_compare(&t);
        expect_one(&report, GOLDEN_NOT_FINITE, "grad_norm", 10);
        golden_report_release(&report);
    }
}

Test(findings, a_missing_row)
{
    char line[256];
    made_table_line(&t, "loss_bbox              | 3 ", line, sizeof line);
    made_table_edit(&t, line, "");
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MISSING, "loss_bbox", 3);
    golden_report_release(&report);
}

Test(findings, a_superfluous_row)
{
    made_table_edit(&t, "loss_rpn_cls           | 1 ",
                    "loss_cls | 4 | 0.5 | exact | made up\nloss_rpn_cls           | 1 ");
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_SUPERFLUOUS, "loss_cls", 4);
    golden_report_release(&report);
}

Test(findings, a_row_twice)
{
    char line[256], twice[512];
    made_table_line(&t, "loss_bbox              | 3 ", line, sizeof line);
    snprintf(twice, sizeof twice, "%s%s", line, line);
    made_table_edit(&t, line, twice);
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_SUPERFLUOUS, "loss_bbox", 3);
    golden_report_release(&report);
}

Test(findings, an_unknown_metric)
{
    made_table_edit(&t, "loss_rpn_cls           | 1 ",
                    "loss_dice | 1 | 0.5 | exact | made up\nloss_rpn_cls           | 1 ");
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_UNKNOWN, "loss_dice", 1);
    golden_report_release(&report);
}

Test(findings, rows_out_of_order)
{
    char line[256], next[256], both[512], swapped[512];
    made_table_line(&t, "loss_rpn_cls           | 3 ", line, sizeof line);
    made_table_line(&t, "loss_rpn_bbox          | 3 ", next, sizeof next);
    snprintf(both, sizeof both, "%s%s", line, next);
    snprintf(swapped, sizeof swapped, "%s%s", next, line);
    made_table_edit(&t, both, swapped);
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_REORDERED, "loss_rpn_bbox", 3);
    golden_report_release(&report);
}

Test(findings, other_data)
{
    t.made.run.dataset_checksum ^= 1;
    struct golden_report report = made_table_compare(&t);
    cr_expect_not(golden_holds(&report));
    cr_expect(strstr(report.head, "data: checksum"), "%s", report.head);
    golden_report_release(&report);
}

/* A default that was changed since: every row may still agree, the run is another one. */
Test(findings, another_default)
{
    made_table_edit(&t, "roi.fg_iou=0.5", "roi.fg_iou=0.6");
    struct golden_report report = made_table_compare(&t);
    cr_expect_not(golden_holds(&report));
    cr_expect(strstr(report.head, "roi.fg_iou is 0.6 in the file, 0.5 here"), "%s", report.head);
    golden_report_release(&report);
}

Test(findings, a_key_that_is_gone)
{
    made_table_edit(&t, "roi.fg_iou=0.5", "roi.fg_iuo=0.5");
    struct golden_report report = made_table_compare(&t);
    cr_expect_not(golden_holds(&report));
    cr_expect(strstr(report.head, "roi.fg_iuo is 0.5 in the file, no key any more"), "%s",
              report.head);
    golden_report_release(&report);
}

/* Without that line every check would be one by tolerance. */
Test(findings, no_numerics)
{
    char line[600];
    made_table_line(&t, "numerics: ", line, sizeof line);
    made_table_edit(&t, line, "");
    struct golden_report report = made_table_compare(&t);
    cr_expect_not(golden_holds(&report));
    cr_expect(strstr(report.head, "no numerics"), "%s", report.head);
    golden_report_release(&report);
}

/* ---- other numerics ---- */

Test(findings, other_numerics_are_named_and_tolerated_by_the_row)
{
    t.made.run.environment.blas_core = "SkylakeX";
    t.made.steps[0].loss_cls *= 1 + 5e-6;
    t.made.steps[200].loss_cls *= 1.5; /* "bits": not compared */
    struct golden_report report = made_table_compare(&t);
    cr_expect(golden_holds(&report), "%d findings", report.n);
    cr_expect_eq(report.mode, GOLDEN_MODE_TOLERANCE);
    cr_expect_str_eq(report.numerics, "core is Haswell in the table, SkylakeX here");
    cr_expect_gt(report.not_compared, 0);
    cr_expect_gt(report.compared, 20);
    golden_report_release(&report);
}

Test(findings, beyond_the_tolerance)
{
    t.made.run.environment.blas_core = "SkylakeX";
    t.made.steps[0].loss_cls *= 1 + 2e-5;
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MOVED, "loss_cls", 0);
    golden_report_release(&report);
}

Test(findings, exact_whatever_the_numerics)
{
    t.made.run.environment.blas_core = "SkylakeX";
    t.made.steps[100].rpn_positives++;
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_MOVED, "rpn_positives", 100);
    golden_report_release(&report);
}

Test(findings, nan_passes_no_tolerance)
{
    t.made.run.environment.blas_core = "SkylakeX";
    t.made.steps[200].loss_cls = (double)NAN; /* a row that is otherwise not compared */
    struct golden_report report = made_table_compare(&t);
    expect_one(&report, GOLDEN_NOT_FINITE, "loss_cls", 200);
    golden_report_release(&report);
}

/* What does not change bits is not part of the numerics. */
Test(findings, compiler_level_and_sanitizer_are_no_numerics)
{
    t.made.run.environment.compiler = "clang 14";
    t.made.run.environment.flags = "-O0 -fsanitize=address,undefined";
    t.made.run.environment.threads = 7;
    struct golden_report report = made_table_compare(&t);
    cr_expect_eq(report.mode, GOLDEN_MODE_BITS, "%s", report.numerics);
    golden_report_release(&report);
    t.made.run.environment.flags = "-O2 -ffast-math";
    report = made_table_compare(&t);
    cr_expect_eq(report.mode, GOLDEN_MODE_TOLERANCE);
    golden_report_release(&report);
}
