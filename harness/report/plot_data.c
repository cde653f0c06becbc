#include "harness/report/plot_data.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SMOOTHING 40 /* a moving mean reaches 1/40 of the run to either side */

static const size_t loss_offsets[] = {
    offsetof(struct run_log_step, loss),          offsetof(struct run_log_step, loss_rpn_cls),
    offsetof(struct run_log_step, loss_rpn_bbox), offsetof(struct run_log_step, loss_cls),
    offsetof(struct run_log_step, loss_bbox),     offsetof(struct run_log_step, loss_mask),
};
#define N_LOSSES (sizeof loss_offsets / sizeof loss_offsets[0])

static double value_at(const struct run_log_step *step, size_t offset)
{
    return *(const double *)((const char *)step + offset);
}

static void put_value(FILE *to, double value)
{
    if (value == RUN_LOG_NONE)
        fputs("\t?", to);
    else if (isfinite(value))
        fprintf(to, "\t%.9g", value);
    else
        fputs("\tNaN", to);
}

/* Mean of the finite values around step i. A value that is not finite breaks the curve; one that
 * is missing does not. */
static double smoothed(const struct logged_run *run, size_t i, size_t offset)
{
    size_t reach = run->n_steps / SMOOTHING + 1;
    size_t from = i > reach ? i - reach : 0;
    size_t to = i + reach < run->n_steps ? i + reach : run->n_steps - 1;
    double sum = 0;
    int n = 0;
    if (!isfinite(value_at(&run->steps[i], offset)))
        return (double)NAN;
    for (size_t s = from; s <= to; s++) {
        double value = value_at(&run->steps[s], offset);
        if (isfinite(value) && value != RUN_LOG_NONE) {
            sum += value;
            n++;
        }
    }
    return n ? sum / n : RUN_LOG_NONE;
}

static void put_steps(FILE *to, const struct logged_run *run)
{
    fputs(
        "# step; loss and its five parts; their moving means; where they are not finite; gradient "
        "norm, clipped; moving means of rpn_fg_accuracy and fg_accuracy; gradient not finite\n",
        to);
    for (size_t i = 0; i < run->n_steps; i++) {
        const struct run_log_step *step = &run->steps[i];
        fprintf(to, "%" PRId64, step->step);
        for (size_t l = 0; l < N_LOSSES; l++)
            put_value(to, value_at(step, loss_offsets[l]));
        for (size_t l = 0; l < N_LOSSES; l++)
            put_value(to, smoothed(run, i, loss_offsets[l]));
        for (size_t l = 0; l < N_LOSSES; l++)
            fprintf(to, "\t%d", !isfinite(value_at(step, loss_offsets[l])));
        put_value(to, step->grad_norm);
        fprintf(to, "\t%d", step->clipped > 0);
        put_value(to, smoothed(run, i, offsetof(struct run_log_step, rpn_fg_accuracy)));
        put_value(to, smoothed(run, i, offsetof(struct run_log_step, fg_accuracy)));
        fprintf(to, "\t%d\n", !isfinite(step->grad_norm) && step->skipped == 0);
    }
}

static void put_count(FILE *to, int64_t count)
{
    if (count == RUN_LOG_UNKNOWN)
        fputs("\t?", to);
    else
        fprintf(to, "\t%" PRId64, count);
}

static int eval_is_bad(const struct run_log_eval *eval)
{
    return eval->weights_finite == 0 || eval->not_finite > 0 || !isfinite(eval->max_score);
}

static void put_evals(FILE *to, const struct logged_run *run)
{
    fputs(
        "# step; detections at judge.score; detections on the ladder; objects; max_score, "
        "mean_object_score, max_objectness, proposal_recall; not_finite; rpn_fg_bg_ratio, "
        "roi_fg_bg_ratio; objects found at 0.5; box_ap, box_ap50, mask_ap, mask_ap50; not finite\n",
        to);
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct run_log_eval *eval = &run->evals[i];
        fprintf(to, "%" PRId64, eval->step);
        put_count(to, logged_detections(eval));
        for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
            put_count(to, eval->detections[t]);
        put_count(to, eval->objects);
        put_value(to, eval->max_score);
        put_value(to, eval->mean_object_score);
        put_value(to, eval->max_objectness);
        put_value(to, eval->proposal_recall);
        put_count(to, eval->not_finite);
        put_value(to, eval->rpn_fg_bg_ratio);
        put_value(to, eval->roi_fg_bg_ratio);
        put_count(to, eval->objects_found[3]);
        put_value(to, eval->box_ap);
        put_value(to, eval->box_ap50);
        put_value(to, eval->mask_ap);
        put_value(to, eval->mask_ap50);
        fprintf(to, "\t%d\n", eval_is_bad(eval));
    }
}

static void put_ladder(FILE *to, const struct logged_run *run)
{
    fputs("# threshold; detections and objects found in the last evaluation\n", to);
    const struct run_log_eval *eval = run->n_evals ? &run->evals[run->n_evals - 1] : NULL;
    for (int t = 0; eval && t < RUN_LOG_THRESHOLDS; t++) {
        fprintf(to, "%g", run_log_thresholds[t]);
        put_count(to, eval->detections[t]);
        put_count(to, eval->objects_found[t]);
        fputc('\n', to);
    }
}

/* ---- runs.gp ---- */

/* In single quotes, where gnuplot expands nothing. */
static void put_quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', to);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
    }
    fputc('\'', to);
}

