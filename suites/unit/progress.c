/* Progress: what is drawn on a terminal, and what is written to a file. */
#include "harness/report/progress.h"
#include "harness/report/tally.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>

static struct made made;
static double now; /* the tests' clock */
static char text[200000];

static double test_clock(void)
{
    return now;
}

/* Trains the made run twice at once, a second a step; returns what was shown. */
static const char *show(int mode, int columns, int n_runs, int from, int to)
{
    static const char *const names[] = {"before", "after the fixes"};
    static const int64_t steps[] = {MADE_STEPS, MADE_STEPS};
    struct progress *progress;
    struct det_error err = {0};
    memset(text, 0, sizeof text);
    FILE *file = fmemopen(text, sizeof text, "w");
    struct progress_options options = {
        .to = file, .mode = mode, .columns = columns, .clock = test_clock};
    made_start(&made, "made", 3);
    made_remove(&made);
    now = 100;
    cr_assert_eq(progress_create(&options, names, steps, n_runs, &progress, &err), DET_OK);
    for (int i = from; i < to; i++) {
        for (int run = 0; run < n_runs; run++)
            progress_step(progress, run, &made.steps[i]);
        if ((i + 1) % MADE_EVERY == 0)
            progress_eval(progress, 0, &made.evals[i / MADE_EVERY]);
        now += 1;
    }
    progress_destroy(progress);
    fclose(file);
    return text;
}

