/* Whole runs: a resumed one is the same run to the bit, threads do not matter, divergence is a
 * `stop` line, and bad input is named before anything is written. */
#include "harness/training/trainer.h"

#include "detector/base/file.h"
#include "harness/log/log_reader.h"
#include "suites/model_suite.h"
#include "suites/temporary_folder.h"

#include <unistd.h>

enum { STEPS = 6 };

static struct temporary_folder folder;

static void set_up(void)
{
    temporary_folder_make(&folder);
}

static void tear_down(void)
{
    temporary_folder_remove(&folder);
}

TestSuite(trainer, .init = set_up, .fini = tear_down);

static struct det_config short_config(void)
{
    struct det_config config = small_config();
    config.threads = 1;
    config.schedule_steps = STEPS;
    config.schedule_warmup_steps = 2;
    config.train_batch_size = 2;
    config.eval_every = 2;
    config.eval_images = 3;
    config.eval_batch_size = 2;
    config.checkpoint_every = 3;
    return config;
}

struct stopper { /* an observer that ends the run before optimiser step `at` */
    int at, steps, evals;
};

static void count_step(void *arg, const struct run_log_step *step)
{
    struct stopper *s = arg;
    (void)step;
    s->steps++;
}

static void count_eval(void *arg, const struct run_log_eval *eval)
{
    struct stopper *s = arg;
    (void)eval;
    s->evals++;
}

static int stop_here(void *arg)
{
    const struct stopper *s = arg;
    return s->steps >= s->at;
}

static struct stopper run(const struct det_config *config, const char *path, int resume, int stop)
{
    struct stopper stopper = {.at = stop};
    struct det_error err = {0};
    struct trainer_options options = {.config = config,
                                      .folder = path,
                                      .name = "short",
                                      .backend = "cpu",
                                      .resume = resume,
                                      .observer = {&stopper, count_step, count_eval, stop_here}};
    cr_assert_eq(trainer_run(&options, &err), DET_OK, "%s", err.message);
    return stopper;
}

static struct logged_run *log_of(const char *path)
{
    struct logged_run *log;
    struct det_error err = {0};
    cr_assert_eq(logged_run_open(path, &log, &err), DET_OK, "%s", err.message);
    return log;
}

/* All that a log says but for speed, bit for bit. */
static void expect_same_logs(const char *what, const char *got_path, const char *want_path)
{
    struct logged_run *got = log_of(got_path), *want = log_of(want_path);
    cr_assert_eq(got->n_steps, want->n_steps, "%s: %zu steps, want %zu", what, got->n_steps,
                 want->n_steps);
    cr_assert_eq(got->n_evals, want->n_evals, "%s: %zu evaluations, want %zu", what, got->n_evals,
                 want->n_evals);
    for (size_t i = 0; i < want->n_steps; i++) {
        got->steps[i].images_per_second = want->steps[i].images_per_second;
        cr_expect(memcmp(&got->steps[i], &want->steps[i], sizeof *got->steps) == 0,
                  "%s: step %zu: loss %a, want %a; norm %a, want %a", what, i, got->steps[i].loss,
                  want->steps[i].loss, got->steps[i].grad_norm, want->steps[i].grad_norm);
    }
    for (size_t i = 0; i < want->n_evals; i++) {
        const struct run_log_eval *a = &got->evals[i], *b = &want->evals[i];
        cr_expect_eq(a->weights_hash, b->weights_hash, "%s: weights after %lld steps", what,
                     (long long)b->step);
        cr_expect_eq(a->box_ap, b->box_ap);
        cr_expect_eq(a->max_score, b->max_score);
        cr_expect_eq(a->mean_object_score, b->mean_object_score);
        cr_expect(memcmp(a->detections, b->detections, sizeof a->detections) == 0, "%s", what);
    }
    logged_run_close(got);
    logged_run_close(want);
}

static void expect_same_files(const char *what, const char *a, const char *b, const char *name)
{
    char path[2][256], *data[2];
    size_t size[2];
    snprintf(path[0], sizeof path[0], "%s/%s", a, name);
    snprintf(path[1], sizeof path[1], "%s/%s", b, name);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(det_file_read(path[i], &data[i], &size[i], NULL), DET_OK, "%s", path[i]);
    cr_expect(size[0] == size[1] && memcmp(data[0], data[1], size[0]) == 0, "%s: %s differs", what,
              name);
    free(data[0]);
    free(data[1]);
}

/* Stopped after 3 steps and taken up again, and taken up again from that same checkpoint although
 * the log had gone on (what a kill leaves): the same run as one that never stopped. */
