/* detcheck run: the main job. The same recipe, seed and steps, before and after the loss fixes. */
#include "fixtures/fixture.h"
#include "fixtures/recipe.h"
#include "harness/program/commands.h"
#include "harness/program/config_file.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"
#include "harness/judge/judge.h"
#include "harness/program/options.h"
#include "harness/report/plot.h"
#include "harness/report/report.h"
#include "harness/report/run_table.h"
#include "harness/training/session.h"
#include "harness/training/shown.h"
#include "harness/program/training_options.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BEFORE, AFTER, SIDES };

static const char *const side_names[SIDES] = {"unfixed", "fixed"};

/* What the loss fixes replaced. */
static const char *const unfixed_settings[] = {"rpn_cls_pos_weight=1.0", "roi_cls_pos_weight=1.0"};

struct options {
    struct training_options training;
    const char **before; /* --before KEY=VALUE over the fixed configuration, owned */
    size_t n_before;
};

static const struct argp_option option_table[] = {
    {"before", 'B', "KEY=VALUE", 0,
     "what the unfixed side has instead; may be repeated (default: both positive weights 1.0)", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->training;
        return 0;
    case 'B':
        options->before[options->n_before++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&training_options_argp, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .children = children,
    .doc = "Train the reference detector before and after the loss fixes, on one recipe with one "
           "seed; judge both, show them side by side, plot them, write report.html.\v"
           "DIR (default runs/run) receives the folders unfixed/ and fixed/, plots/ and report.html. "
           "Exit status 0 where the fixed side is healthy, 1 where it is not.",
};

/* One side: a run in a thread of its own. */
struct side {
    struct det_config config;
    char folder[4096];
    struct trainer_options trainer;
    struct shown_run shown;
    struct verdict verdict;
    struct det_error err;
    enum det_code code;
    pthread_t thread;
    int threaded; /* the thread was started */
};

static void *train_side(void *arg)
{
    struct side *side = arg;
    side->code = session_run(&side->trainer, &side->verdict, &side->err);
    return NULL;
}

static enum det_code configure(const struct options *options, struct side sides[SIDES],
                               struct det_error *err)
{
    enum det_code code = training_options_config(&options->training, &sides[AFTER].config, err);
    if (code != DET_OK)
        return code;
    sides[BEFORE].config = sides[AFTER].config;
    if (options->n_before)
        return config_override(&sides[BEFORE].config, "--before", options->before, options->n_before,
                               err);
    return config_override(&sides[BEFORE].config, "unfixed", unfixed_settings,
                           sizeof unfixed_settings / sizeof *unfixed_settings, err);
}

/* The two sides share the cores: the bits of a run do not depend on its threads. */
static void share_threads(struct side sides[SIDES])
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < SIDES; i++) {
        int64_t threads = sides[i].config.threads ? sides[i].config.threads : cores;
        sides[i].config.threads = threads > SIDES ? threads / SIDES : 1;
    }
}

static void prepare(const struct options *options, struct side sides[SIDES],
                    struct progress *progress)
{
    share_threads(sides);
    for (int i = 0; i < SIDES; i++) {
        snprintf(sides[i].folder, sizeof sides[i].folder, "%s/%s", options->training.folder,
                 side_names[i]);
        sides[i].shown = (struct shown_run){progress, i};
        sides[i].trainer = (struct trainer_options){
            .config = &sides[i].config,
            .folder = sides[i].folder,
            .name = side_names[i],
            .backend = options->training.backend,
            .observer = shown_run_observer(&sides[i].shown),
        };
    }
}

static enum det_code train_both(struct side sides[SIDES], struct det_error *err)
{
    for (int i = 0; i < SIDES; i++) {
        int rc = pthread_create(&sides[i].thread, NULL, train_side, &sides[i]);
        sides[i].threaded = rc == 0;
        if (!sides[i].threaded) /* no thread to be had: the side takes this one */
            train_side(&sides[i]);
    }
    for (int i = 0; i < SIDES; i++)
        if (sides[i].threaded)
            pthread_join(sides[i].thread, NULL);
    for (int i = 0; i < SIDES; i++)
        if (sides[i].code != DET_OK) {
            *err = sides[i].err;
            return det_fail_in(err, sides[i].code, side_names[i]);
        }
    return DET_OK;
}

/* The score w p / (w p + 1 - p) that a trained head settles at, where there is one law for all
 * objects: a recipe of one class, ground truth not appended to the proposals. Else -1. */
