/* The writer of a run's log.jsonl: one JSON object a line, one write(2) a line. docs/run_log.md
 * describes the keys; run_log_fields.c lists them once, for this writer and for log_reader.h.
 *
 * Usage: run_log_create, run_log_write_run, then steps, evaluations and checkpoints as they happen,
 * run_log_write_stop or run_log_write_verdict, run_log_close. A kill at any moment loses at most
 * the line being written. The order at a checkpoint is: eval line, checkpoint file, checkpoint
 * line. */
#ifndef HARNESS_RUN_LOG_H
#define HARNESS_RUN_LOG_H

#include "detector/base/status.h"
#include "detector/detector.h"
#include "harness/judge/verdict.h"

#include <stdint.h>

#define RUN_LOG_VERSION 1
#define RUN_LOG_THRESHOLDS 6
#define RUN_LOG_NONE                                                                               \
    (-1.0) /* a mean over nothing, `null` in the log; no real value is negative                    \
            */
/* Logs of other trainers (harness/foreign/) lack values. What is not there is never 0: numbers are
 * RUN_LOG_NONE, counts and flags RUN_LOG_UNKNOWN, lists NULL; the hash means something only where
 * weights_finite is known. */
#define RUN_LOG_UNKNOWN (-1)

/* The ladder of score thresholds: 0.05 0.1 0.3 0.5 0.7 0.9. */
extern const double run_log_thresholds[RUN_LOG_THRESHOLDS];

struct run_log_environment { /* where and with what the run was made; NULL text becomes "" */
    const char *backend, *device, *precision;
    int64_t threads;
    const char *compiler, *flags, *blas, *blas_core, *cpu, *commit;
    int64_t memory_planned; /* bytes */
};

struct run_log_run { /* the first line; everything is borrowed */
    const char *name, *recipe;
    uint64_t dataset_checksum;
    int64_t seed, steps;
    int n_classes;
    const char *const *classes; /* [n_classes] */
    int64_t parameters;
    const struct det_config *config;
    struct run_log_environment environment;
};

struct run_log_step { /* one optimiser step */
    int64_t step;     /* from 0 */
    double lr;
    double loss, loss_rpn_cls, loss_rpn_bbox, loss_cls, loss_bbox, loss_mask;
    double grad_norm; /* before clipping */
    int clipped, skipped;
    double loss_scale; /* 1 in float32 */
    int64_t rpn_positives, rpn_negatives, roi_positives, roi_negatives;
    int64_t objects;
    double rpn_fg_accuracy, fg_accuracy;       /* RUN_LOG_NONE without foreground */
    double rpn_false_negative, false_negative; /* RUN_LOG_NONE without foreground */
    double rpn_fg_share, fg_share;             /* RUN_LOG_NONE without rows */
    double max_objectness, max_score;
    int64_t proposals, not_finite;
    double images_per_second;
};

struct run_log_eval { /* one evaluation; lists are borrowed */
    int64_t step;     /* optimiser steps done */
    int64_t images, objects;
    int64_t detections[RUN_LOG_THRESHOLDS];
    int64_t objects_found[RUN_LOG_THRESHOLDS];
    int n_classes;
    const int64_t *detections_per_class;                   /* [n_classes] at judge.score */
    const int64_t *objects_per_class;                      /* [n_classes] */
    const int64_t (*ladder_per_class)[RUN_LOG_THRESHOLDS]; /* [n_classes] or NULL: not logged */
    double max_score;
    double mean_object_score; /* RUN_LOG_NONE without objects */
    double max_objectness;
    double rpn_fg_bg_ratio, roi_fg_bg_ratio;     /* RUN_LOG_NONE without background */
    double proposal_recall;                      /* RUN_LOG_NONE without objects */
    double box_ap, box_ap50, mask_ap, mask_ap50; /* RUN_LOG_NONE without objects (or masks) */
    const double *box_ap_per_class; /* [n_classes], RUN_LOG_NONE for a class without objects */
    int64_t not_finite;
    uint64_t weights_hash;
    int weights_finite;
};

/* The step line's content from what a training step reports. images_per_second is left 0. */
void run_log_step_from_stats(int64_t step, const struct det_step_stats *stats,
                             struct run_log_step *out);

struct run_log; /* opaque */

/* A new, empty log; an old file of that name is replaced. *out is owned by the caller. */
enum det_code run_log_create(const char *path, struct run_log **out, struct det_error *err);

/* Open the log of a run that goes on from a checkpoint made after `step` optimiser steps: lines
 * that lie beyond it (and a torn last line) are cut off, so that every step stands in the log once.
 */
enum det_code run_log_open_at(const char *path, int64_t step, struct run_log **out,
                              struct det_error *err);

/* Each appends one line. DET_IO (a full disk, say) names the file; the log then still ends with the
 * last whole line. Checkpoint, stop and verdict lines are also synced to the disk. */
enum det_code run_log_write_run(struct run_log *log, const struct run_log_run *run,
                                struct det_error *err);
enum det_code run_log_write_step(struct run_log *log, const struct run_log_step *step,
                                 struct det_error *err);
enum det_code run_log_write_eval(struct run_log *log, const struct run_log_eval *eval,
                                 struct det_error *err);
/* skipped_steps: by the loss scaler, of the `step` made so far; RUN_LOG_UNKNOWN where there is none. */
enum det_code run_log_write_checkpoint(struct run_log *log, int64_t step, const char *file,
                                       int64_t skipped_steps, struct det_error *err);
enum det_code run_log_write_resume(struct run_log *log, int64_t step, struct det_error *err);
enum det_code run_log_write_stop(struct run_log *log, int64_t step, const char *reason,
                                 struct det_error *err);
enum det_code run_log_write_verdict(struct run_log *log, const struct verdict *verdict,
                                    struct det_error *err);

/* NULL is allowed. */
void run_log_close(struct run_log *log);

#endif