Test(trainer, resumed_runs_have_the_same_bits)
{
    static const char *const optimizers[] = {"sgd", "adamw"};
    for (int o = 0; o < 2; o++) {
        char whole[128], halves[128], checkpoint[160], *data;
        size_t size;
        struct det_config config = short_config();
        set(&config, "optimizer.kind", optimizers[o]);
        snprintf(whole, sizeof whole, "%s/whole-%d", folder.path, o);
        snprintf(halves, sizeof halves, "%s/halves-%d", folder.path, o);
        struct stopper seen = run(&config, whole, 0, STEPS);
        cr_expect_eq(seen.steps, STEPS);
        cr_expect_eq(seen.evals, STEPS / 2);

        run(&config, halves, 0, 3);
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", halves);
        cr_assert_eq(det_file_read(checkpoint, &data, &size, NULL), DET_OK);
        seen = run(&config, halves, 1, STEPS);
        cr_expect_eq(seen.steps, 3, "%s: %d steps after the resume", optimizers[o], seen.steps);
        expect_same_logs(optimizers[o], halves, whole);
        expect_same_files(optimizers[o], halves, whole, "checkpoint.safetensors");

        cr_assert_eq(det_file_write(checkpoint, data, size, NULL), DET_OK);
        run(&config, halves, 1, STEPS);
        expect_same_logs("killed", halves, whole);
        expect_same_files("killed", halves, whole, "checkpoint.safetensors");
        free(data);
    }
}

Test(trainer, threads_do_not_matter)
{
    char paths[3][128];
    for (int threads = 1; threads <= 3; threads++) {
        struct det_config config = short_config();
        config.threads = threads;
        config.train_accumulate = 2;
        snprintf(paths[threads - 1], sizeof *paths, "%s/%d", folder.path, threads);
        run(&config, paths[threads - 1], 0, STEPS);
        expect_same_logs("threads", paths[threads - 1], paths[0]);
        expect_same_files("threads", paths[threads - 1], paths[0], "checkpoint.safetensors");
    }
}

/* Two passes of two images are one of four up to what each pass is divided by: the same images, the
 * same samples, losses and gradients averaged. Summed, they would be twice as large. */
Test(trainer, accumulated_passes_are_averaged)
{
    struct logged_run *log[2];
    for (int split = 0; split < 2; split++) {
        struct det_config config = short_config();
        char path[128];
        config.schedule_steps = 2;
        config.train_batch_size = split ? 2 : 4;
        config.train_accumulate = split ? 2 : 1;
        snprintf(path, sizeof path, "%s/%d", folder.path, split);
        run(&config, path, 0, 2);
        log[split] = log_of(path);
    }
    const struct run_log_step *one = &log[0]->steps[0], *two = &log[1]->steps[0];
    cr_expect_eq(two->objects, one->objects, "other images");
    cr_expect_eq(two->rpn_positives, one->rpn_positives, "other samples");
    cr_expect_eq(two->roi_negatives, one->roi_negatives);
    cr_expect(fabs(two->loss / one->loss - 1.0) < 0.2, "loss %g, of one pass %g", two->loss,
              one->loss);
    cr_expect(fabs(two->grad_norm / one->grad_norm - 1.0) < 0.3, "norm %g, of one pass %g",
              two->grad_norm, one->grad_norm);
    logged_run_close(log[0]);
    logged_run_close(log[1]);
}

Test(trainer, seeds_matter)
{
    struct det_config config = short_config();
    char a[128], b[128];
    snprintf(a, sizeof a, "%s/1", folder.path);
    snprintf(b, sizeof b, "%s/2", folder.path);
    run(&config, a, 0, STEPS);
    config.seed = 2;
    run(&config, b, 0, STEPS);
    struct logged_run *x = log_of(a), *y = log_of(b);
    cr_expect_neq(x->steps[0].loss, y->steps[0].loss);
    cr_expect_neq(x->dataset_checksum, 0);
    logged_run_close(x);
    logged_run_close(y);
}

/* Two passes of an image each are one pass of two images, where the denominators are the same for
 * every image: full quotas, loss_cls by RoIs, no masks. Losses and norms of the first steps agree to
 * float's rounding; a step counts once, however many passes it has. */
Test(trainer, accumulated_passes_are_one_batch)
{
    struct logged_run *logs[2];
    for (int accumulate = 1; accumulate <= 2; accumulate++) {
        char path[128];
        struct det_config config = short_config();
        set(&config, "roi_cls_avg_factor", "rois");
        set(&config, "mask.enabled", "false");
        set(&config, "clip_grad_norm", "0");
        config.train_accumulate = accumulate;
        config.train_batch_size = 2 / accumulate;
        snprintf(path, sizeof path, "%s/%d", folder.path, accumulate);
        struct stopper seen = run(&config, path, 0, STEPS);
        cr_expect_eq(seen.steps, STEPS, "%d passes: %d steps", accumulate, seen.steps);
        logs[accumulate - 1] = log_of(path);
    }
    for (int i = 0; i < 3; i++) {
        const struct run_log_step *one = &logs[0]->steps[i], *two = &logs[1]->steps[i];
        cr_expect(fabs(two->loss - one->loss) <= 1e-5 * one->loss, "step %d: loss %g, one batch %g",
                  i, two->loss, one->loss);
        cr_expect(fabs(two->grad_norm - one->grad_norm) <= 1e-4 * one->grad_norm,
                  "step %d: norm %g, one batch %g", i, two->grad_norm, one->grad_norm);
        cr_expect_eq(two->objects, one->objects);
    }
    logged_run_close(logs[0]);
    logged_run_close(logs[1]);
}

