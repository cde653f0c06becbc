#include "harness/golden/envelope.h"

#include "harness/golden/golden_config.h"
#include "harness/golden/golden_names.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRIC, STEPS, MEASURE, LOW, MIDDLE, HIGH, BELOW, ABOVE };

static const char *const keys[] = {"set",     "verdict",  "seeds", "limits", "false_alarms",
                                   "resampled", "catches", "numerics", "made", "config", NULL};
static const char *const columns[] = {"metric", "steps", "measure", "low",  "median",
                                      "high",   "below", "above",   NULL};
static const char *const measures[] = {"level", "count", "share", "zero"};

const struct golden_kind envelope_kind = {"detcheck golden envelope 1", keys, columns, 8};

/* Keeps the logarithm of a loss that is 0, for want of positives, near those of small ones. */
static const double level_offset = 1e-3;

/* Keeps the logit of 0 and 1 finite, and makes a hundredth of a share there worth little. */
static const double share_offset = 0.1;

double envelope_scale(enum envelope_measure measure, double value)
{
    if (measure == ENVELOPE_LEVEL)
        return log(value + level_offset);
    if (measure == ENVELOPE_SHARE) {
        double p = (value + share_offset) / (1 + 2 * share_offset);
        return log(p / (1 - p));
    }
    return sqrt(value);
}

double envelope_unscale(enum envelope_measure measure, double scaled)
{
    if (measure == ENVELOPE_LEVEL)
        return fmax(exp(scaled) - level_offset, 0);
    if (measure == ENVELOPE_SHARE)
        return (1 + 2 * share_offset) / (1 + exp(-scaled)) - share_offset;
    return scaled > 0 ? scaled * scaled : 0;
}

void envelope_bounds(const struct envelope *envelope, const struct envelope_metric *m, double *low,
                     double *high)
{
    double middle = envelope_scale(m->measure, m->middle);
    if (m->measure == ENVELOPE_ZERO) {
        *low = 0;
        *high = m->high;
        return;
    }
    *low = envelope_unscale(m->measure, middle - envelope->limit_max * m->below);
    *high = envelope_unscale(m->measure, middle + envelope->limit_max * m->above);
    if (m->measure == ENVELOPE_SHARE) {
        *low = fmax(*low, 0);
        *high = fmin(*high, 1);
    }
}

/* ---- reading ---- */

static int read_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

static int read_measure(const char *text, enum envelope_measure *out)
{
    for (int i = 0; i <= ENVELOPE_ZERO; i++)
        if (strcmp(text, measures[i]) == 0) {
            *out = (enum envelope_measure)i;
            return 1;
        }
    return 0;
}

static int read_cells(const struct golden_cells *cells, struct envelope_metric *m, double *low)
{
    int length = -1;
    return (size_t)snprintf(m->name, sizeof m->name, "%s", cells->at[METRIC]) < sizeof m->name &&
           sscanf(cells->at[STEPS], "%" SCNd64 "..%" SCNd64 "%n", &m->from, &m->to, &length) == 2 &&
           length == (int)strlen(cells->at[STEPS]) && m->from >= 0 && m->to >= m->from &&
           read_measure(cells->at[MEASURE], &m->measure) && read_number(cells->at[LOW], low) &&
           read_number(cells->at[MIDDLE], &m->middle) && read_number(cells->at[HIGH], &m->high) &&
           read_number(cells->at[BELOW], &m->below) && read_number(cells->at[ABOVE], &m->above) &&
           m->below >= 0 && m->above >= 0 &&
           (m->measure == ENVELOPE_ZERO || (m->below > 0 && m->above > 0));
}

/* The bounds are there for readers and follow from the rest: where they do not, somebody edited one
 * without the other. */
static int bounds_agree(const struct envelope *envelope, const struct envelope_metric *m,
                        const struct golden_cells *cells)
{
    double low, high;
    char low_text[32], high_text[32];
    envelope_bounds(envelope, m, &low, &high);
    snprintf(low_text, sizeof low_text, "%.4g", low);
    snprintf(high_text, sizeof high_text, "%.4g", high);
    return strcmp(low_text, cells->at[LOW]) == 0 && strcmp(high_text, cells->at[HIGH]) == 0;
}

