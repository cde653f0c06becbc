/* detcheck golden envelope: trains the seeds of an envelope and fits it. */
#include "harness/golden/envelope_power.h"
#include "harness/golden/golden_commands.h"
#include "harness/golden/golden_config.h"
#include "harness/golden/golden_numerics.h"
#include "harness/golden/golden_options.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"
#include "harness/statistics/robust.h"
#include "harness/sweep/sweep.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_SEED 1
#define FIRST_FRESH 1001 /* where neither the file nor an option says so */
#define SEEDS 20         /* where neither the file nor an option says how many */

struct making {
    const struct golden_options *options;
    struct envelope envelope;
    struct study *study;
    int seeds, fresh;
    int64_t first_fresh;
    struct envelope_run *runs, *fresh_runs; /* [seeds], [fresh]: one block, fresh ones behind */
    int n_fresh;                            /* with the verdict of the envelope's seeds */
    int alarms;                             /* of those, outside */
    char numerics[GOLDEN_NUMERICS_MAX];
};

/* As the options say, else the file, else the defaults. Fresh seeds are none of the envelope's. */
static enum det_code choose_seeds(struct making *m, const char *path, struct det_error *err)
{
    const struct golden_options *options = m->options;
    const char *line = golden_file_get(&m->envelope.file, "seeds", 0);
    m->seeds = SEEDS;
    m->first_fresh = FIRST_FRESH;
    if (line && sscanf(line, "%d from 1, %d fresh from %" SCNd64, &m->seeds, &m->fresh,
                       &m->first_fresh) != 3)
        return det_fail(err, DET_INVALID, "%s: seeds: want \"N from 1, N fresh from SEED\"", path);
    m->seeds = options->seeds ? options->seeds : m->seeds;
    m->fresh = options->fresh >= 0 ? options->fresh : m->fresh;
    m->first_fresh = options->first_fresh ? options->first_fresh : m->first_fresh;
    if (m->seeds < 10 || m->seeds > ENVELOPE_SEEDS_MAX || m->fresh < 0 || m->fresh > 999)
        return det_fail(err, DET_INVALID, "%s: seeds: want 10 to %d, and up to 999 fresh ones", path,
                        ENVELOPE_SEEDS_MAX);
    if (m->first_fresh < FIRST_SEED + m->seeds)
        return det_fail(err, DET_INVALID, "%s: fresh seeds from %" PRId64 ": seeds up to %d make the "
                        "envelope", path, m->first_fresh, FIRST_SEED + m->seeds - 1);
    return DET_OK;
}

static enum det_code prepare(struct making *m, const char *name, struct det_error *err)
{
    char path[4096];
    enum det_code code = golden_path("envelopes", name, path, sizeof path, err);
    if (code != DET_OK || (code = envelope_read(path, &m->envelope, err)) != DET_OK)
        return code;
    if ((code = choose_seeds(m, path, err)) != DET_OK)
        return code;
    m->study = calloc(1, sizeof *m->study);
    m->runs = calloc((size_t)(m->seeds + m->fresh), sizeof *m->runs);
    if (!m->study || !m->runs)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory for its runs", path);
    m->fresh_runs = m->runs + m->seeds;
    snprintf(m->study->name, sizeof m->study->name, "%s", m->envelope.name);
    m->study->n_variants = 1;
    m->study->variants[0].config = m->envelope.config;
    m->study->variants[0].config.threads = 1;
    snprintf(m->study->variants[0].name, sizeof m->study->variants[0].name, "%s", m->envelope.name);
    return DET_OK;
}

static enum det_code measure(struct making *m, int64_t seed, struct envelope_run *out,
                             struct det_error *err)
{
    char folder[4096];
    struct logged_run *run = NULL;
    snprintf(folder, sizeof folder, "%s/%s/seed-%" PRId64, m->options->folder, m->envelope.name, seed);
    enum det_code code = logged_run_open(folder, &run, err);
    if (code != DET_OK)
        return code;
    golden_numerics_of(run, m->numerics);
    code = envelope_measure_run(run, out, err);
    logged_run_close(run);
    return code;
}

/* Train the seeds from `first` on; their verdicts go into results[n]. */
static enum det_code train(const struct making *m, int64_t first, int n, struct sweep_result *results,
                           struct det_error *err)
{
    static const struct progress_options shown = {0};
    struct sweep_options options = {
        .study = m->study,
        .folder = m->options->folder,
        .backend = "cpu",
        .first_seed = first,
        .seeds = n,
        .reuse = m->options->reuse,
        .jobs = m->options->jobs,
        .progress = &shown,
    };
    return sweep_run(&options, results, err);
}

static enum det_code make_runs(struct making *m, struct det_error *err)
{
    struct sweep_result *results = calloc((size_t)m->seeds, sizeof *results);
    enum det_code code = results ? train(m, FIRST_SEED, m->seeds, results, err)
                                 : det_fail(err, DET_NO_MEMORY, "no memory for %d runs", m->seeds);
    for (int i = 0; i < m->seeds && code == DET_OK; i++) {
        m->envelope.verdicts |= 1u << results[i].verdict;
        code = measure(m, results[i].seed, &m->runs[i], err);
    }
    free(results);
    return code;
}

static enum det_code make_fresh_runs(struct making *m, struct det_error *err)
{
    struct sweep_result *results = calloc((size_t)m->fresh + 1, sizeof *results);
    enum det_code code = results ? DET_OK : det_fail(err, DET_NO_MEMORY, "no memory for the runs");
    if (code == DET_OK && m->fresh)
        code = train(m, m->first_fresh, m->fresh, results, err);
    for (int i = 0; i < m->fresh && code == DET_OK; i++)
        if (m->envelope.verdicts & 1u << results[i].verdict)
            code = measure(m, results[i].seed, &m->fresh_runs[m->n_fresh++], err);
    free(results);
    return code;
}

