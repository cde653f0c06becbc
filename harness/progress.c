#include "harness/progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 20
#define REDRAW_SECONDS 0.1

struct shown_run {
    struct progress *progress; /* back pointer: what the observer's arg leads to */
    const char *name;
    int64_t done;
    double loss, images_per_second;
    int64_t detections; /* of the last evaluation at 0.5; -1 before the first */
    int64_t objects;
    int tenths; /* plain output: tenths already reported */
};

struct progress {
    FILE *to;
    int terminal;
    int n;
    int64_t steps;
    struct timespec start;
    double drawn; /* seconds at the last redraw */
    int lines;    /* on the screen, to be drawn over */
    pthread_mutex_t lock;
    struct shown_run runs[PROGRESS_RUNS_MAX];
};

static double elapsed(const struct progress *p)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - p->start.tv_sec) + 1e-9 * (double)(now.tv_nsec - p->start.tv_nsec);
}

static void print_bar(const struct progress *p, const struct shown_run *run)
{
    int full = (int)(BAR_WIDTH * run->done / p->steps);
    fputs(" [", p->to);
    for (int i = 0; i < BAR_WIDTH; i++)
        fputc(i < full ? '#' : '.', p->to);
    fputs("]", p->to);
}

static void print_state(const struct progress *p, const struct shown_run *run)
{
    double left = run->done > 0
                      ? elapsed(p) * (double)(p->steps - run->done) / (double)run->done
                      : 0.0;
    fprintf(p->to, " step %lld/%lld  loss %.3f", (long long)run->done, (long long)p->steps,
            run->loss);
    if (run->detections >= 0)
        fprintf(p->to, "  detections >= 0.5: %lld on %lld objects", (long long)run->detections,
                (long long)run->objects);
    fprintf(p->to, "  %.0f images/s  %.0f s left", run->images_per_second, left);
}

static void draw(struct progress *p)
{
    if (p->lines)
        fprintf(p->to, "\033[%dA", p->lines);
    for (int i = 0; i < p->n; i++) {
        fprintf(p->to, "\r\033[K%-8s", p->runs[i].name);
        print_bar(p, &p->runs[i]);
        print_state(p, &p->runs[i]);
        fputc('\n', p->to);
    }
    p->lines = p->n;
    p->drawn = elapsed(p);
    fflush(p->to);
}

static void report(struct progress *p, struct shown_run *run)
{
    int tenths = (int)(10 * run->done / p->steps);
    if (p->terminal) {
        if (elapsed(p) - p->drawn >= REDRAW_SECONDS || run->done == p->steps)
            draw(p);
    } else if (tenths > run->tenths) {
        fprintf(p->to, "%s:", run->name);
        print_state(p, run);
        fputc('\n', p->to);
        fflush(p->to);
    }
    run->tenths = tenths;
}

static void saw_step(void *arg, const struct run_log_step *step)
{
    struct shown_run *run = arg;
    pthread_mutex_lock(&run->progress->lock);
    run->done = step->step + 1;
    run->loss = step->loss;
    run->images_per_second = step->images_per_second;
    report(run->progress, run);
    pthread_mutex_unlock(&run->progress->lock);
}

static void saw_eval(void *arg, const struct run_log_eval *eval)
{
    struct shown_run *run = arg;
    pthread_mutex_lock(&run->progress->lock);
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
        if (run_log_thresholds[t] == 0.5)
            run->detections = eval->detections[t];
    run->objects = eval->objects;
    if (run->progress->terminal)
        draw(run->progress);
    pthread_mutex_unlock(&run->progress->lock);
}

enum det_code progress_open(FILE *to, const char *const *names, int n, int64_t steps,
                            struct progress **out, struct det_error *err)
{
    struct progress *p = calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return det_fail(err, DET_NO_MEMORY, "no memory for the progress of %d runs", n);
    p->to = to;
    p->terminal = isatty(fileno(to));
    p->n = n < PROGRESS_RUNS_MAX ? n : PROGRESS_RUNS_MAX;
    p->steps = steps;
    clock_gettime(CLOCK_MONOTONIC, &p->start);
    pthread_mutex_init(&p->lock, NULL);
    for (int i = 0; i < p->n; i++)
        p->runs[i] = (struct shown_run){.progress = p, .name = names[i], .detections = -1};
    return DET_OK;
}

struct trainer_observer progress_observer(struct progress *progress, int i)
{
    return (struct trainer_observer){.arg = &progress->runs[i], .step = saw_step, .eval = saw_eval};
}

void progress_close(struct progress *progress)
{
    if (!progress)
        return;
    if (progress->terminal)
        draw(progress);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
