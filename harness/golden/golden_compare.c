#include "harness/golden/golden_compare.h"

#include "harness/golden/golden_config.h"
#include "harness/golden/golden_numerics.h"
#include "harness/golden/golden_select.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *golden_finding_name(enum golden_finding_kind kind)
{
    static const char *const names[] = {"moved",       "not finite", "missing",
                                        "superfluous", "unknown",    "out of order"};
    return names[kind];
}

enum golden_mode golden_mode_of(const struct golden_table *table, const struct logged_run *run,
                                char *differ, size_t size)
{
    char here[GOLDEN_NUMERICS_MAX];
    const char *was = golden_file_get(&table->file, "numerics", 0);
    golden_numerics_of(run, here);
    return golden_numerics_differ(was ? was : "", here, differ, size) == 0 ? GOLDEN_MODE_BITS
                                                                         : GOLDEN_MODE_TOLERANCE;
}

/* The head's configuration and data against the run's. */
static void compare_head(const struct golden_table *table, const struct logged_run *run, char *out,
                         size_t size)
{
    char now[32];
    char first[400];
    const char *was = golden_file_get(&table->file, "dataset", 0);
    snprintf(now, sizeof now, "%016" PRIx64, run->dataset_checksum);
    int keys = golden_config_differ(&table->file, &table->config, first, sizeof first);
    if (!golden_file_get(&table->file, "config", 0))
        snprintf(out, size, "no configuration is recorded");
    else if (!golden_file_get(&table->file, "numerics", 0))
        snprintf(out, size, "no numerics are recorded: nothing could be held to the bit");
    else if (keys > 0)
        snprintf(out, size, "configuration: %s%s", first, keys > 1 ? ", and other keys" : "");
    else if (!was || strcmp(was, now) != 0)
        snprintf(out, size, "data: checksum %s in the file, %s now", was ? was : "none", now);
    else
        out[0] = '\0';
}

static enum det_code add_finding(struct golden_report *report, enum golden_finding_kind kind,
                                 const struct golden_row *golden, const struct golden_row *row,
                                 struct det_error *err)
{
    struct golden_finding *grown =
        realloc(report->at, (size_t)(report->n + 1) * sizeof *report->at);
    if (!grown)
        return det_fail(err, DET_NO_MEMORY, "no memory for %d findings", report->n + 1);
    report->at = grown;
    struct golden_finding *finding = &report->at[report->n++];
    *finding = (struct golden_finding){.kind = kind, .line = golden ? golden->line : 0};
    struct metric_difference *difference = &finding->difference;
    if (golden)
        finding->tolerance = golden->tolerance;
    if (golden && row) {
        compare_note(difference, row->metric, &golden->value, &row->value, row->step);
        return DET_OK;
    }
    const struct golden_row *only = golden ? golden : row;
    snprintf(difference->name, sizeof difference->name, "%s", only->metric);
    difference->step = only->step;
    difference->absolute = difference->relative = difference->ulps = (double)NAN;
    strcpy(difference->a, "-");
    strcpy(difference->b, "-");
    metric_print(&only->value, golden ? difference->a : difference->b);
    return DET_OK;
}

static struct golden_row *find_row(const struct golden_rows *rows, const struct golden_row *row)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->at[i].step == row->step && strcmp(rows->at[i].metric, row->metric) == 0)
            return &rows->at[i];
    return NULL;
}

static int within(const struct golden_row *golden, const struct golden_row *row,
                  enum golden_mode mode)
{
    const struct golden_tolerance *t = &golden->tolerance;
    struct compare_options options = {0};
    if ((golden->value.kind == METRIC_HASH) != (row->value.kind == METRIC_HASH))
        return 0;
    if (mode == GOLDEN_MODE_TOLERANCE && t->kind == GOLDEN_RELATIVE)
        options.relative = t->size;
    if (mode == GOLDEN_MODE_TOLERANCE && t->kind == GOLDEN_ABSOLUTE)
        options.absolute = t->size;
    return metric_same(&golden->value, &row->value, &options);
}