/* ---- divergence ---- */

Test(trainer, divergence_stops_the_run_and_says_so)
{
    struct det_config config = short_config();
    config.optimizer_lr = 1000.0;
    config.clip_grad_norm = 0.0;
    config.schedule_steps = 40;
    config.schedule_warmup_steps = 0;
    config.eval_every = 0;
    struct stopper seen = run(&config, folder.path, 0, 40);
    cr_expect_lt(seen.steps, 40, "a learning rate of 1000 did not diverge");
    struct logged_run *log = log_of(folder.path);
    cr_assert_not_null(log->stop_reason, "no stop line");
    cr_expect(strstr(log->stop_reason, "not finite"), "%s", log->stop_reason);
    const struct run_log_step *last = &log->steps[log->n_steps - 1];
    cr_expect(!isfinite(last->loss) || !isfinite(last->grad_norm),
              "the bad step is not in the log: loss %g, norm %g", last->loss, last->grad_norm);
    logged_run_close(log);
}

/* A weight so large that fp16 gradients overflow until the scale has fallen. The total is of all steps,
 * of which only every third is logged, and a resumed run goes on counting. */
Test(trainer, skipped_steps_are_totalled)
{
    struct det_config config = short_config();
    set(&config, "model.precision", "fp16");
    set(&config, "rpn_cls_pos_weight", "1000");
    config.eval_every = 0;
    run(&config, in_folder(&folder, "whole"), 0, STEPS);
    struct logged_run *whole = log_of(in_folder(&folder, "whole"));
    int64_t skipped = 0;
    for (size_t i = 0; i < whole->n_steps; i++)
        skipped += whole->steps[i].skipped;
    cr_expect(skipped > 0, "the case is meant to overflow");
    cr_expect_eq(whole->skipped_steps, skipped, "%d in the log, %d skipped", (int)whole->skipped_steps,
                 (int)skipped);
    logged_run_close(whole);

    struct det_config sparse = config;
    sparse.log_every = 3;
    run(&sparse, in_folder(&folder, "sparse"), 0, 4);
    run(&sparse, in_folder(&folder, "sparse"), 1, STEPS);
    struct logged_run *log = log_of(in_folder(&folder, "sparse"));
    cr_expect_lt(log->n_steps, STEPS);
    cr_expect_eq(log->skipped_steps, skipped, "%d in the log, %d skipped", (int)log->skipped_steps,
                 (int)skipped);
    logged_run_close(log);
}

/* ---- bad input ---- */

static int checkpoint_seen;

static void look_for_checkpoint(void *arg, const struct run_log_step *step)
{
    (void)arg;
    if (step->step == 0)
        checkpoint_seen = access(in_folder(&folder, "checkpoint.safetensors"), F_OK) == 0;
}

static void expect_refused(struct trainer_options *options, enum det_code want, const char *named)
{
    struct det_error err = {0};
    enum det_code code = trainer_run(options, &err);
    cr_expect_eq(code, want, "%s: code %d: %s", named, code, err.message);
    cr_expect(strstr(err.message, named), "'%s' does not say '%s'", err.message, named);
}

Test(trainer, bad_input_is_named)
{
    struct det_config config = short_config();
    char path[128];
    snprintf(path, sizeof path, "%s/run", folder.path);
    struct trainer_options options = {
        .config = &config, .folder = path, .name = "bad", .backend = "cpu"};
    options.resume = 1;
    expect_refused(&options, DET_IO, "log.jsonl");
    options.resume = 0;
    options.backend = "abacus";
    expect_refused(&options, DET_INVALID, "abacus");
    options.backend = "cpu";
    options.weights = "/no/such/weights.safetensors";
    expect_refused(&options, DET_IO, "/no/such/weights.safetensors");
    options.weights = NULL;
    set(&config, "data", "lokalike");
    expect_refused(&options, DET_INVALID, "lookalike");
    set(&config, "data", "coco:/no/such.json,/no");
    expect_refused(&options, DET_IO, "/no/such.json");
    set(&config, "data", "lookalike");
    set(&config, "val_data", "per_class");
    expect_refused(&options, DET_INVALID, "val_data");
    set(&config, "data", "balanced");
    expect_refused(&options, DET_INVALID, "class 1 is always, but disc in data balanced");
    set(&config, "data", "lookalike");
    set(&config, "val_data", "");
    options.folder = "/proc/nowhere/run";
    expect_refused(&options, DET_IO, "/proc/nowhere");
    cr_expect_neq(access(path, F_OK), 0, "%s was made all the same", path);
}

