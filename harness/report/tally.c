#include "harness/report/tally.h"

#include <stdlib.h>
#include <string.h>

struct tally {
    struct progress_display display;
    const char *name;
    int n, done;
    double started;
};

static double seconds_left(const struct tally *tally)
{
    if (tally->done == 0)
        return -1;
    return (tally->display.clock() - tally->started) / tally->done * (tally->n - tally->done);
}

static void draw(struct tally *tally, const char *what)
{
    char numbers[96], left[32];
    double share = tally->n > 0 ? (double)tally->done / tally->n : 1;
    progress_time_text(seconds_left(tally), left, sizeof left);
    snprintf(numbers, sizeof numbers, "%d/%d  %s left  ", tally->done, tally->n, left);
    progress_display_rewind(&tally->display);
    progress_display_line(&tally->display, tally->name, (int)strlen(tally->name), share, numbers,
                          what);
}

static void show(struct tally *tally, const char *what)
{
    if (tally->display.silent)
        return;
    if (tally->display.terminal)
        draw(tally, what);
    else if (tally->done)
        fprintf(tally->display.to, "[%d/%d, %.0f s left] %s\n", tally->done, tally->n,
                seconds_left(tally), what);
    fflush(tally->display.to);
}

enum det_code tally_create(const struct progress_options *options, const char *name, int n,
                           struct tally **out, struct det_error *err)
{
    struct tally *tally = calloc(1, sizeof *tally);
    if (!tally)
        return det_fail(err, DET_NO_MEMORY, "no memory for the progress of %d runs", n);
    tally->display = progress_display_of(options);
    tally->name = name;
    tally->n = n;
    tally->started = tally->display.clock();
    show(tally, "");
    *out = tally;
    return DET_OK;
}

void tally_done(struct tally *tally, const char *what)
{
    tally->done++;
    show(tally, what);
}

void tally_destroy(struct tally *tally)
{
    free(tally);
}
