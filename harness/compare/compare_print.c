#include "harness/compare/compare.h"
#include "harness/compare/compare_config.h"
#include "harness/log/json_text.h"
#include "harness/report/table.h"

#include <inttypes.h>
#include <math.h>

#define ROWS_MAX 40 /* of differing metrics; the rest is counted */

static void print_keys(FILE *to, const struct logged_run *a, const struct logged_run *b,
                       enum compare_what what, const char *title)
{
    const struct logged_run *runs[] = {a, b};
    const char *keys[COMPARE_KEYS_MAX];
    int n = compare_keys(runs, 2, what, keys);
    for (int i = 0; i < n; i++) {
        char x[DET_CONFIG_TEXT_MAX], y[DET_CONFIG_TEXT_MAX];
        compare_value(a, what, keys[i], x, sizeof x);
        compare_value(b, what, keys[i], y, sizeof y);
        fprintf(to, "%s: %s: %s in A, %s in B\n", title, keys[i], x, y);
    }
}

static void put_difference(struct table *table, double value)
{
    if (isnan(value))
        table_cell(table, "-");
    else
        table_cell(table, "%.3g", value);
}

static void put_row(struct table *table, const struct metric_difference *difference)
{
    table_cell(table, "%s", difference->name);
    table_cell(table, "%" PRId64, difference->step);
    table_cell(table, "%s", difference->a);
    table_cell(table, "%s", difference->b);
    put_difference(table, difference->absolute);
    put_difference(table, difference->relative);
    if (isnan(difference->ulps))
        table_cell(table, "-");
    else
        table_cell(table, "%.6g %s", difference->ulps, difference->single ? "f32" : "f64");
    table_cell(table, "%" PRId64, difference->steps);
    if (isnan(difference->worst))
        table_cell(table, "- at %" PRId64, difference->worst_step);
    else
        table_cell(table, "%.3g at %" PRId64, difference->worst, difference->worst_step);
}

static enum det_code print_differences(FILE *to, const struct comparison *comparison,
                                       struct det_error *err)
{
    static const char *const titles[] = {"metric", "first step", "A",
                                         "B",      "absolute",   "relative",
                                         "ulp",    "how many",   "worst relative"};
    struct table table;
    table_begin(&table, 9);
    for (int i = 0; i < 9; i++)
        table_cell(&table, "%s", titles[i]);
    for (int i = 0; i < comparison->n && i < ROWS_MAX; i++)
        put_row(&table, &comparison->at[i]);
    enum det_code code = table_check(&table, err);
    if (code == DET_OK)
        table_print(&table, to);
    table_release(&table);
    if (comparison->n > ROWS_MAX)
        fprintf(to, "and %d metrics more\n", comparison->n - ROWS_MAX);
    return code;
}

static void print_equal(FILE *to, const struct compare_options *options,
                        const struct comparison *comparison)
{
    fprintf(to, "equal: %" PRId64 " steps and %" PRId64 " evaluations, ", comparison->steps,
            comparison->evals);
    if (options->relative > 0 || options->absolute > 0)
        fprintf(to, "within %g relative or %g absolute\n", options->relative, options->absolute);
    else
        fputs("bit for bit\n", to);
}