static int count(const char *in, const char *what)
{
    int n = 0;
    for (const char *at = in; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

Test(progress, plain_lines_for_a_file)
{
    const char *got = show(PROGRESS_LINES, 0, 1, 0, MADE_STEPS);
    cr_expect_eq(count(got, "\n"), 10, "one line a tenth, got:\n%s", got);
    cr_expect(!strchr(got, '\r') && !strchr(got, '\033'), "no control characters:\n%s", got);
    cr_expect(strstr(got, "before  10 %  30/300"), "%s", got);
    cr_expect(strstr(got, "detections 45/160"), "those of the evaluation after step 25:\n%s", got);
    cr_expect(strstr(got, "100 %  300/300"), "%s", got);
}

Test(progress, skipped_steps_are_counted)
{
    struct progress *progress;
    struct det_error err = {0};
    static char shown[4000];
    const char *name = "fp16";
    const int64_t steps = 10;
    FILE *file = fmemopen(shown, sizeof shown, "w");
    struct progress_options options = {.to = file, .mode = PROGRESS_LINES, .clock = test_clock};
    cr_assert_eq(progress_create(&options, &name, &steps, 1, &progress, &err), DET_OK);
    for (int i = 0; i < 10; i++) {
        struct run_log_step step = {.step = i, .skipped = i == 2 || i == 6};
        progress_step(progress, 0, &step);
    }
    progress_destroy(progress);
    fclose(file);
    cr_expect_eq(count(shown, "1 skipped"), 4, "after steps 2 to 5: %s", shown);
    cr_expect_eq(count(shown, "2 skipped"), 4, "after steps 6 to 9: %s", shown);
}

Test(progress, a_file_is_no_terminal)
{
    const char *got = show(PROGRESS_AUTO, 0, 1, 0, 30);
    cr_expect_eq(count(got, "\n"), 1, "%s", got);
    cr_expect_eq(count(got, "\033"), 0);
}

Test(progress, time_left)
{
    /* 30 steps shown at one a second: 29 s for 29 steps after the first, 270 s to go. */
    const char *got = show(PROGRESS_LINES, 0, 1, 0, 30);
    cr_expect(strstr(got, "4:30 left"), "%s", got);
}

Test(progress, time_left_of_a_resumed_run)
{
    /* From step 200 on: at 210 done, 9 s for 9 steps, 90 s to go; the first 200 took no time. */
    const char *got = show(PROGRESS_LINES, 0, 1, 200, 210);
    cr_expect_eq(count(got, "\n"), 1, "only the tenth that was reached now:\n%s", got);
    cr_expect(strstr(got, "70 %  210/300"), "%s", got);
    cr_expect(strstr(got, "1:30 left"), "%s", got);
}

Test(progress, a_bar_on_a_terminal)
{
    const char *got = show(PROGRESS_TERMINAL, 100, 1, 0, 150);
    const char *last = strrchr(got, '\r');
    cr_assert(last);
    cr_expect(strstr(last, "before [###"), "%s", last);
    cr_expect_leq(abs(count(last, "#") - count(last, "-")), 1, "half of the bar is full: %s", last);
    cr_expect(strstr(last, "150/300"), "%s", last);
    cr_expect(strstr(got, "\033[1A"), "redrawn in place");
}

Test(progress, two_runs_at_once)
{
    const char *got = show(PROGRESS_TERMINAL, 140, 2, 0, 10);
    cr_expect(strstr(got, "\033[2A"), "two lines are redrawn");
    cr_expect(strstr(got, "before          ["), "bars start in one column:\n%s", got);
    cr_expect(strstr(got, "after the fixes ["), "%s", got);
    cr_expect(strstr(got, "mask 0."), "a wide terminal shows the parts of the loss");
}

/* Never wider than the terminal, or redrawing would leave old lines behind. */
Test(progress, narrow_terminals)
{
    for (int columns = 20; columns <= 200; columns += 15) {
        char *at = (char *)show(PROGRESS_TERMINAL, columns, 2, 0, 60);
        for (char *line = strtok(at, "\n"); line; line = strtok(NULL, "\n")) {
            const char *from = strchr(line, '\r');
            int shown = (int)strcspn(from ? from + 1 : line, "\033");
            cr_expect_lt(shown, columns, "%d columns: a line of %d: %s", columns, shown, line);
        }
    }
}

Test(progress, redrawn_ten_times_a_second_at_most)
{
    static const char *const names[] = {"fast"};
    static const int64_t steps[] = {100000};
    struct progress *progress;
    struct det_error err = {0};
    memset(text, 0, sizeof text);
    FILE *file = fmemopen(text, sizeof text, "w");
    struct progress_options options = {
        .to = file, .mode = PROGRESS_TERMINAL, .columns = 80, .clock = test_clock};
    now = 0;
    cr_assert_eq(progress_create(&options, names, steps, 1, &progress, &err), DET_OK);
    struct run_log_step step = {0};
    for (; step.step < 1000; step.step++, now += 0.001)
        progress_step(progress, 0, &step);
    progress_destroy(progress);
    fclose(file);
    cr_expect_leq(count(text, "\n"), 12, "%d redraws in a second", count(text, "\n"));
}

Test(progress, silence)
{
    cr_expect_str_eq(show(PROGRESS_SILENT, 0, 2, 0, MADE_STEPS), "");
}

Test(progress, refuses_too_many_runs)
{
    static const char *const names[PROGRESS_RUNS_MAX + 1];
    static const int64_t steps[PROGRESS_RUNS_MAX + 1];
    struct progress *progress;
    struct det_error err = {0};
    cr_expect_eq(progress_create(NULL, names, steps, PROGRESS_RUNS_MAX + 1, &progress, &err),
                 DET_INVALID);
    cr_expect_eq(progress_create(NULL, names, steps, 0, &progress, &err), DET_INVALID);
}

/* ---- a tally of runs ---- */

/* Four runs of 20 s each, of which `done` end. */
static const char *count_runs(int mode, int columns, int done)
{
    struct tally *tally;
    struct det_error err = {0};
    memset(text, 0, sizeof text);
    FILE *file = fmemopen(text, sizeof text, "w");
    struct progress_options options = {
        .to = file, .mode = mode, .columns = columns, .clock = test_clock};
    now = 100;
    cr_assert_eq(tally_create(&options, "study", 4, &tally, &err), DET_OK);
    for (int i = 0; i < done; i++) {
        char what[64];
        now += 20;
        snprintf(what, sizeof what, "fixed seed %d: healthy: 101 detections", i + 1);
        tally_done(tally, what);
    }
    tally_destroy(tally);
    fclose(file);
    return text;
}

Test(progress, a_line_for_every_run)
{
    cr_expect_str_eq(count_runs(PROGRESS_LINES, 0, 2),
                     "[1/4, 60 s left] fixed seed 1: healthy: 101 detections\n"
                     "[2/4, 40 s left] fixed seed 2: healthy: 101 detections\n");
    cr_expect_str_eq(count_runs(PROGRESS_AUTO, 0, 0), "", "a file is no terminal");
    cr_expect_str_eq(count_runs(PROGRESS_SILENT, 0, 4), "");
}

Test(progress, a_bar_of_runs)
{
    const char *got = count_runs(PROGRESS_TERMINAL, 100, 0);
    cr_expect(strstr(got, "study [------"), "empty before the first run ends: %s", got);
    cr_expect(strstr(got, "0/4  -:-- left"), "%s", got);
    got = count_runs(PROGRESS_TERMINAL, 100, 3);
    const char *last = strrchr(got, '\r');
    cr_assert(last);
    cr_expect_eq(count(last, "#"), 22, "three quarters of 30: %s", last);
    cr_expect(strstr(last, "3/4  0:20 left  fixed seed 3: healthy: 101 det"), "%s", last);
    cr_expect_eq(count(got, "\033[1A"), 3, "redrawn in place:\n%s", got);
}

Test(progress, a_bar_of_runs_on_narrow_terminals)
{
    for (int columns = 20; columns <= 120; columns += 10) {
        char *at = (char *)count_runs(PROGRESS_TERMINAL, columns, 4);
        for (char *line = strtok(at, "\n"); line; line = strtok(NULL, "\n")) {
            const char *from = strchr(line, '\r');
            int shown = (int)strcspn(from ? from + 1 : line, "\033");
            cr_expect_lt(shown, columns, "%d columns: a line of %d: %s", columns, shown, line);
        }
    }
}