static int64_t most_detections(const struct logged_run *run)
{
    int64_t most = 0;
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct run_log_eval *eval = &run->evals[i];
        int64_t shown = i + 1 == run->n_evals ? eval->detections[0] : logged_detections(eval);
        if (shown > most)
            most = shown;
        if (eval->objects > most)
            most = eval->objects;
    }
    return most;
}

static int is_bad(const struct logged_run *run)
{
    for (size_t i = 0; i < run->n_steps; i++)
        if (!isfinite(run->steps[i].loss) ||
            (!isfinite(run->steps[i].grad_norm) && run->steps[i].skipped == 0))
            return 1;
    for (size_t i = 0; i < run->n_evals; i++)
        if (eval_is_bad(&run->evals[i]))
            return 1;
    return 0;
}

static int clipped_steps(const struct logged_run *run)
{
    int n = 0;
    for (size_t i = 0; i < run->n_steps; i++)
        n += run->steps[i].clipped > 0;
    return n;
}

static void put_run(FILE *to, const struct plot_run *plotted, int i)
{
    const struct logged_run *run = plotted->run;
    fprintf(to, "NAME[%d] = ", i);
    put_quoted(to, run->name);
    fprintf(to, "\nCLIP[%d] = %.9g\n", i, logged_config_number(run, "clip_grad_norm", 0));
    fprintf(to, "CLIPPED[%d] = %d\n", i, clipped_steps(run));
    fprintf(to, "CLOSED[%d] = %.9g\n", i, plotted->closed_form < 0 ? -1 : plotted->closed_form);
    fprintf(to, "BAD[%d] = %d\n", i, is_bad(run));
}

/* Of one loss over all runs: its highest value, and the geometric mean as the typical one, which
 * spikes hardly move. Zeros where there is no positive value. */
static void put_loss_range(FILE *to, const struct plot_run *runs, int n, size_t loss)
{
    double highest = 0, logs = 0;
    size_t count = 0;
    for (int i = 0; i < n; i++)
        for (size_t s = 0; s < runs[i].run->n_steps; s++) {
            double value = value_at(&runs[i].run->steps[s], loss_offsets[loss]);
            if (!(value > 0) || !isfinite(value))
                continue;
            highest = value > highest ? value : highest;
            logs += log(value);
            count++;
        }
    fprintf(to, "HIGHEST[%zu] = %.9g\nTYPICAL[%zu] = %.9g\n", loss + 1, highest, loss + 1,
            count ? exp(logs / (double)count) : 0.0);
}

static void put_runs(FILE *to, const struct plot_run *runs, int n)
{
    int64_t steps = 1, detections = 0;
    for (int i = 0; i < n; i++) {
        int64_t most = most_detections(runs[i].run);
        steps = runs[i].run->planned_steps > steps ? runs[i].run->planned_steps : steps;
        detections = most > detections ? most : detections;
    }
    fprintf(to,
            "N = %d\nSTEPS = %" PRId64 "\nDETECTIONS_MAX = %" PRId64 "\nSCORE = %.9g\nTITLE = ", n,
            steps, detections, logged_config_number(runs[0].run, "judge.score", 0.5));
    char title[300];
    snprintf(title, sizeof title, "%.200s, seed %" PRId64, runs[0].run->recipe, runs[0].run->seed);
    put_quoted(to, title);
    static const char *const arrays[] = {"NAME", "CLIP", "CLIPPED", "CLOSED", "BAD"};
    fputc('\n', to);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        fprintf(to, "array %s[%d]\n", arrays[i], n);
    for (int i = 0; i < n; i++)
        put_run(to, &runs[i], i + 1);
    fprintf(to, "array HIGHEST[%zu]\narray TYPICAL[%zu]\n", N_LOSSES, N_LOSSES);
    for (size_t loss = 0; loss < N_LOSSES; loss++)
        put_loss_range(to, runs, n, loss);
}

/* ---- files ---- */

static FILE *open_in(const char *folder, int i, const char *name, char *path, size_t size)
{
    if (i > 0)
        snprintf(path, size, "%s/%d.%s", folder, i, name);
    else
        snprintf(path, size, "%s/%s", folder, name);
    return fopen(path, "w");
}

static enum det_code close_file(FILE *file, const char *path, struct det_error *err)
{
    int failed = !file || ferror(file);
    if (file && fclose(file) != 0)
        failed = 1;
    return failed ? det_fail(err, DET_IO, "%s: cannot write: %s", path, strerror(errno)) : DET_OK;
}

static enum det_code write_table(const struct logged_run *run, const char *folder, int i,
                                 const char *name, void (*put)(FILE *, const struct logged_run *),
                                 struct det_error *err)
{
    char path[4096];
    FILE *file = open_in(folder, i, name, path, sizeof path);
    if (file)
        put(file, run);
    return close_file(file, path, err);
}

enum det_code plot_data_write(const struct plot_run *runs, int n, const char *folder,
                              struct det_error *err)
{
    enum det_code code = DET_OK;
    for (int i = 0; code == DET_OK && i < n; i++) {
        code = write_table(runs[i].run, folder, i + 1, "steps.tsv", put_steps, err);
        if (code == DET_OK)
            code = write_table(runs[i].run, folder, i + 1, "evals.tsv", put_evals, err);
        if (code == DET_OK)
            code = write_table(runs[i].run, folder, i + 1, "ladder.tsv", put_ladder, err);
    }
    if (code != DET_OK)
        return code;
    char path[4096];
    FILE *file = open_in(folder, 0, "runs.gp", path, sizeof path);
    if (file)
        put_runs(file, runs, n);
    return close_file(file, path, err);
}
