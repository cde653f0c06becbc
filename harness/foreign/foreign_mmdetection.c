/* mmdetection's logs. 3.x: vis_data/scalars.json of mmengine's LocalVisBackend
 * (mmengine/hooks/logger_hook.py): lines of training with "iter" and "step" from 1, means over the
 * last steps; lines of validation whose "step" is the epoch in training by epochs, else the step.
 * 2.x: *.log.json of mmcv's TextLoggerHook (mmcv/runner/hooks/logger/text.py): a first line about
 * the environment, then lines of mode train, whose "iter" begins anew with each epoch in training
 * by epochs, and of mode val, whose "iter" counts validation batches. Reals have five digits.
 *
 * An evaluation without a single prediction logs no average precision at all (mmdet's CocoMetric
 * and CocoDataset.evaluate: "The testing results of the whole dataset is empty"). */
#include "harness/foreign/foreign_run.h"

#include <string.h>

/* A step as (epoch, step within it): ordered, whatever the length of an epoch is. */
#define EPOCH_SHIFT 40

static const struct foreign_name step_names[] = {
    {"loss", "loss", 1},
    {"loss_rpn_cls", "loss_rpn_cls", 1},
    {"loss_rpn_bbox", "loss_rpn_bbox", 1},
    {"loss_cls", "loss_cls", 1},
    {"loss_bbox", "loss_bbox", 1},
    {"loss_mask", "loss_mask", 1},
    {"grad_norm", "grad_norm", 1},
    {"lr", "lr", 1},
};

static const struct foreign_name eval_names[] = {
    {"bbox_mAP", "box_ap", 1},
    {"bbox_mAP_50", "box_ap50", 1},
    {"segm_mAP", "mask_ap", 1},
    {"segm_mAP_50", "mask_ap50", 1},
};

#define COUNT(names) (sizeof names / sizeof names[0])

/* Only what says where and when: the evaluation found nothing to log. */
static int is_bare(const struct foreign_row *row)
{
    static const char *const about[] = {"mode", "epoch", "iter",      "step",
                                        "lr",   "time",  "data_time", "memory"};
    for (size_t i = 0; i < row->n; i++) {
        size_t k = 0;
        while (k < COUNT(about) && strcmp(row->at[i].key, about[k]) != 0)
            k++;
        if (k == COUNT(about))
            return 0;
    }
    return 1;
}

/* Losses of a validation, or other metrics, say nothing that is judged. */
static enum det_code add_evaluation(const struct foreign_row *row, int64_t step,
                                    struct logged_run *run, struct det_error *err)
{
    struct run_log_eval eval = foreign_eval(step);
    int bare = is_bare(row);
    if (!foreign_take_eval(row, eval_names, COUNT(eval_names), &eval) && !bare)
        return DET_OK;
    if (bare)
        foreign_nothing_predicted(&eval);
    return foreign_add_eval(run, &eval, err);
}

static enum det_code read_number(const struct foreign_row *row, const char *key, int64_t *out,
                                 struct det_error *err)
{
    double number;
    if (!foreign_row_number(row, key, &number))
        return det_fail(err, DET_INVALID, "no \"%s\"", key);
    return foreign_step_number(number, key, out, err);
}

static enum det_code add_step(const struct foreign_row *row, int64_t step, struct logged_run *run,
                              struct det_error *err)
{
    struct run_log_step record = foreign_step(step);
    foreign_take_step(row, step_names, COUNT(step_names), &record);
    return foreign_add_step(run, &record, err);
}

static int64_t last_step(const struct logged_run *run)
{
    return run->n_steps ? run->steps[run->n_steps - 1].step : -1;
}

/* ---- 3.x ---- */

static enum det_code take_row3(const struct foreign_row *row, int64_t *epoch,
                               struct logged_run *run, struct det_error *err)
{
    double number;
    int64_t step;
    enum det_code code = read_number(row, "step", &step, err);
    if (code != DET_OK)
        return code;
    if (foreign_row_number(row, "iter", &number)) {
        if (step < 1)
            return det_fail(err, DET_INVALID, "a line of training at step 0; they count from 1");
        *epoch = foreign_row_number(row, "epoch", &number) ? (int64_t)number : -1;
        return add_step(row, step - 1, run, err);
    }
    /* By epochs, the step is the epoch that the last line of training names. */
    int by_epoch = *epoch >= 0 && step <= *epoch;
    return add_evaluation(row, by_epoch ? last_step(run) + 1 : step, run, err);
}