enum det_code compare_print(FILE *to, const struct logged_run *a, const struct logged_run *b,
                            const struct compare_options *options,
                            const struct comparison *comparison, struct det_error *err)
{
    fprintf(to, "A: %s: %zu steps, %zu evaluations\n", a->path, a->n_steps, a->n_evals);
    fprintf(to, "B: %s: %zu steps, %zu evaluations\n", b->path, b->n_steps, b->n_evals);
    print_keys(to, a, b, COMPARE_CONFIG, "configuration");
    print_keys(to, a, b, COMPARE_ENVIRONMENT, "environment");
    if (a->dataset_checksum != b->dataset_checksum)
        fprintf(to, "data: checksum %016" PRIx64 " in A, %016" PRIx64 " in B\n",
                a->dataset_checksum, b->dataset_checksum);
    if (compare_equal(comparison)) {
        print_equal(to, options, comparison);
        return DET_OK;
    }
    if (comparison->steps + comparison->evals == 0)
        fputs("nothing to compare: no step and no evaluation stands in both\n", to);
    if (comparison->unmatched)
        fprintf(to, "%" PRId64 " lines without a partner: %s\n", comparison->unmatched,
                comparison->first_unmatched);
    if (comparison->n == 0)
        return DET_OK;
    fprintf(to, "different: %s first, at step %" PRId64 "\n", comparison->at[0].name,
            comparison->at[0].step);
    const struct metric_difference *loss = compare_first_loss(comparison);
    if (loss)
        fprintf(to, "first part of the loss to move: %s, at step %" PRId64 "\n", loss->name,
                loss->step);
    fputc('\n', to);
    return print_differences(to, comparison, err);
}

static void put_number(struct json_text *text, const char *key, double value)
{
    if (isnan(value))
        json_text_null(text, key);
    else
        json_text_number(text, key, value);
}

static void put_json(struct json_text *text, const struct metric_difference *difference)
{
    json_text_open(text, NULL, '{');
    json_text_string(text, "metric", difference->name);
    json_text_int(text, "step", difference->step);
    json_text_string(text, "a", difference->a);
    json_text_string(text, "b", difference->b);
    put_number(text, "absolute", difference->absolute);
    put_number(text, "relative", difference->relative);
    put_number(text, "ulps", difference->ulps);
    json_text_string(text, "ulps_of", difference->single ? "float32" : "float64");
    json_text_int(text, "how_many", difference->steps);
    put_number(text, "worst_relative", difference->worst);
    json_text_int(text, "worst_step", difference->worst_step);
    json_text_close(text, '}');
}

static void put_keys(struct json_text *text, const struct logged_run *a, const struct logged_run *b,
                     enum compare_what what, const char *title)
{
    const struct logged_run *runs[] = {a, b};
    const char *keys[COMPARE_KEYS_MAX];
    int n = compare_keys(runs, 2, what, keys);
    json_text_open(text, title, '{');
    for (int i = 0; i < n; i++) {
        char value[DET_CONFIG_TEXT_MAX];
        json_text_open(text, keys[i], '[');
        for (int run = 0; run < 2; run++) {
            compare_value(runs[run], what, keys[i], value, sizeof value);
            json_text_string(text, NULL, value);
        }
        json_text_close(text, ']');
    }
    json_text_close(text, '}');
}

enum det_code compare_print_json(FILE *to, const struct logged_run *a, const struct logged_run *b,
                                 const struct comparison *comparison, struct det_error *err)
{
    const struct metric_difference *loss = compare_first_loss(comparison);
    struct json_text text = {0};
    json_text_begin(&text);
    json_text_open(&text, NULL, '{');
    json_text_string(&text, "a", a->path);
    json_text_string(&text, "b", b->path);
    json_text_flag(&text, "equal", compare_equal(comparison));
    json_text_int(&text, "steps", comparison->steps);
    json_text_int(&text, "evals", comparison->evals);
    json_text_int(&text, "unmatched", comparison->unmatched);
    json_text_string(&text, "first_unmatched", comparison->first_unmatched);
    if (loss)
        json_text_string(&text, "first_loss", loss->name);
    else
        json_text_null(&text, "first_loss");
    put_keys(&text, a, b, COMPARE_CONFIG, "config");
    put_keys(&text, a, b, COMPARE_ENVIRONMENT, "environment");
    json_text_open(&text, "differences", '[');
    for (int i = 0; i < comparison->n; i++)
        put_json(&text, &comparison->at[i]);
    json_text_close(&text, ']');
    json_text_close(&text, '}');
    enum det_code code = json_text_end(&text, err);
    if (code == DET_OK)
        fputs(text.data, to);
    json_text_release(&text);
    return code;
}
