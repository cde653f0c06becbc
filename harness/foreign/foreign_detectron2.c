/* detectron2's metrics.json (detectron2/utils/events.py, JSONWriter): an object a line, with the
 * iteration from 0. Most values are medians of the last 20 steps. Values of an evaluation stand in
 * the line of their iteration, or, where no other value was due then, in one of their own, possibly
 * ahead of an earlier iteration's; after the last step the iteration is the number of steps done.
 *
 * The configuration, config.yaml beside it (detectron2/engine/defaults.py, default_setup), has the
 * planned steps as SOLVER.MAX_ITER.
 *
 * Average precision is in percent. It is NaN where the model predicted nothing at all
 * (detectron2/evaluation/coco_evaluation.py). */
#include "harness/foreign/foreign_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct foreign_name step_names[] = {
    {"total_loss", "loss", 1},
    {"loss_rpn_cls", "loss_rpn_cls", 1},
    {"loss_rpn_loc", "loss_rpn_bbox", 1},
    {"loss_cls", "loss_cls", 1},
    {"loss_box_reg", "loss_bbox", 1},
    {"loss_mask", "loss_mask", 1},
    {"lr", "lr", 1},
    {"fast_rcnn/fg_cls_accuracy", "fg_accuracy", 1},
    {"fast_rcnn/false_negative", "false_negative", 1},
    {"roi_head/num_fg_samples", "roi_positives", 1},
    {"roi_head/num_bg_samples", "roi_negatives", 1},
    {"rpn/num_pos_anchors", "rpn_positives", 1},
    {"rpn/num_neg_anchors", "rpn_negatives", 1},
};

static const struct foreign_name eval_names[] = {
    {"bbox/AP", "box_ap", 0.01},
    {"bbox/AP50", "box_ap50", 0.01},
    {"segm/AP", "mask_ap", 0.01},
    {"segm/AP50", "mask_ap50", 0.01},
};

#define COUNT(names) (sizeof names / sizeof names[0])

static enum det_code add_evaluation(const struct foreign_row *row, int64_t iteration, int trained,
                                    struct logged_run *run, struct det_error *err)
{
    double ap;
    if (!foreign_row_suffix(row, "bbox/AP", &ap))
        return DET_OK;
    int64_t last = run->n_steps ? run->steps[run->n_steps - 1].step : -1;
    int after_training = !trained && iteration == last + 1;
    struct run_log_eval eval = foreign_eval(after_training ? iteration : iteration + 1);
    foreign_take_eval(row, eval_names, COUNT(eval_names), &eval);
    if (isnan(ap))
        foreign_nothing_predicted(&eval);
    return foreign_add_eval(run, &eval, err);
}

static enum det_code take_row(const struct foreign_row *row, struct logged_run *run,
                              struct det_error *err)
{
    double number;
    int64_t iteration;
    if (!foreign_row_number(row, "iteration", &number))
        return det_fail(err, DET_INVALID, "no \"iteration\"");
    enum det_code code = foreign_step_number(number, "iteration", &iteration, err);
    if (code != DET_OK)
        return code;
    struct run_log_step step = foreign_step(iteration);
    int trained = foreign_take_step(row, step_names, COUNT(step_names), &step) > 0;
    if (trained)
        code = foreign_add_step(run, &step, err);
    return code == DET_OK ? add_evaluation(row, iteration, trained, run, err) : code;
}

/* SOLVER.MAX_ITER of the config.yaml in the log's folder, 0 without. Read as lines: such a file has
 * anchors, which our own YAML does not. */
static int64_t configured_steps(const char *log)
{
    const char *slash = strrchr(log, '/');
    char path[4096];
    struct foreign_text text;
    struct det_error ignored;
    int in_solver = 0;
    int64_t steps = 0;
    snprintf(path, sizeof path, "%.*sconfig.yaml", slash ? (int)(slash + 1 - log) : 0, log);
    if (foreign_text_open(path, &text, &ignored) != DET_OK)
        return 0;
    while (steps == 0 && foreign_text_next(&text)) {
        if (text.line[0] != ' ')
            in_solver = strcmp(text.line, "SOLVER:") == 0;
        else if (in_solver && strncmp(text.line, "  MAX_ITER: ", 12) == 0)
            steps = strtoll(text.line + 12, NULL, 10);
    }
    foreign_text_close(&text);
    return steps > 0 ? steps : 0;
}

enum det_code foreign_read_detectron2(struct foreign_text *text,
                                      const struct foreign_options *options, struct logged_run *run,
                                      struct det_error *err)
{
    struct foreign_row row = {0};
    enum det_code code = DET_OK;
    run->smoothed = 1;
    while (foreign_next_json(text, run, &row, &code, err))
        if ((code = take_row(&row, run, err)) != DET_OK)
            foreign_text_fail(text, code, err);
    foreign_row_release(&row);
    foreign_run_finish(run, options->steps ? options->steps : configured_steps(text->path));
    return code;
}
