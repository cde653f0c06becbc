/* detectron2's and mmdetection's logs, line by line: what is read, in what units, at which step. */
#include "suites/foreign_logs.h"

TestSuite(foreign_formats, .init = make_folder, .fini = remove_folder);

#define NEAR(got, want)                                                                            \
    cr_expect(fabs((got) - (want)) < 1e-12, "%s: got %.17g, want %.17g", #got, (double)(got),      \
              (double)(want))

/* ---- detectron2 ---- */

Test(foreign_formats, detectron2_names_and_units)
{
    struct logged_run *run = read_log(
        "{\"fast_rcnn/cls_accuracy\": 0.9, \"fast_rcnn/false_negative\": 0.25, "
        "\"fast_rcnn/fg_cls_accuracy\": 0.75, \"iteration\": 19, \"loss_box_reg\": 0.1, "
        "\"loss_cls\": 0.2, \"loss_mask\": 0.3, \"loss_rpn_cls\": 0.4, \"loss_rpn_loc\": 0.5, "
        "\"lr\": 0.01, \"roi_head/num_fg_samples\": 0.25, \"roi_head/num_bg_samples\": 63.75, "
        "\"rpn/num_pos_anchors\": 0, \"rpn/num_neg_anchors\": 256, \"total_loss\": 1.5}\n"
        "{\"iteration\": 39, \"total_loss\": 1.25, \"bbox/AP\": 40, \"bbox/AP50\": 60.5, "
        "\"bbox/AP-cat\": NaN, \"segm/AP\": 35}\n",
        NULL);
    cr_assert_eq(run->n_steps, 2);
    cr_assert_eq(run->n_evals, 1);
    const struct run_log_step *step = &run->steps[0];
    cr_expect_str_eq(run->format, "detectron2");
    cr_expect_eq(step->step, 19);
    NEAR(step->loss, 1.5);
    NEAR(step->loss_cls, 0.2);
    NEAR(step->loss_bbox, 0.1);
    NEAR(step->loss_mask, 0.3);
    NEAR(step->loss_rpn_cls, 0.4);
    NEAR(step->loss_rpn_bbox, 0.5);
    NEAR(step->fg_accuracy, 0.75);
    NEAR(step->false_negative, 0.25);
    cr_expect_eq(step->roi_positives, 1, "a mean of 0.25 an image is not none");
    cr_expect_eq(step->rpn_positives, 0);
    NEAR(step->grad_norm, RUN_LOG_NONE);
    NEAR(step->max_score, RUN_LOG_NONE);
    cr_expect_eq(step->skipped, RUN_LOG_UNKNOWN);
    cr_expect_eq(run->evals[0].step, 40, "evaluated after iteration 39: 40 steps done");
    NEAR(run->evals[0].box_ap, 0.4);
    NEAR(run->evals[0].box_ap50, 0.605);
    NEAR(run->evals[0].mask_ap, 0.35);
    NEAR(run->evals[0].mask_ap50, RUN_LOG_NONE);
    cr_expect_null(run->evals[0].detections_per_class);
    cr_expect_eq(run->steps_done, 40);
    cr_expect(run->planned_unknown);
    logged_run_close(run);
}

/* An evaluation off the writer's beat has a line of its own, before the line of training it
 * follows. */
Test(foreign_formats, detectron2_evaluations_stand_where_they_were_made)
{
    struct logged_run *run = read_log("{\"iteration\": 19, \"total_loss\": 1}\n"
                                      "{\"iteration\": 39, \"total_loss\": 2}\n"
                                      "{\"iteration\": 29, \"bbox/AP\": 10}\n"
                                      "{\"iteration\": 59, \"total_loss\": 3}\n"
                                      "{\"iteration\": 60, \"bbox/AP\": 20}\n",
                                      NULL);
    cr_assert_eq(run->n_steps, 3);
    cr_assert_eq(run->n_evals, 2);
    cr_expect_eq(run->evals[0].step, 30);
    cr_expect_eq(run->evals[1].step, 60, "after training the iteration is the steps done");
    cr_expect_eq(run->n_resumes, 0);
    logged_run_close(run);
}

Test(foreign_formats, detectron2_resumed_run_forgets_what_did_not_count)
{
    struct logged_run *run = read_log("{\"iteration\": 19, \"total_loss\": 1}\n"
                                      "{\"iteration\": 39, \"total_loss\": NaN, \"bbox/AP\": 1}\n"
                                      "{\"iteration\": 59, \"total_loss\": NaN}\n"
                                      "{\"iteration\": 39, \"total_loss\": 2}\n"
                                      "{\"iteration\": 59, \"total_loss\": 3, \"bbox/AP\": 20}\n",
                                      NULL);
    cr_assert_eq(run->n_steps, 3);
    NEAR(run->steps[1].loss, 2);
    cr_assert_eq(run->n_evals, 1);
    cr_expect_eq(run->evals[0].step, 60);
    cr_expect_eq(run->n_resumes, 1);
    cr_expect_neq(verdict_of(run).kind, VERDICT_DIVERGED);
    logged_run_close(run);
}

