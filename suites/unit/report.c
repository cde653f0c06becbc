/* The report: one page, everything in it, nothing from elsewhere, no markup let in by names. */
#include "harness/report/report.h"
#include "detector/base/file.h"
#include "harness/report/plot.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>

static struct made before, after;
static struct logged_run *runs[2];
static struct verdict verdicts[2];

static void open_runs(void)
{
    struct made *made[] = {&before, &after};
    for (int i = 0; i < 2; i++) {
        struct judge_rules rules;
        made_write(made[i]);
        runs[i] = made_read(made[i]);
        judge_rules_of(runs[i], &rules);
        judge_run(runs[i], &rules, &verdicts[i]);
    }
}

static void close_runs(void)
{
    logged_run_close(runs[0]);
    logged_run_close(runs[1]);
    made_remove(&before);
    made_remove(&after);
}

/* Stand-ins for gnuplot's pictures; the suite `plots` draws real ones. */
static void make_pictures(void)
{
    struct det_error err = {0};
    for (int p = 0; plot_names[p]; p++) {
        char path[160], svg[200];
        snprintf(path, sizeof path, "%s/%s.svg", before.folder, plot_names[p]);
        snprintf(svg, sizeof svg,
                 "<?xml version=\"1.0\"?>\n<svg><desc>picture of %s</desc></svg>\n", plot_names[p]);
        cr_assert_eq(det_file_write(path, svg, strlen(svg), &err), DET_OK, "%s", err.message);
    }
}

static char *report(const char *plots)
{
    struct det_error err = {0};
    char path[128], *text;
    size_t size;
    made_path(&before, "report.html", path);
    cr_assert_eq(
        report_write((const struct logged_run *const *)runs, verdicts, 2, plots, path, &err),
        DET_OK, "%s", err.message);
    cr_assert_eq(det_file_read(path, &text, &size, &err), DET_OK, "%s", err.message);
    return text;
}

Test(report, holds_everything)
{
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    open_runs();
    make_pictures();
    char *text = report(before.folder);
    static const char *const wanted[] = {
        "<!DOCTYPE html>",    "collapsed",       "no_detections", "healthy",         "lookalike",
        "roi_cls_pos_weight", "fg_accuracy_low", "Haswell",       "score &gt;= 0.5", "</html>",
        "feedface12345678",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_expect(strstr(text, wanted[i]), "lacks %s", wanted[i]);
    for (int p = 0; plot_names[p]; p++) {
        char desc[64];
        snprintf(desc, sizeof desc, "<svg><desc>picture of %s</desc>", plot_names[p]);
        cr_expect(strstr(text, desc), "lacks the picture %s", plot_names[p]);
        cr_expect(strstr(text, "<?xml") == NULL, "an XML prolog inside the page");
    }
    free(text);
    close_runs();
}

Test(report, refers_to_nothing_elsewhere)
{
    static const char *const forbidden[] = {"http:", "https:",  "src=", "<script",
                                            "<link", "@import", "url("};
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    open_runs();
    make_pictures();
    char *text = report(before.folder);
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        cr_expect(strstr(text, forbidden[i]) == NULL, "holds %s", forbidden[i]);
    free(text);
    close_runs();
}

Test(report, names_are_text_not_markup)
{
    made_start(&before, "<script>alert('1')</script>", 1);
    made_start(&after, "a & b \"c\"", 3);
    open_runs();
    char *text = report(NULL);
    cr_expect(strstr(text, "<script>") == NULL);
    cr_expect(strstr(text, "&lt;script&gt;alert(&#39;1&#39;)"), "escaped");
    cr_expect(strstr(text, "a &amp; b &quot;c&quot;"));
    cr_expect(strstr(text, "No plots were drawn"));
    free(text);
    close_runs();
}

Test(report, marks_what_differs)
{
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    open_runs();
    char *text = report(NULL);
    cr_expect(strstr(text, "<tr class=\"differs\"><td><code>roi_cls_pos_weight</code>"));
    cr_expect(strstr(text, "<tr><td><code>clip_grad_norm</code>"));
    free(text);
    close_runs();
}

Test(report, a_missing_picture_is_an_error)
{
    struct det_error err = {0};
    char path[128];
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    open_runs();
    made_path(&before, "report.html", path);
    cr_expect_eq(report_write((const struct logged_run *const *)runs, verdicts, 2,
                              "/no/such/folder", path, &err),
                 DET_IO);
    cr_expect(strstr(err.message, "losses.svg"), "%s", err.message);
    cr_expect_neq(access(path, F_OK), 0, "half a report was left behind");
    close_runs();
}

Test(report, a_run_that_hardly_began)
{
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    before.n_steps = before.n_evals = 0;
    after.n_steps = 3;
    after.n_evals = 0;
    open_runs();
    char *text = report(NULL);
    cr_expect(strstr(text, "incomplete"));
    cr_expect(strstr(text, "nan") == NULL, "an average over nothing");
    free(text);
    close_runs();
}
