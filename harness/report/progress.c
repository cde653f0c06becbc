#include "harness/report/progress.h"

#include "harness/log/log_reader.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REDRAW_SECONDS 0.1
#define PARTS_COLUMNS 130 /* a terminal at least so wide also shows the five losses */
#define NUMBERS_SIZE 256

struct run_progress {
    const char *name;
    int64_t steps, done;
    int64_t first_done; /* steps done when the clock was started: a resumed run has a head start */
    double started;
    struct run_log_step step;               /* the last one */
    int64_t eval_step, detections, objects; /* of the last evaluation; eval_step -1: none yet */
    int64_t skipped;                        /* steps, by the loss scaler, that were shown */
    int tenths;                             /* plain lines written so far */
};

struct progress {
    pthread_mutex_t lock;
    struct progress_display display;
    double drawn; /* when, last */
    int n, name_width;
    struct run_progress runs[PROGRESS_RUNS_MAX];
};

enum det_code progress_create(const struct progress_options *options, const char *const *names,
                              const int64_t *steps, int n, struct progress **out,
                              struct det_error *err)
{
    if (n < 1 || n > PROGRESS_RUNS_MAX)
        return det_fail(err, DET_INVALID, "progress of %d runs: 1 to %d can be shown", n,
                        PROGRESS_RUNS_MAX);
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return det_fail(err, DET_NO_MEMORY, "no memory for the progress of %d runs", n);
    pthread_mutex_init(&progress->lock, NULL);
    progress->display = progress_display_of(options);
    progress->drawn = -REDRAW_SECONDS;
    progress->n = n;
    for (int i = 0; i < n; i++) {
        progress->runs[i] = (struct run_progress){
            .name = names[i], .steps = steps[i], .first_done = -1, .eval_step = -1};
        if ((int)strlen(names[i]) > progress->name_width)
            progress->name_width = (int)strlen(names[i]);
    }
    *out = progress;
    return DET_OK;
}

static double seconds_left(const struct progress *progress, const struct run_progress *run)
{
    int64_t measured = run->done - run->first_done;
    if (run->first_done < 0 || measured < 1)
        return -1;
    double elapsed = progress->display.clock() - run->started;
    return elapsed / (double)measured * (double)(run->steps - run->done);
}

/* What stands right of the bar. */
static void print_numbers(const struct progress *progress, const struct run_progress *run,
                          int with_parts, char *out, size_t size)
{
    const struct run_log_step *step = &run->step;
    char parts[96] = "", detections[64] = "detections -", skipped[40] = "", left[32];
    if (with_parts)
        snprintf(parts, sizeof parts, " (rpn %.3f %.3f cls %.3f box %.3f mask %.3f)",
                 step->loss_rpn_cls, step->loss_rpn_bbox, step->loss_cls, step->loss_bbox,
                 step->loss_mask);
    if (run->eval_step >= 0)
        snprintf(detections, sizeof detections, "detections %" PRId64 "/%" PRId64, run->detections,
                 run->objects);
    if (run->skipped > 0)
        snprintf(skipped, sizeof skipped, "  %" PRId64 " skipped", run->skipped);
    progress_time_text(seconds_left(progress, run), left, sizeof left);
    snprintf(out, size, "%" PRId64 "/%" PRId64 "  loss %.4f%s  %s%s  %.0f img/s  %s left", run->done,
             run->steps, step->loss, parts, detections, skipped, step->images_per_second, left);
}

static void draw(struct progress *progress)
{
    struct progress_display *display = &progress->display;
    progress_display_rewind(display);
    for (int i = 0; i < progress->n; i++) {
        const struct run_progress *run = &progress->runs[i];
        char numbers[NUMBERS_SIZE];
        double share = run->steps > 0 ? (double)run->done / (double)run->steps : 0;
        print_numbers(progress, run, progress_display_columns(display) >= PARTS_COLUMNS, numbers,
                      sizeof numbers);
        progress_display_line(display, run->name, progress->name_width, share, numbers, "");
    }
    progress->drawn = display->clock();
    fflush(display->to);
}

static void write_line(struct progress *progress, struct run_progress *run)
{
    int tenths = run->steps > 0 ? (int)(10 * run->done / run->steps) : 10;
    if (tenths <= run->tenths)
        return;
    run->tenths = tenths;
    char numbers[NUMBERS_SIZE];
    print_numbers(progress, run, 1, numbers, sizeof numbers);
    int percent = run->steps > 0 ? (int)(100 * run->done / run->steps) : 100;
    fprintf(progress->display.to, "%-*s %3d %%  %s\n", progress->name_width, run->name, percent, numbers);
    fflush(progress->display.to);
}

static void show(struct progress *progress, struct run_progress *run)
{
    if (progress->display.silent)
        return;
    if (!progress->display.terminal)
        write_line(progress, run);
    else if (progress->display.clock() - progress->drawn >= REDRAW_SECONDS)
        draw(progress);
}

void progress_step(struct progress *progress, int i, const struct run_log_step *step)
{
    pthread_mutex_lock(&progress->lock);
    struct run_progress *run = &progress->runs[i];
    run->step = *step;
    run->done = step->step + 1;
    run->skipped += step->skipped > 0;
    if (run->first_done < 0) {
        run->first_done = run->done;
        run->started = progress->display.clock();
        run->tenths = run->steps > 0 ? (int)(10 * step->step / run->steps) : 0;
    }
    show(progress, run);
    pthread_mutex_unlock(&progress->lock);
}

void progress_eval(struct progress *progress, int i, const struct run_log_eval *eval)
{
    pthread_mutex_lock(&progress->lock);
    struct run_progress *run = &progress->runs[i];
    run->eval_step = eval->step;
    run->detections = logged_detections(eval);
    run->objects = eval->objects;
    show(progress, run);
    pthread_mutex_unlock(&progress->lock);
}

void progress_destroy(struct progress *progress)
{
    if (!progress)
        return;
    if (progress->display.terminal && !progress->display.silent)
        draw(progress);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