/* A resumed run goes on as it began: the same configuration but for threads, the same data, with its
 * own log and checkpoint. */
Test(trainer, a_resume_that_does_not_fit_is_refused)
{
    static const char *const others[][3] = {
        {"model.fc_dim", "32", "began with model.fc_dim: 16, which is now 32"},
        {"seed", "2", "seed: 1, which is now 2"},
        {"schedule.steps", "7", "schedule.steps: 6"},
        {"data", "sparse", "data: lookalike, which is now sparse"},
        {"schedule.milestones", "[0.5]", "schedule.milestones: [0.75]"},
        {"optimizer.lr", "0.020000000000000004", "optimizer.lr: 0.02"},
    };
    struct det_config config = short_config();
    struct trainer_options options = {.config = &config, .folder = folder.path, .name = "other",
                                      .backend = "cpu", .resume = 1};
    run(&config, folder.path, 0, 3);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        config = short_config();
        set(&config, others[i][0], others[i][1]);
        expect_refused(&options, DET_INVALID, others[i][2]);
    }
    config = short_config();
    config.threads = 2;
    run(&config, folder.path, 1, 0);
    cr_assert_eq(unlink(in_folder(&folder, "checkpoint.safetensors")), 0);
    expect_refused(&options, DET_IO, "checkpoint.safetensors");
    cr_assert_eq(unlink(in_folder(&folder, "log.jsonl")), 0);
    expect_refused(&options, DET_IO, "log.jsonl");
}

/* A recipe file that was edited in between is other data under the same name. */
Test(trainer, a_resume_on_other_data_is_refused)
{
    char log[160], *text, *at;
    size_t size;
    struct det_config config = short_config();
    struct trainer_options options = {.config = &config, .folder = folder.path, .name = "other",
                                      .backend = "cpu", .resume = 1};
    snprintf(log, sizeof log, "%s/log.jsonl", folder.path);
    run(&config, folder.path, 0, 3);
    cr_assert_eq(det_file_read(log, &text, &size, NULL), DET_OK);
    cr_assert((at = strstr(text, "\"dataset_checksum\":\"")) != NULL);
    at += strlen("\"dataset_checksum\":\"");
    *at = *at == '0' ? '1' : '0';
    cr_assert_eq(det_file_write(log, text, size, NULL), DET_OK);
    expect_refused(&options, DET_INVALID, "began with other data");
    free(text);
}

/* A run that is started anew in the folder of another and killed before its first checkpoint must not
 * be taken up from the other's. */
Test(trainer, a_new_run_forgets_the_checkpoint_of_the_one_before)
{
    struct det_config config = short_config();
    struct trainer_options options = {.config = &config, .folder = folder.path, .name = "killed",
                                      .backend = "cpu", .weights = "/no/such/weights"};
    run(&config, folder.path, 0, 3);
    expect_refused(&options, DET_IO, "/no/such/weights");
    cr_expect_eq(access(in_folder(&folder, "checkpoint.safetensors"), F_OK), 0,
                 "bad input cost the earlier run its checkpoint");

    options.weights = NULL;
    options.observer.step = look_for_checkpoint;
    config.seed = 2;
    checkpoint_seen = 0;
    cr_assert_eq(trainer_run(&options, NULL), DET_OK);
    cr_expect_eq(checkpoint_seen, 0, "the earlier run's checkpoint outlived the start");
}

/* Weights of one run are the start of another. */
Test(trainer, starts_from_given_weights)
{
    struct det_config config = short_config();
    char first[128], second[128], weights[256];
    snprintf(first, sizeof first, "%s/1", folder.path);
    snprintf(second, sizeof second, "%s/2", folder.path);
    snprintf(weights, sizeof weights, "%s/checkpoint.safetensors", first);
    run(&config, first, 0, STEPS);
    struct logged_run *a = log_of(first);
    uint64_t trained = a->evals[a->n_evals - 1].weights_hash;
    logged_run_close(a);

    config.optimizer_lr = 0.0;
    config.seed = 7;
    struct stopper stopper = {.at = STEPS};
    struct trainer_options options = {.config = &config,
                                      .folder = second,
                                      .name = "from weights",
                                      .backend = "cpu",
                                      .weights = weights,
                                      .observer = {&stopper, count_step, NULL, NULL}};
    cr_assert_eq(trainer_run(&options, NULL), DET_OK);
    struct logged_run *b = log_of(second);
    cr_expect_eq(b->evals[0].weights_hash, trained, "the run did not start from the weights");
    logged_run_close(b);
}