static enum det_code read_metric(struct envelope *envelope, const struct golden_cells *cells,
                                 struct det_error *err)
{
    double low;
    struct envelope_metric *m = &envelope->metrics[envelope->n];
    if (envelope->n == ENVELOPE_METRICS_MAX)
        return det_fail(err, DET_INVALID, "%s:%d: more than %d metrics", envelope->file.path,
                        cells->line, ENVELOPE_METRICS_MAX);
    if (!read_cells(cells, m, &low))
        return det_fail(err, DET_INVALID, "%s:%d: %s: a value that is none of its column",
                        envelope->file.path, cells->line, cells->at[METRIC]);
    if (!bounds_agree(envelope, m, cells))
        return det_fail(err, DET_INVALID,
                        "%s:%d: %s: low and high do not follow from median, below, above and limits",
                        envelope->file.path, cells->line, cells->at[METRIC]);
    envelope->n++;
    return DET_OK;
}

static enum det_code read_head(struct envelope *envelope, struct det_error *err)
{
    const char *verdict, *limits = golden_file_get(&envelope->file, "limits", 0);
    for (int i = 0; (verdict = golden_file_get(&envelope->file, "verdict", i)); i++)
        for (int kind = 0; kind <= VERDICT_INCOMPLETE; kind++)
            if (strcmp(verdict, verdict_name(kind)) == 0)
                envelope->verdicts |= 1u << kind;
    int good = limits && sscanf(limits, "max %lf, rms %lf", &envelope->limit_max,
                                &envelope->limit_rms) == 2;
    if (!envelope->verdicts || !good || !(envelope->limit_max > 0) ||
        !(envelope->limit_rms > 0) || !golden_file_get(&envelope->file, "config", 0))
        return det_fail(err, DET_INVALID, "%s: its head has no good `verdict`, `limits` or `config`",
                        envelope->file.path);
    return DET_OK;
}

enum det_code envelope_read(const char *path, struct envelope *out, struct det_error *err)
{
    memset(out, 0, sizeof *out);
    golden_name_of(path, out->name, sizeof out->name);
    enum det_code code = golden_file_read(path, &envelope_kind, &out->file, err);
    if (code == DET_OK)
        code = golden_config_resolve(&out->file, &out->config, err);
    if (code == DET_OK && out->file.n_rows)
        code = read_head(out, err);
    for (int r = 0; r < out->file.n_rows && code == DET_OK; r++)
        code = read_metric(out, &out->file.rows[r], err);
    return code;
}

void envelope_release(struct envelope *envelope)
{
    golden_file_release(&envelope->file);
}

/* ---- writing ---- */

static enum det_code put_metric(struct envelope *envelope, const struct envelope_metric *m,
                                struct det_error *err)
{
    char steps[48], texts[5][32];
    double numbers[5] = {0, m->middle, 0, m->below, m->above};
    const char *cells[8] = {m->name, steps, measures[m->measure]};
    envelope_bounds(envelope, m, &numbers[0], &numbers[2]);
    snprintf(steps, sizeof steps, "%" PRId64 "..%" PRId64, m->from, m->to);
    for (int i = 0; i < 5; i++) {
        snprintf(texts[i], sizeof texts[i], i == 0 || i == 2 ? "%.4g" : "%.6g", numbers[i]);
        cells[LOW + i] = texts[i];
    }
    return golden_file_add_row(&envelope->file, cells, 0, err);
}

/* As a reader will see them: bounds are to follow from the very digits that stand in the file. */
static double rounded(double value, const char *format)
{
    char text[32];
    snprintf(text, sizeof text, format, value);
    return strtod(text, NULL);
}

enum det_code envelope_put(struct envelope *envelope, struct det_error *err)
{
    char limits[80];
    envelope->limit_max = rounded(envelope->limit_max, "%.4g");
    envelope->limit_rms = rounded(envelope->limit_rms, "%.4g");
    snprintf(limits, sizeof limits, "max %.4g, rms %.4g", envelope->limit_max, envelope->limit_rms);
    enum det_code code = golden_file_set(&envelope->file, "limits", limits, err);
    golden_file_drop(&envelope->file, "verdict");
    for (int kind = 0; kind <= VERDICT_INCOMPLETE && code == DET_OK; kind++)
        if (envelope->verdicts & 1u << kind)
            code = golden_file_add(&envelope->file, "verdict", verdict_name(kind), err);
    golden_file_drop_rows(&envelope->file);
    for (int i = 0; i < envelope->n && code == DET_OK; i++) {
        struct envelope_metric *m = &envelope->metrics[i];
        m->middle = rounded(m->middle, "%.6g");
        m->below = rounded(m->below, "%.6g");
        m->above = rounded(m->above, "%.6g");
        code = put_metric(envelope, m, err);
    }
    return code;
}