enum det_code foreign_read_mmdetection3(struct foreign_text *text,
                                        const struct foreign_options *options,
                                        struct logged_run *run, struct det_error *err)
{
    struct foreign_row row = {0};
    enum det_code code = DET_OK;
    int64_t epoch = -1;
    while (foreign_next_json(text, run, &row, &code, err))
        if ((code = take_row3(&row, &epoch, run, err)) != DET_OK)
            foreign_text_fail(text, code, err);
    foreign_row_release(&row);
    foreign_run_finish(run, options->steps);
    return code;
}

/* ---- 2.x ---- */

static enum det_code take_row2(const struct foreign_row *row, struct logged_run *run,
                               struct det_error *err)
{
    const char *mode = foreign_row_text(row, "mode");
    int64_t epoch, iter;
    if (!mode)
        return DET_OK; /* about the environment */
    if (strcmp(mode, "val") == 0)
        return add_evaluation(row, last_step(run) + 1, run, err);
    enum det_code code = read_number(row, "epoch", &epoch, err);
    if (code == DET_OK)
        code = read_number(row, "iter", &iter, err);
    if (code != DET_OK)
        return code;
    if (iter < 1 || iter >> EPOCH_SHIFT || epoch >> (62 - EPOCH_SHIFT))
        return det_fail(err, DET_INVALID, "epoch %lld, iter %lld: out of range", (long long)epoch,
                        (long long)iter);
    return add_step(row, epoch << EPOCH_SHIFT | (iter - 1), run, err);
}

static int64_t epoch_of(int64_t step)
{
    return step >> EPOCH_SHIFT;
}

static int64_t within_epoch(int64_t step)
{
    return step & ((INT64_C(1) << EPOCH_SHIFT) - 1);
}

/* Whether "iter" begins anew with each epoch: it then fell when the epoch rose, or, in a log that
 * begins later, is lower than the epochs before it can have been long. */
static int begins_anew(const struct logged_run *run)
{
    for (size_t i = 1; i < run->n_steps; i++) {
        int64_t from = run->steps[i - 1].step, to = run->steps[i].step;
        if (epoch_of(to) > epoch_of(from) && within_epoch(to) <= within_epoch(from))
            return 1;
    }
    int64_t first = run->n_steps ? run->steps[0].step : 0;
    return epoch_of(first) > 1 && within_epoch(first) < epoch_of(first);
}

/* Steps of an epoch, told by the highest "iter"; 0 where "iter" does not begin anew. */
static int64_t epoch_length(const struct logged_run *run)
{
    int64_t highest = 0;
    for (size_t i = 0; i < run->n_steps; i++)
        if (within_epoch(run->steps[i].step) + 1 > highest)
            highest = within_epoch(run->steps[i].step) + 1;
    return begins_anew(run) ? highest : 0;
}

static int64_t plain_step(int64_t step, int64_t length)
{
    int64_t epoch = epoch_of(step) > 0 ? epoch_of(step) - 1 : 0;
    return epoch * length + within_epoch(step);
}

/* From (epoch, step within) to steps. */
static void number_steps(struct logged_run *run, const struct foreign_options *options)
{
    int64_t length = epoch_length(run);
    if (length && options->epoch_steps)
        length = options->epoch_steps;
    for (size_t i = 0; i < run->n_steps; i++)
        run->steps[i].step = plain_step(run->steps[i].step, length);
    for (size_t i = 0; i < run->n_evals; i++)
        run->evals[i].step = plain_step(run->evals[i].step, length);
}

enum det_code foreign_read_mmdetection2(struct foreign_text *text,
                                        const struct foreign_options *options,
                                        struct logged_run *run, struct det_error *err)
{
    struct foreign_row row = {0};
    enum det_code code = DET_OK;
    while (foreign_next_json(text, run, &row, &code, err))
        if ((code = take_row2(&row, run, err)) != DET_OK)
            foreign_text_fail(text, code, err);
    foreign_row_release(&row);
    number_steps(run, options);
    foreign_run_finish(run, options->steps);
    return code;
}
