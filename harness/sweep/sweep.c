#include "harness/sweep/sweep.h"

#include "detector/base/file.h"
#include "detector/base/pool.h"
#include "harness/judge/judge.h"
#include "harness/log/log_reader.h"
#include "harness/program/config_file.h"
#include "harness/program/interrupt.h"
#include "harness/training/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sweep {
    const struct sweep_options *options;
    struct sweep_result *results;
    struct tally *tally;  /* NULL: no progress is shown */
    pthread_mutex_t lock; /* guards tally, code and err */
    enum det_code code;
    struct det_error *err;
};

static int seeds_of(const struct sweep_options *options, int variant)
{
    return options->seeds ? options->seeds : options->study->variants[variant].seeds;
}

int sweep_count(const struct sweep_options *options)
{
    int n = 0;
    for (int v = 0; v < options->study->n_variants; v++)
        n += seeds_of(options, v);
    return n;
}

static void read_classes(const struct run_log_eval *eval, struct sweep_result *result)
{
    result->n_classes = eval->n_classes < SWEEP_CLASSES_MAX ? eval->n_classes : SWEEP_CLASSES_MAX;
    for (int k = 0; k < result->n_classes; k++) {
        result->class_detections[k] = eval->detections_per_class[k];
        result->class_objects[k] = eval->objects_per_class[k];
    }
}

static enum det_code read_result(const char *folder, struct sweep_result *result,
                                 struct det_error *err)
{
    struct logged_run *run;
    enum det_code code = logged_run_open(folder, &run, err);
    if (code != DET_OK)
        return code;
    result->last_eval = -1;
    if (run->n_evals) {
        const struct run_log_eval *last = &run->evals[run->n_evals - 1];
        result->last_eval = last->step;
        result->detections = logged_detections(last);
        result->objects = last->objects;
        result->max_score = last->max_score;
        result->mean_object_score = last->mean_object_score;
        result->max_objectness = last->max_objectness;
        result->box_ap = last->box_ap;
        result->mask_ap = last->mask_ap;
        read_classes(last, result);
    }
    logged_run_close(run);
    return DET_OK;
}

/* Whether the folder holds a run of this very configuration that came to its end. */
static int already_run(const char *folder, const struct det_config *config)
{
    char path[4200];
    char *was = NULL;
    size_t size;
    struct logged_run *run = NULL;
    char *is = config_text(config);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    int same = is && det_file_read(path, &was, &size, NULL) == DET_OK && strcmp(was, is) == 0 &&
               logged_run_open(folder, &run, NULL) == DET_OK;
    int ended = same && (run->steps_done == config->schedule_steps || run->stop_reason);
    logged_run_close(run);
    free(was);
    free(is);
    return ended;
}

static enum det_code run_one(const struct sweep *sweep, struct sweep_result *result,
                             struct verdict *verdict, struct det_error *err)
{
    const struct study_variant *variant = &sweep->options->study->variants[result->variant];
    struct det_config config = variant->config;
    char folder[4096];
    config.seed = result->seed;
    snprintf(folder, sizeof folder, "%s/%s/seed-%lld", sweep->options->folder, variant->name,
             (long long)result->seed);
    struct trainer_options trainer = {.config = &config,
                                      .folder = folder,
                                      .name = variant->name,
                                      .backend = sweep->options->backend,
                                      .observer = {.stop = interrupt_came}};
    enum det_code code = sweep->options->reuse && already_run(folder, &config)
                             ? judge_log(folder, verdict, err)
                             : session_run(&trainer, verdict, err);
    if (code != DET_OK)
        return code;
    result->verdict = verdict->kind;
    result->step = verdict->step;
    return read_result(folder, result, err);
}

static void report(struct sweep *sweep, const struct sweep_result *result,
                   const struct verdict *verdict)
{
    char what[sizeof verdict->why + 160];
    if (!sweep->tally)
        return;
    snprintf(what, sizeof what, "%s seed %lld: %s: %s",
             sweep->options->study->variants[result->variant].name, (long long)result->seed,
             verdict_name(verdict->kind), verdict->why);
    tally_done(sweep->tally, what);
}

static void run_item(void *arg, int item, int worker)
{
    struct sweep *sweep = arg;
    struct verdict verdict;
    struct det_error err = {0};
    (void)worker;
    pthread_mutex_lock(&sweep->lock);
    int go_on = sweep->code == DET_OK;
    pthread_mutex_unlock(&sweep->lock);
    if (!go_on)
        return;
    enum det_code code = run_one(sweep, &sweep->results[item], &verdict, &err);
    if (code == DET_OK && interrupt_came(NULL))
        code = det_fail(&err, DET_INVALID, "interrupted");
    pthread_mutex_lock(&sweep->lock);
    if (code == DET_OK) {
        report(sweep, &sweep->results[item], &verdict);
    } else if (sweep->code == DET_OK) {
        sweep->code = code;
        *sweep->err = err;
    }
    pthread_mutex_unlock(&sweep->lock);
}

/* The runs of all variants, with nothing but what they are. */
static int list_runs(const struct sweep_options *options, struct sweep_result *results)
{
    int n = 0;
    for (int v = 0; v < options->study->n_variants; v++)
        for (int s = 0; s < seeds_of(options, v); s++)
            results[n++] = (struct sweep_result){.variant = v, .seed = options->first_seed + s};
    return n;
}

enum det_code sweep_run(const struct sweep_options *options, struct sweep_result *results,
                        struct det_error *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct det_error ignored;
    struct sweep sweep = {.options = options, .results = results, .err = err ? err : &ignored};
    struct det_pool *pool;
    enum det_code code = det_pool_create(options->jobs ? options->jobs : (int)cores, &pool, err);
    if (code != DET_OK)
        return code;
    int n = list_runs(options, results);
    if (options->progress)
        code = tally_create(options->progress, options->study->name, n, &sweep.tally, err);
    if (code == DET_OK) {
        pthread_mutex_init(&sweep.lock, NULL);
        det_pool_run(pool, n, run_item, &sweep);
        pthread_mutex_destroy(&sweep.lock);
        code = sweep.code;
    }
    tally_destroy(sweep.tally);
    det_pool_destroy(pool);
    return code;
}