static double closed_form(const struct det_config *config)
{
    char path[4096];
    struct recipe recipe;
    if (config->roi_append_ground_truth || fixture_is_coco(config->data) ||
        fixture_recipe_path(config->data, NULL, path, sizeof path, NULL) != DET_OK ||
        recipe_open(path, &recipe, NULL) != DET_OK || recipe.n_classes != 1)
        return -1.0;
    double w = config->roi_cls_pos_weight;
    double p = recipe_annotated_share(&recipe, 1);
    return w * p / (w * p + 1.0 - p);
}

/* Without gnuplot there is a report all the same, and DET_UNAVAILABLE says what it lacks. */
static enum det_code draw(const struct options *options, const struct side sides[SIDES],
                          struct logged_run *const runs[SIDES], struct det_error *err)
{
    char path[4096], folder[4096];
    struct verdict verdicts[SIDES] = {sides[BEFORE].verdict, sides[AFTER].verdict};
    const struct logged_run *const views[SIDES] = {runs[BEFORE], runs[AFTER]};
    struct plot_run plots[SIDES] = {{runs[BEFORE], closed_form(&sides[BEFORE].config)},
                                    {runs[AFTER], closed_form(&sides[AFTER].config)}};
    snprintf(folder, sizeof folder, "%s/plots", options->training.folder);
    snprintf(path, sizeof path, "%s/report.html", options->training.folder);
    enum det_code drawn = plot_runs(plots, SIDES, folder, err);
    if (drawn != DET_OK && drawn != DET_UNAVAILABLE)
        return drawn;
    struct det_error why = {DET_OK, ""};
    enum det_code code =
        report_write(views, verdicts, SIDES, drawn == DET_OK ? folder : NULL, path, &why);
    if (code != DET_OK)
        *err = why;
    return code == DET_OK ? drawn : code;
}

static enum det_code show(const struct options *options, const struct side sides[SIDES],
                          struct logged_run *const runs[SIDES], struct det_error *err)
{
    struct verdict verdicts[SIDES] = {sides[BEFORE].verdict, sides[AFTER].verdict};
    const struct logged_run *const views[SIDES] = {runs[BEFORE], runs[AFTER]};
    enum det_code code = run_table_print(stdout, views, verdicts, SIDES, err);
    if (code != DET_OK)
        return code;
    for (int i = 0; i < SIDES; i++)
        printf("%s: %s: %s\n", side_names[i], verdict_name(verdicts[i].kind), verdicts[i].why);
    code = draw(options, sides, runs, err);
    if (code == DET_OK)
        printf("plots: %s/plots\n", options->training.folder);
    if (code == DET_OK || code == DET_UNAVAILABLE)
        printf("report: %s/report.html\n", options->training.folder);
    return code;
}

static enum det_code show_logs(const struct options *options, const struct side sides[SIDES],
                               struct det_error *err)
{
    struct logged_run *runs[SIDES] = {NULL, NULL};
    enum det_code code = logged_run_open(sides[BEFORE].folder, &runs[BEFORE], err);
    if (code == DET_OK)
        code = logged_run_open(sides[AFTER].folder, &runs[AFTER], err);
    if (code == DET_OK)
        code = show(options, sides, runs, err);
    for (int i = 0; i < SIDES; i++)
        logged_run_close(runs[i]);
    return code;
}

static int run(const struct options *options, struct side sides[SIDES], struct det_error *err)
{
    struct progress *progress;
    enum det_code code = configure(options, sides, err);
    const int64_t steps[SIDES] = {sides[BEFORE].config.schedule_steps,
                                  sides[AFTER].config.schedule_steps};
    if (code == DET_OK)
        code = progress_create(NULL, side_names, steps, SIDES, &progress, err);
    if (code != DET_OK)
        return exit_status_of(code);
    prepare(options, sides, progress);
    interrupt_watch();
    code = train_both(sides, err);
    progress_destroy(progress);
    if (code != DET_OK)
        return exit_status_of(code);
    code = show_logs(options, sides, err);
    int status = verdict_status(sides[AFTER].verdict.kind);
    return code == DET_OK || (code == DET_UNAVAILABLE && status != STATUS_GOOD)
               ? status
               : exit_status_of(code);
}

int cmd_run(int argc, char **argv, struct det_error *err)
{
    struct options options = {.before = calloc((size_t)argc, sizeof *options.before)};
    struct side *sides = calloc(SIDES, sizeof *sides);
    enum det_code code = DET_OK;
    int status;
    if (!options.before || !sides)
        code = det_fail(err, DET_NO_MEMORY, "no memory for the options");
    if (code == DET_OK)
        code = training_options_begin(&options.training, argc, "runs/run", err);
    if (code == DET_OK) {
        options_parse(&parser, argc, argv, &options);
        status = run(&options, sides, err);
        training_options_end(&options.training);
    } else {
        status = exit_status_of(code);
    }
    free(options.before);
    free(sides);
    return status;
}
