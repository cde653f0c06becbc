#include "harness/report/progress.h"

#include "harness/log/log_reader.h"
#include "harness/statistics/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define PARTS_COLUMNS 130 /* a terminal at least so wide also shows the five losses */
#define BAR_MIN 8
#define BAR_MAX 30
#define LINE_SIZE 512

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
    FILE *to;
    int terminal, silent, columns;
    double (*clock)(void);
    double drawn; /* when, last */
    int lines;    /* on the screen */
    int n, name_width;
    struct run_progress runs[PROGRESS_RUNS_MAX];
};

static int terminal_columns(FILE *to)
{
    struct winsize size;
    if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* A terminal that cannot move its cursor gets plain lines, too. */
static int is_terminal(FILE *to)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(to)) && kind && strcmp(kind, "dumb") != 0;
}

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
    static const struct progress_options as_it_is = {0};
    if (!options)
        options = &as_it_is;
    pthread_mutex_init(&progress->lock, NULL);
    progress->to = options->to ? options->to : stderr;
    progress->silent = options->mode == PROGRESS_SILENT;
    progress->terminal = options->mode == PROGRESS_TERMINAL ||
                         (options->mode == PROGRESS_AUTO && is_terminal(progress->to));
    progress->columns = options->columns;
    progress->clock = options->clock ? options->clock : clock_seconds;
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
    double elapsed = progress->clock() - run->started;
    return elapsed / (double)measured * (double)(run->steps - run->done);
}

static void print_time(double seconds, char *out, size_t size)
{
    long s = (long)(seconds + 0.5);
    if (seconds < 0)
        snprintf(out, size, "-:--");
    else if (s < 3600)
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
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
    print_time(seconds_left(progress, run), left, sizeof left);
    snprintf(out, size, "%" PRId64 "/%" PRId64 "  loss %.4f%s  %s%s  %.0f img/s  %s left", run->done,
             run->steps, step->loss, parts, detections, skipped, step->images_per_second, left);
}

static void print_bar(const struct run_progress *run, int width, char *out)
{
    int filled = run->steps > 0 ? (int)((double)width * (double)run->done / (double)run->steps) : 0;
    for (int i = 0; i < width; i++)
        out[i] = i < filled ? '#' : '-';
    out[width] = '\0';
}

/* One line of at most columns - 1 characters: a full line would wrap on some terminals. */
static void draw_line(const struct progress *progress, const struct run_progress *run, int columns)
{
    char numbers[LINE_SIZE / 2], bar[BAR_MAX + 1], line[LINE_SIZE];
    print_numbers(progress, run, columns >= PARTS_COLUMNS, numbers, sizeof numbers);
    int width = columns - 1 - progress->name_width - (int)strlen(numbers) - 5;
    width = width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
    print_bar(run, width, bar);
    snprintf(line, sizeof line, "%-*s [%s] %s", progress->name_width, run->name, bar, numbers);
    fprintf(progress->to, "\r%.*s\033[K\n", columns - 1, line);
}

static void draw(struct progress *progress)
{
    int columns = progress->columns > 0 ? progress->columns : terminal_columns(progress->to);
    if (progress->lines)
        fprintf(progress->to, "\033[%dA", progress->lines);
    for (int i = 0; i < progress->n; i++)
        draw_line(progress, &progress->runs[i], columns);
    progress->lines = progress->n;
    progress->drawn = progress->clock();
    fflush(progress->to);
}

static void write_line(struct progress *progress, struct run_progress *run)
{
    int tenths = run->steps > 0 ? (int)(10 * run->done / run->steps) : 10;
    if (tenths <= run->tenths)
        return;
    run->tenths = tenths;
    char numbers[LINE_SIZE / 2];
    print_numbers(progress, run, 1, numbers, sizeof numbers);
    int percent = run->steps > 0 ? (int)(100 * run->done / run->steps) : 100;
    fprintf(progress->to, "%-*s %3d %%  %s\n", progress->name_width, run->name, percent, numbers);
    fflush(progress->to);
}

static void show(struct progress *progress, struct run_progress *run)
{
    if (progress->silent)
        return;
    if (!progress->terminal)
        write_line(progress, run);
    else if (progress->clock() - progress->drawn >= REDRAW_SECONDS)
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
        run->started = progress->clock();
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
    if (progress->terminal && !progress->silent)
        draw(progress);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
