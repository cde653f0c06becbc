/* Every plot is drawn, as SVG and PNG of the expected size, from good runs and from broken ones. */
#include "detector/base/file.h"
#include "harness/report/plot.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

static struct made made[3];

static int have_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

static unsigned big_endian(const unsigned char *at)
{
    return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

/* A width for PNG; for SVG a word that must be in it. */
static void expect_picture(const char *folder, const char *name, const char *extension,
                           unsigned width, const char *word)
{
    struct det_error err = {0};
    char path[160], *data = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, extension);
    cr_assert_eq(det_file_read(path, &data, &size, &err), DET_OK, "%s", err.message);
    cr_expect_gt(size, 4000, "%s: only %zu bytes", path, size);
    if (strcmp(extension, "png") == 0) {
        const unsigned char *bytes = (const unsigned char *)data;
        cr_expect_eq(memcmp(data, "\x89PNG\r\n\x1a\n", 8), 0, "%s: not a PNG", path);
        cr_expect_eq(big_endian(bytes + 16), width, "%s: %u wide", path, big_endian(bytes + 16));
        cr_expect_geq(big_endian(bytes + 20), 400, "%s: %u high", path, big_endian(bytes + 20));
    } else {
        cr_expect(strstr(data, "</svg>"), "%s: no end", path);
        cr_expect(strstr(data, word), "%s: lacks %s", path, word);
    }
    free(data);
}

static void expect_all(const struct made *first, int n, const char *word)
{
    struct logged_run *runs[3];
    struct plot_run plotted[3];
    struct det_error err = {0};
    char folder[128];
    for (int i = 0; i < n; i++) {
        made_write(&first[i]);
        runs[i] = made_read(&first[i]);
        plotted[i] = (struct plot_run){runs[i], i == 0 ? 1.0 / 3 : -1};
    }
    made_path(first, "plots", folder);
    cr_assert_eq(plot_runs(plotted, n, folder, &err), DET_OK, "%s", err.message);
    for (int p = 0; plot_names[p]; p++) {
        expect_picture(folder, plot_names[p], "png", 1100, NULL);
        expect_picture(folder, plot_names[p], "svg", 0, word);
    }
    for (int i = 0; i < n; i++) {
        logged_run_close(runs[i]);
        made_remove(&first[i]);
    }
}

Test(plots, before_and_after)
{
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "before", 1);
    made_start(&made[1], "after_the 'fixes' \"x\" `date` $1", 3);
    expect_all(made, 2, "before");
}

Test(plots, a_run_that_diverges)
{
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "before", 3);
    for (int i = 100; i < MADE_STEPS; i++) {
        made[0].steps[i].loss = made[0].steps[i].loss_cls = (double)NAN;
        made[0].steps[i].grad_norm = (double)INFINITY;
    }
    for (int e = 4; e < MADE_EVALS; e++) {
        made[0].evals[e].max_score = (double)NAN;
        made[0].evals[e].weights_finite = 0;
    }
    expect_all(made, 1, "before");
}

/* Nothing to draw is an empty picture, not an error: a run may be killed at any time. */
Test(plots, a_run_without_steps)
{
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "before", 3);
    made[0].n_steps = made[0].n_evals = 0;
    expect_all(made, 1, "lookalike");
}

Test(plots, nothing_but_nan_and_null)
{
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "before", 3);
    for (int i = 0; i < MADE_STEPS; i++) {
        struct run_log_step *step = &made[0].steps[i];
        step->loss = step->loss_cls = step->loss_bbox = step->loss_mask = (double)NAN;
        step->loss_rpn_cls = step->loss_rpn_bbox = step->grad_norm = (double)NAN;
        step->fg_accuracy = step->rpn_fg_accuracy = RUN_LOG_NONE;
    }
    for (int e = 0; e < MADE_EVALS; e++) {
        struct run_log_eval *eval = &made[0].evals[e];
        eval->mask_ap = eval->mask_ap50 = eval->box_ap = eval->box_ap50 = RUN_LOG_NONE;
        eval->max_score = eval->mean_object_score = (double)NAN;
        eval->rpn_fg_bg_ratio = eval->roi_fg_bg_ratio = RUN_LOG_NONE;
    }
    expect_all(made, 1, "lookalike");
}

Test(plots, zero_losses)
{
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "before", 3);
    for (int i = 0; i < MADE_STEPS; i++)
        made[0].steps[i].loss_bbox = made[0].steps[i].loss_mask = made[0].steps[i].grad_norm = 0;
    expect_all(made, 1, "lookalike");
}

Test(plots, closed_form)
{
    static const struct closed_form_point points[] = {
        {"before", 1, 0.5, 0.491}, {"before", 1, 0.25, 0.263}, {"after", 3, 0.5, 0.779},
        {"after", 3, 0.25, 0.5},   {"more", 5, 0.25, 0.606},
    };
    struct det_error err = {0};
    if (!have_gnuplot())
        cr_skip_test("gnuplot is not installed");
    made_start(&made[0], "closed form", 3);
    cr_assert_eq(plot_closed_form(points, 5, made[0].folder, &err), DET_OK, "%s", err.message);
    expect_picture(made[0].folder, "closed_form", "png", 800, NULL);
    expect_picture(made[0].folder, "closed_form", "svg", 0, "before");
    cr_expect_eq(plot_closed_form(points, 0, made[0].folder, &err), DET_INVALID);
    made_remove(&made[0]);
}

Test(plots, without_gnuplot)
{
    struct det_error err = {0};
    char folder[128], table[160];
    made_start(&made[0], "before", 1);
    made_write(&made[0]);
    struct logged_run *run = made_read(&made[0]);
    struct plot_run plotted = {run, -1};
    made_path(&made[0], "plots", folder);
    setenv("PATH", "/nonexistent", 1);
    cr_expect_eq(plot_runs(&plotted, 1, folder, &err), DET_UNAVAILABLE);
    cr_expect(strstr(err.message, "gnuplot is not installed"), "%s", err.message);
    snprintf(table, sizeof table, "%s/data/1.steps.tsv", folder);
    cr_expect_eq(access(table, R_OK), 0, "the data are there all the same");
    cr_expect_eq(plot_runs(&plotted, 0, folder, &err), DET_INVALID);
    setenv("PATH", "/usr/bin:/bin", 1);
    logged_run_close(run);
    made_remove(&made[0]);
}
