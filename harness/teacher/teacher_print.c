#include "harness/teacher/teacher_print.h"

#include "harness/report/table.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define MOST_LINES 40 /* of what was found */

/* ---- sums over the steps ---- */

struct totals {
    struct worst loss, value, target, gradient, grad_norm, update;
    struct flips flips[FLIP_KINDS];
    int flips_n, failed_steps;
};

static void add_worst(struct worst *to, const struct worst *from)
{
    if (from->name[0])
        worst_take(to, from->error, from->name);
}

static struct totals totals_of(const struct teacher_report *report)
{
    struct totals t = {.failed_steps = 0};
    for (size_t i = 0; i < report->n; i++) {
        const struct step_result *r = &report->steps[i];
        add_worst(&t.loss, &r->loss);
        add_worst(&t.value, &r->value);
        add_worst(&t.target, &r->target);
        add_worst(&t.gradient, &r->gradient);
        add_worst(&t.grad_norm, &r->grad_norm);
        add_worst(&t.update, &r->update);
        t.failed_steps += !step_result_passes(r);
        for (int k = 0; k < FLIP_KINDS; k++) {
            t.flips[k].n += r->log.kind[k].n;
            t.flips[k].following += r->log.kind[k].following;
            t.flips[k].beyond += r->log.kind[k].beyond;
            t.flips[k].worst = slack_larger(t.flips[k].worst, r->log.kind[k].worst);
            t.flips_n += r->log.kind[k].n;
        }
    }
    return t;
}

/* ---- for people ---- */

static void error_cell(struct table *table, const struct worst *worst)
{
    if (worst->name[0])
        table_cell(table, "%.1e", worst->error);
    else
        table_cell(table, "%s", "-");
}

static void add_step(struct table *table, const struct step_result *r)
{
    int flips = 0, following = 0;
    struct slack nearest = {FLIP_ANCHOR, 0.0, 0.0};
    for (int k = 0; k < FLIP_KINDS; k++) {
        flips += r->log.kind[k].n;
        following += r->log.kind[k].following;
        nearest = slack_larger(nearest, r->log.kind[k].worst);
    }
    table_cell(table, "%" PRId64, r->step);
    error_cell(table, &r->loss);
    error_cell(table, &r->value);
    error_cell(table, &r->gradient);
    table_cell(table, "%s", r->gradient.name[0] ? r->gradient.name : "-");
    error_cell(table, &r->grad_norm);
    error_cell(table, &r->update);
    table_cell(table, "%d", flips);
    table_cell(table, "%d", following);
    table_cell(table, flips || nearest.share > 0.0 ? "%.2f" : "-", nearest.share);
    table_cell(table, "%s", step_result_passes(r) ? "" : "FAILS");
}

static void add_limits(struct table *table, const char *name, const double limits[5])
{
    table_cell(table, "%s", name);
    for (int i = 0; i < 3; i++)
        table_cell(table, "%.1e", limits[i]);
    table_cell(table, "%s", "");
    table_cell(table, "%.1e", limits[3]);
    table_cell(table, "%.1e", limits[4]);
    table_end_row(table);
}

static void print_steps(FILE *to, const struct teacher_report *report, const struct totals *all,
                        struct table *table)
{
    static const char *const headings[] = {"step", "losses", "values",    "gradients",
                                           "of",   "norm",   "update",    "flips",
                                           "follow", "of limit", ""};
    const struct tolerances *t = &report->tolerances;
    table_begin(table, 11);
    for (int i = 0; i < 11; i++)
        table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < report->n; i++)
        add_step(table, &report->steps[i]);
    add_limits(table, "worst",
               (const double[]){all->loss.error, all->value.error, all->gradient.error,
                                all->grad_norm.error, all->update.error});
    add_limits(table, "tolerance",
               (const double[]){t->loss, t->value, t->gradient, t->grad_norm, t->update});
    table_print(table, to);
}

static void print_flips(FILE *to, const struct totals *all, struct table *table)
{
    static const char *const headings[] = {"decision", "flips", "follow", "beyond",
                                           "largest margin", "", "of its limit"};
    table_begin(table, 7);
    for (int i = 0; i < 7; i++)
        table_cell(table, "%s", headings[i]);
    for (int k = 0; k < FLIP_KINDS; k++) {
        const struct flips *f = &all->flips[k];
        int any = f->n || f->beyond;
        table_cell(table, "%s", flip_name((enum flip_kind)k));
        table_cell(table, "%d", f->n);
        table_cell(table, "%d", f->following);
        table_cell(table, "%d", f->beyond);
        table_cell(table, any ? "%.2e" : "-", f->worst.margin);
        table_cell(table, "%s", flip_quantity((enum flip_kind)k));
        table_cell(table, any ? "%.2f" : "-", f->worst.share);
    }
    fputc('\n', to);
    table_print(table, to);
}