Test(foreign_formats, detectron2_cascade_stages_are_added_up)
{
    struct logged_run *run =
        read_log("{\"iteration\": 1, \"loss_cls_stage0\": 1, \"loss_cls_stage1\": 2, "
                 "\"loss_box_reg_stage0\": 4, \"stage0/fast_rcnn/fg_cls_accuracy\": 0.5, "
                 "\"stage1/fast_rcnn/fg_cls_accuracy\": 0.25, \"total_loss\": 7}\n",
                 NULL);
    NEAR(run->steps[0].loss_cls, 3);
    NEAR(run->steps[0].loss_bbox, 4);
    NEAR(run->steps[0].fg_accuracy, 0.25);
    logged_run_close(run);
}

Test(foreign_formats, detectron2_nan_ap_is_no_prediction_not_divergence)
{
    struct logged_run *run = read_log("{\"iteration\": 19, \"total_loss\": 1, \"bbox/AP\": 30}\n"
                                      "{\"iteration\": 39, \"total_loss\": 1.5, \"bbox/AP\": NaN}\n"
                                      "{\"iteration\": 40, \"bbox/AP\": NaN}\n",
                                      NULL);
    cr_expect_eq(run->evals[1].detections[3], 0);
    cr_expect_eq(run->evals[1].detections[0], RUN_LOG_UNKNOWN, "the test threshold is not known");
    expect_verdict("NaN AP", run, VERDICT_COLLAPSED, "no_detections", 40);
    logged_run_close(run);
}

Test(foreign_formats, detectron2_planned_steps_of_its_configuration)
{
    static const char log[] = "{\"iteration\": 19, \"total_loss\": 1, \"bbox/AP\": 30}\n";
    struct foreign_options options = {0};
    write_text("config.yaml",
               "MODEL:\n  MAX_ITER: 7\n  A: &id001\n  - 1\nSOLVER:\n  IMS_PER_BATCH: 2\n"
               "  MAX_ITER: 90000\nTEST:\n  MAX_ITER: 8\n");
    struct logged_run *run = read_log(log, &options);
    cr_expect_eq(run->planned_steps, 90000);
    cr_expect_not(run->planned_unknown);
    expect_verdict("a run at its beginning", run, VERDICT_INCOMPLETE, "ended_early", 20);
    logged_run_close(run);
    options.steps = 20;
    run = read_log(log, &options);
    cr_expect_eq(run->planned_steps, 20, "--steps wins");
    logged_run_close(run);
    write_text("config.yaml", "SOLVER:\n  MAX_ITER: soon\n");
    options.steps = 0;
    run = read_log(log, &options);
    cr_expect(run->planned_unknown);
    logged_run_close(run);
}

/* ---- mmdetection 3 ---- */

static const char mmdet3[] =
    "{\"lr\": 0.02, \"data_time\": 0.1, \"loss\": 2.5, \"loss_rpn_cls\": 0.5, \"loss_rpn_bbox\": "
    "0.25, "
    "\"loss_cls\": 1, \"acc\": 97.5, \"loss_bbox\": 0.25, \"loss_mask\": 0.5, \"grad_norm\": 3, "
    "\"time\": 0.5, \"epoch\": 1, \"iter\": 50, \"memory\": 1234, \"step\": 50}\n"
    "{\"coco/bbox_mAP\": 0.125, \"coco/bbox_mAP_50\": 0.25, \"coco/segm_mAP\": -1.0, \"step\": 1}\n"
    "{\"lr\": [0.02, 0.01], \"loss\": 2, \"grad_norm\": Infinity, \"epoch\": 2, \"iter\": 100, "
    "\"step\": 100}\n"
    "{\"step\": 2}\n";

Test(foreign_formats, mmdetection3_by_epoch)
{
    struct logged_run *run = read_log(mmdet3, NULL);
    cr_expect_str_eq(run->format, "mmdetection3");
    cr_assert_eq(run->n_steps, 2);
    cr_assert_eq(run->n_evals, 2);
    cr_expect_eq(run->steps[0].step, 49, "they count from 1");
    NEAR(run->steps[0].loss_rpn_bbox, 0.25);
    NEAR(run->steps[0].grad_norm, 3);
    NEAR(run->steps[0].fg_accuracy, RUN_LOG_NONE);
    cr_expect_eq(run->evals[0].step, 50, "the epoch's number stands for its steps");
    NEAR(run->evals[0].box_ap, 0.125);
    NEAR(run->evals[0].mask_ap, RUN_LOG_NONE);
    cr_expect_eq(run->evals[1].step, 100);
    NEAR(run->evals[1].box_ap, 0);
    cr_expect_eq(run->evals[1].detections[3], 0, "no metric at all: nothing was predicted");
    logged_run_close(run);
}