static enum det_code put_line(struct envelope *envelope, const char *key, const char *line,
                              struct det_error *err)
{
    return golden_file_set(&envelope->file, key, line, err);
}

static enum det_code put_false_alarms(struct making *m, struct det_error *err)
{
    char line[200] = "not measured";
    double low, high;
    m->alarms = envelope_alarms(&m->envelope, m->fresh_runs, m->n_fresh);
    robust_share_interval(m->alarms, m->n_fresh, &low, &high);
    if (m->n_fresh)
        snprintf(line, sizeof line,
                 "%d of %d fresh runs of a verdict as above (of %d); 95 %% interval %.1f %% to %.1f %%",
                 m->alarms, m->n_fresh, m->fresh, 100 * low, 100 * high);
    printf("%s: limits max %.3g, rms %.3g; false alarms: %s\n", m->envelope.name,
           m->envelope.limit_max, m->envelope.limit_rms, line);
    return put_line(&m->envelope, "false_alarms", line, err);
}

/* What the rule does with other choices of seeds. */
static enum det_code put_resampled(struct making *m, struct det_error *err)
{
    char line[160];
    int alarms, tried, all = m->seeds + m->n_fresh;
    golden_file_drop(&m->envelope.file, "resampled");
    if (m->n_fresh < 10)
        return DET_OK;
    enum det_code code =
        envelope_resample(&m->envelope, m->runs, all, m->seeds, &alarms, &tried, err);
    if (code != DET_OK)
        return code;
    snprintf(line, sizeof line,
             "%d of %d (%.2f %%) outside: %d envelopes of %d of the %d runs, each tried on the others",
             alarms, tried, tried ? 100.0 * alarms / tried : 0, ENVELOPE_ROUNDS, m->seeds, all);
    printf("%s: resampled: %s\n", m->envelope.name, line);
    return put_line(&m->envelope, "resampled", line, err);
}

static enum det_code put_head(struct making *m, struct det_error *err)
{
    char line[120], date[16];
    time_t now = time(NULL);
    struct tm day;
    gmtime_r(&now, &day);
    strftime(date, sizeof date, "%Y-%m-%d", &day);
    snprintf(line, sizeof line, "%d from %d, %d fresh from %" PRId64, m->seeds, FIRST_SEED,
             m->fresh, m->first_fresh);
    enum det_code code = put_line(&m->envelope, "seeds", line, err);
    if (code == DET_OK)
        code = put_line(&m->envelope, "numerics", m->numerics, err);
    if (code == DET_OK)
        code = put_line(&m->envelope, "made", date, err);
    if (code == DET_OK)
        code = golden_config_record(&m->envelope.file, &m->envelope.config, 1, err);
    return code;
}

static enum det_code make(struct making *m, const char *name, struct det_error *err)
{
    enum det_code code = prepare(m, name, err);
    m->envelope.verdicts = 0;
    if (code != DET_OK || (code = make_runs(m, err)) != DET_OK ||
        (code = envelope_fit(&m->envelope, m->runs, m->seeds, err)) != DET_OK ||
        (code = make_fresh_runs(m, err)) != DET_OK ||
        (code = envelope_put(&m->envelope, err)) != DET_OK ||
        (code = put_head(m, err)) != DET_OK || (code = put_false_alarms(m, err)) != DET_OK ||
        (code = put_resampled(m, err)) != DET_OK)
        return code;
    code = m->n_fresh ? envelope_put_catches(&m->envelope, m->fresh_runs, m->n_fresh, err)
                      : envelope_put_catches(&m->envelope, m->runs, m->seeds, err);
    return code == DET_OK ? golden_file_write(&m->envelope.file, err) : code;
}

struct pooled { /* over all envelopes that were made */
    int envelopes, fresh, alarms;
};

static enum det_code make_one(const struct golden_options *options, const char *name,
                              struct pooled *pooled, struct det_error *err)
{
    struct making *m = calloc(1, sizeof *m);
    if (!m)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory", name);
    m->options = options;
    enum det_code code = make(m, name, err);
    fflush(stdout);
    pooled->envelopes++;
    pooled->fresh += m->n_fresh;
    pooled->alarms += m->alarms;
    envelope_release(&m->envelope);
    free(m->runs);
    free(m->study);
    free(m);
    return code;
}

/* Fifty fresh runs of one envelope say little of a rate under 1 %; all of them together do. */
static void print_pooled(const struct pooled *pooled)
{
    double low, high;
    if (pooled->envelopes < 2 || pooled->fresh == 0)
        return;
    robust_share_interval(pooled->alarms, pooled->fresh, &low, &high);
    printf("%d envelopes together: false alarms: %d of %d fresh runs (%.2f %%); 95 %% interval "
           "%.2f %% to %.2f %%\n", pooled->envelopes, pooled->alarms, pooled->fresh,
           100.0 * pooled->alarms / pooled->fresh, 100 * low, 100 * high);
}

int golden_envelope(int argc, char **argv, struct det_error *err)
{
    struct golden_options options;
    struct pooled pooled = {0};
    enum det_code code = golden_options_parse(
        argc, argv, "onfFju",
        "Train every seed of each envelope (all of golden/envelopes without a name), on all cores, "
        "fit it, measure its false alarms on fresh seeds, and rewrite its file.\vA file with nothing "
        "but its first line and `set` lines is a new envelope.",
        "envelopes", &options, err);
    interrupt_watch();
    for (int i = 0; i < options.n_names && code == DET_OK; i++)
        code = make_one(&options, options.names[i], &pooled, err);
    if (code == DET_OK)
        print_pooled(&pooled);
    golden_options_end(&options);
    return exit_status_of(code);
}