static void print_finding(FILE *to, int64_t step, const struct finding *f)
{
    fprintf(to, "step %" PRId64 ": %s", step, f->text);
    if (f->slack.share > 0.0 && isfinite(f->slack.share))
        fprintf(to, ", limit %.3g", f->slack.margin / f->slack.share);
    fputs(f->fails ? "\n" : ": a tie\n", to);
}

static void print_findings(FILE *to, const struct teacher_report *report, int all)
{
    int64_t printed = 0, left = 0;
    for (size_t i = 0; i < report->n; i++)
        for (size_t f = 0; f < report->steps[i].log.n_findings; f++) {
            const struct finding *finding = &report->steps[i].log.findings[f];
            if (!finding->fails && !all)
                continue;
            if (!all && printed == MOST_LINES) {
                left++;
                continue;
            }
            fputs(printed++ ? "" : "\n", to);
            print_finding(to, report->steps[i].step, finding);
        }
    if (left)
        fprintf(to, "... and %" PRId64 " more\n", left);
}

enum det_code teacher_print(FILE *to, const struct teacher_report *report, int all,
                            struct det_error *err)
{
    struct totals totals = totals_of(report);
    struct table tables[2];
    fprintf(to, "teacher: %s\npupil:   %s\n\n", report->teacher, report->pupil);
    print_steps(to, report, &totals, &tables[0]);
    print_flips(to, &totals, &tables[1]);
    print_findings(to, report, all);
    if (teacher_report_passes(report))
        fprintf(to, "\nagrees: %zu steps, each from the teacher's state; %d flips, each within its "
                "margin of a tie\n", report->n, totals.flips_n);
    else
        fprintf(to, "\ndiffers: %d of %zu steps\n", totals.failed_steps, report->n);
    enum det_code code = table_check(&tables[0], err);
    if (code == DET_OK)
        code = table_check(&tables[1], err);
    table_release(&tables[0]);
    table_release(&tables[1]);
    return code;
}

/* ---- for machines ---- */

/* JSON has no NaN: null, which no reader takes for a number. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *worst_json(const struct worst *w)
{
    return json_pack("{s:o, s:s}", "error", number(w->error), "of", w->name);
}

static json_t *errors_json(const struct worst *loss, const struct worst *value,
                           const struct worst *target, const struct worst *gradient,
                           const struct worst *grad_norm, const struct worst *update)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "loss", worst_json(loss), "value",
                     worst_json(value), "target", worst_json(target), "gradient",
                     worst_json(gradient), "grad_norm", worst_json(grad_norm), "update",
                     worst_json(update));
}

static json_t *flips_json(const struct flips flips[FLIP_KINDS])
{
    json_t *object = json_object();
    for (int k = 0; k < FLIP_KINDS; k++)
        json_object_set_new(object, flip_name((enum flip_kind)k),
                            json_pack("{s:i, s:i, s:i, s:o, s:s, s:o}", "flips", flips[k].n,
                                      "following", flips[k].following, "beyond", flips[k].beyond,
                                      "margin", number(flips[k].worst.margin), "quantity",
                                      flip_quantity((enum flip_kind)k), "of_limit",
                                      number(flips[k].worst.share)));
    return object;
}

static json_t *step_json(const struct step_result *r)
{
    json_t *failures = json_array();
    for (size_t f = 0; f < r->log.n_findings; f++)
        if (r->log.findings[f].fails)
            json_array_append_new(failures, json_string(r->log.findings[f].text));
    return json_pack("{s:I, s:b, s:o, s:o, s:o}", "step", (json_int_t)r->step, "passes",
                     step_result_passes(r), "errors",
                     errors_json(&r->loss, &r->value, &r->target, &r->gradient, &r->grad_norm,
                                 &r->update),
                     "flips", flips_json(r->log.kind), "failures", failures);
}

enum det_code teacher_print_json(FILE *to, const struct teacher_report *report,
                                 struct det_error *err)
{
    struct totals all = totals_of(report);
    json_t *steps = json_array();
    for (size_t i = 0; i < report->n; i++)
        json_array_append_new(steps, step_json(&report->steps[i]));
    json_t *object = json_pack(
        "{s:s, s:s, s:b, s:o, s:o, s:o}", "teacher", report->teacher, "pupil", report->pupil,
        "passes", teacher_report_passes(report), "worst",
        errors_json(&all.loss, &all.value, &all.target, &all.gradient, &all.grad_norm, &all.update),
        "flips", flips_json(all.flips), "steps", steps);
    int failed = !object || json_dumpf(object, to, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0;
    json_decref(object);
    fputc('\n', to);
    return failed ? det_fail(err, DET_NO_MEMORY, "the comparison as JSON") : DET_OK;
}
