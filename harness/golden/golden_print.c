#include "harness/golden/golden_print.h"

#include "harness/report/table.h"

#include <inttypes.h>
#include <math.h>

#define FINDINGS_MAX 40 /* printed of one table; the rest is counted */

static void put_number(struct table *table, double value)
{
    if (isnan(value))
        table_cell(table, "-");
    else
        table_cell(table, "%.3g", value);
}

static void put_finding(struct table *table, const struct golden_finding *finding,
                        enum golden_mode mode)
{
    const struct metric_difference *d = &finding->difference;
    char tolerance[32];
    golden_tolerance_print(&finding->tolerance, tolerance);
    table_cell(table, "%s", golden_finding_name(finding->kind));
    if (finding->line)
        table_cell(table, "%d", finding->line);
    else
        table_cell(table, "-");
    table_cell(table, "%s", d->name);
    table_cell(table, "%" PRId64, d->step);
    table_cell(table, "%s", d->a);
    table_cell(table, "%s", d->b);
    put_number(table, d->absolute);
    put_number(table, d->relative);
    if (isnan(d->ulps))
        table_cell(table, "-");
    else
        table_cell(table, "%.6g %s", d->ulps, d->single ? "f32" : "f64");
    table_cell(table, "%s", mode == GOLDEN_MODE_BITS ? "bits" : tolerance);
}

static enum det_code print_findings(FILE *to, const struct golden_report *report,
                                    struct det_error *err)
{
    static const char *const titles[] = {"finding",   "line",     "metric",   "step", "table",
                                         "now",       "absolute", "relative", "ulp",  "allowed"};
    struct table table;
    int shown = report->n < FINDINGS_MAX ? report->n : FINDINGS_MAX;
    table_begin(&table, 10);
    for (int i = 0; i < 10; i++)
        table_cell(&table, "%s", titles[i]);
    for (int i = 0; i < shown; i++)
        put_finding(&table, &report->at[i], report->mode);
    enum det_code code = table_check(&table, err);
    if (code == DET_OK)
        table_print(&table, to);
    table_release(&table);
    if (report->n > shown)
        fprintf(to, "and %d rows more\n", report->n - shown);
    return code;
}

static void print_first_loss(FILE *to, const struct golden_report *report)
{
    if (report->first_loss[0])
        fprintf(to, "first part of the loss to move: %s, at step %" PRId64 "\n", report->first_loss,
                report->first_loss_step);
}

static void print_mode(FILE *to, const struct golden_report *report)
{
    if (report->mode == GOLDEN_MODE_BITS) {
        fputs(", to the bit (the same numerics)\n", to);
        return;
    }
    fprintf(to, ", by each row's tolerance, since %s", report->numerics);
    if (report->not_compared)
        fprintf(to,
                "; %d rows not compared: they hold on the same numerics only (see `detcheck compare "
                "--teacher-forced`)",
                report->not_compared);
    fputc('\n', to);
}

enum det_code golden_print_check(FILE *to, const char *name, const struct golden_report *report,
                                 struct det_error *err)
{
    if (golden_holds(report)) {
        fprintf(to, "%s: holds: %d rows", name, report->compared);
        print_mode(to, report);
        return DET_OK;
    }
    fprintf(to, "%s: FAILS: %d of %d rows", name, report->n, report->compared);
    print_mode(to, report);
    if (report->head[0])
        fprintf(to, "%s: %s\n", name, report->head);
    print_first_loss(to, report);
    enum det_code code = report->n ? print_findings(to, report, err) : DET_OK;
    fprintf(to, "where this is meant: detcheck golden accept --reason 'WHY' %s\n", name);
    return code;
}

enum det_code golden_print_diff(FILE *to, const char *name, const struct golden_report *report,
                                struct det_error *err)
{
    fprintf(to, "%s: %d of %d rows moved%s%s\n", name, report->n, report->compared,
            report->numerics[0] ? "; other numerics: " : "", report->numerics);
    if (report->head[0])
        fprintf(to, "%s: %s\n", name, report->head);
    print_first_loss(to, report);
    return report->n ? print_findings(to, report, err) : DET_OK;
}