Test(foreign_formats, mmdetection3_by_iteration)
{
    struct logged_run *run = read_log("{\"loss\": 2.5, \"iter\": 50, \"step\": 50}\n"
                                      "{\"coco/bbox_mAP\": 0.5, \"step\": 60}\n"
                                      "{\"pascal_voc/mAP\": 0.5, \"step\": 60}\n",
                                      NULL);
    cr_assert_eq(run->n_evals, 1, "another metric is no evaluation");
    cr_expect_eq(run->evals[0].step, 60);
    logged_run_close(run);
}

/* An infinite norm may be a loss scaler's overflow, which this log does not tell apart. */
Test(foreign_formats, mmdetection_gradient_alone_is_not_divergence)
{
    struct logged_run *run = read_log(mmdet3, NULL);
    struct verdict verdict = verdict_of(run);
    cr_expect_neq(verdict.kind, VERDICT_DIVERGED, "%s", verdict.why);
    cr_expect(is_untold(&verdict, "gradient_not_finite"));
    logged_run_close(run);
}

/* ---- mmdetection 2 ---- */

Test(foreign_formats, mmdetection2_steps_go_on_over_epochs)
{
    struct logged_run *run =
        read_log("{\"env_info\": \"a\\nb\", \"config\": \"c\", \"seed\": 1}\n"
                 "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 50, \"lr\": 0.1, \"loss\": 3, "
                 "\"loss_cls\": 1}\n"
                 "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 100, \"lr\": 0.1, \"loss\": 2}\n"
                 "{\"mode\": \"val\", \"epoch\": 1, \"iter\": 7, \"lr\": 0.1, \"bbox_mAP\": 0.5, "
                 "\"bbox_mAP_copypaste\": \"0.5 0.6\"}\n"
                 "{\"mode\": \"val\", \"epoch\": 1, \"iter\": 7, \"loss\": 9, \"loss_cls\": 9}\n"
                 "{\"mode\": \"train\", \"epoch\": 2, \"iter\": 50, \"lr\": 0.1, \"loss\": 1}\n"
                 "{\"mode\": \"train\", \"epoch\": 2, \"iter\": 100, \"lr\": 0.1, \"loss\": 1}\n"
                 "{\"mode\": \"val\", \"epoch\": 2, \"iter\": 7, \"lr\": 0.1}\n",
                 NULL);
    cr_expect_str_eq(run->format, "mmdetection2");
    cr_assert_eq(run->n_steps, 4);
    cr_expect_eq(run->steps[0].step, 49);
    cr_expect_eq(run->steps[2].step, 149);
    cr_assert_eq(run->n_evals, 2, "a validation's losses are no evaluation");
    cr_expect_eq(run->evals[0].step, 100);
    cr_expect_eq(run->evals[1].step, 200);
    NEAR(run->evals[1].box_ap, 0);
    logged_run_close(run);
}

Test(foreign_formats, mmdetection2_epoch_length_given)
{
    const struct foreign_options options = {.epoch_steps = 110};
    struct logged_run *run =
        read_log("{\"mode\": \"train\", \"epoch\": 1, \"iter\": 100, \"loss\": 3}\n"
                 "{\"mode\": \"train\", \"epoch\": 2, \"iter\": 100, \"loss\": 3}\n",
                 &options);
    cr_expect_eq(run->steps[1].step, 209);
    logged_run_close(run);
}

Test(foreign_formats, mmdetection2_by_iteration)
{
    struct logged_run *run =
        read_log("{\"mode\": \"train\", \"epoch\": 1, \"iter\": 100, \"loss\": 3}\n"
                 "{\"mode\": \"train\", \"epoch\": 2, \"iter\": 200, \"loss\": 3}\n"
                 "{\"mode\": \"train\", \"epoch\": 4, \"iter\": 300, \"loss\": 3}\n",
                 NULL);
    cr_expect_eq(run->steps[2].step, 299, "iter does not begin anew: it is the step");
    logged_run_close(run);
}

/* A log every 50 steps ends up to 50 steps before the run does. */
Test(foreign_formats, planned_steps_within_the_interval)
{
    static const char log[] = "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 100, \"loss\": 3}\n"
                              "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 150, \"loss\": 2}\n"
                              "{\"mode\": \"val\", \"epoch\": 1, \"iter\": 9, \"bbox_mAP\": 0.4}\n";
    struct foreign_options options = {.steps = 199};
    struct logged_run *run = read_log(log, &options);
    cr_expect_eq(run->steps_done, 199);
    logged_run_close(run);
    options.steps = 200;
    run = read_log(log, &options);
    expect_verdict("an interval short", run, VERDICT_INCOMPLETE, "ended_early", 150);
    logged_run_close(run);
}