static enum det_code compare_row(const struct golden_row *golden, const struct golden_row *row,
                                 struct golden_report *report, struct det_error *err)
{
    if (golden_not_finite(&golden->value) || golden_not_finite(&row->value))
        return add_finding(report, GOLDEN_NOT_FINITE, golden, row, err);
    if (report->mode == GOLDEN_MODE_TOLERANCE && golden->tolerance.kind == GOLDEN_BITS) {
        report->not_compared++;
        return DET_OK;
    }
    report->compared++;
    return within(golden, row, report->mode) ? DET_OK
                                             : add_finding(report, GOLDEN_MOVED, golden, row, err);
}

/* Each row of the run and its partner in the table, whose number is counted as kind the run says:
 * a table's text does not tell counts from reals. */
static enum det_code compare_rows(const struct golden_table *table, const struct golden_rows *rows,
                                  struct golden_report *report, struct det_error *err)
{
    enum det_code code = DET_OK;
    int last_line = 0;
    for (int i = 0; i < rows->n && code == DET_OK; i++) {
        const struct golden_row *found = find_row(&table->rows, &rows->at[i]);
        if (!found) {
            code = add_finding(report, GOLDEN_MISSING, NULL, &rows->at[i], err);
            continue;
        }
        struct golden_row golden = *found;
        if (golden.value.kind != METRIC_HASH && rows->at[i].value.kind != METRIC_HASH)
            golden.value.kind = rows->at[i].value.kind;
        if (golden.line < last_line)
            code = add_finding(report, GOLDEN_REORDERED, &golden, &rows->at[i], err);
        last_line = golden.line;
        if (code == DET_OK)
            code = compare_row(&golden, &rows->at[i], report, err);
    }
    return code;
}

/* Rows of the table that no row of the run is the partner of. */
static enum det_code find_superfluous(const struct golden_table *table,
                                      const struct logged_run *run, const struct golden_rows *rows,
                                      struct golden_report *report, struct det_error *err)
{
    enum det_code code = DET_OK;
    for (int i = 0; i < table->rows.n && code == DET_OK; i++) {
        const struct golden_row *golden = &table->rows.at[i];
        if (find_row(&table->rows, golden) == golden && find_row(rows, golden))
            continue;
        code = add_finding(report,
                           golden_metric_is_known(golden->metric, run) ? GOLDEN_SUPERFLUOUS
                                                                       : GOLDEN_UNKNOWN,
                           golden, NULL, err);
    }
    return code;
}

/* Findings are in the order of the run's rows, which is that of time. */
static void name_first_loss(struct golden_report *report)
{
    for (int i = 0; i < report->n; i++) {
        struct comparison one = {.n = 1, .at = &report->at[i].difference};
        const struct metric_difference *loss = compare_first_loss(&one);
        if (!loss || (report->at[i].kind != GOLDEN_MOVED && report->at[i].kind != GOLDEN_NOT_FINITE))
            continue;
        snprintf(report->first_loss, sizeof report->first_loss, "%s", loss->name);
        report->first_loss_step = loss->step;
        return;
    }
}

enum det_code golden_compare(const struct golden_table *table, const struct logged_run *run,
                             const struct golden_rows *rows, enum golden_mode mode,
                             struct golden_report *out, struct det_error *err)
{
    *out = (struct golden_report){.mode = mode};
    golden_mode_of(table, run, out->numerics, sizeof out->numerics);
    compare_head(table, run, out->head, sizeof out->head);
    enum det_code code = compare_rows(table, rows, out, err);
    if (code == DET_OK)
        code = find_superfluous(table, run, rows, out, err);
    name_first_loss(out);
    return code;
}

void golden_report_release(struct golden_report *report)
{
    free(report->at);
    report->at = NULL;
    report->n = 0;
}

int golden_holds(const struct golden_report *report)
{
    return report->n == 0 && !report->head[0] && report->compared > 0;
}
