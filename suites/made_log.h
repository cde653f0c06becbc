/* A made run: what a healthy training would log, to be bent by a test and written with the real
 * writer. 300 steps, an evaluation every 25, two classes with 90 and 70 objects. */
#ifndef SUITES_MADE_LOG_H
#define SUITES_MADE_LOG_H

#include "harness/judge/judge.h"
#include "harness/log/log_reader.h"
#include "harness/log/run_log.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MADE_STEPS 300
#define MADE_EVERY 25
#define MADE_EVALS (MADE_STEPS / MADE_EVERY)
#define MADE_CLASSES 2

struct made {
    struct det_config config;
    struct run_log_run run;
    struct run_log_step steps[MADE_STEPS];
    struct run_log_eval evals[MADE_EVALS];
    int64_t detections[MADE_EVALS][MADE_CLASSES], objects[MADE_EVALS][MADE_CLASSES];
    double class_ap[MADE_EVALS][MADE_CLASSES];
    int64_t skipped_steps; /* in the checkpoints' lines; RUN_LOG_UNKNOWN: not there */
    int n_steps, n_evals; /* written; all of them unless a test cuts them */
    const char *stop;     /* reason of a stop line, or NULL */
    char folder[64];      /* a fresh one, made by made_start */
};

/* Noise in [0, 1) that looks like a training curve's, the same for every run. */
static inline double made_noise(int step, int key)
{
    uint32_t x = (uint32_t)step * 2654435761u + (uint32_t)key * 40503u + 12345u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (double)(x >> 8) / 16777216.0;
}

static inline double made_curve(int step, int key, double from, double to)
{
    double level = to + (from - to) * exp(-step / 60.0);
    return level * (0.75 + 0.5 * made_noise(step, key));
}

/* w: the weights of positives; with 1 the run collapses, with 3 it learns. */
static inline void made_step(struct run_log_step *step, int i, double w)
{
    double learnt = w > 1 ? 1 - exp(-i / 50.0) : 0.0;
    *step = (struct run_log_step){
        .step = i,
        .lr = i < 20    ? 0.002 + 0.018 * i / 20
              : i < 225 ? 0.02
                        : 0.002,
        .loss_rpn_cls = made_curve(i, 1, 0.5 * w, 0.12 * w),
        .loss_rpn_bbox = made_curve(i, 2, 0.09, 0.02),
        .loss_cls = made_curve(i, 3, 0.35 * w, 0.1 * w),
        .loss_bbox = made_curve(i, 4, 0.04, 0.11),
        .loss_mask = made_curve(i, 5, 0.7, 0.25),
        .grad_norm = 2 + 14 * exp(-i / 25.0) * made_noise(i, 6) + made_noise(i, 7),
        .loss_scale = 1,
        .rpn_positives = 16,
        .rpn_negatives = 240,
        .roi_positives = 22,
        .roi_negatives = 200,
        .objects = 8,
        .rpn_fg_accuracy = 0.2 + 0.7 * learnt,
        .fg_accuracy = 0.9 * learnt,
        .rpn_false_negative = 0.8 - 0.7 * learnt,
        .false_negative = 1 - 0.9 * learnt,
        .rpn_fg_share = 0.05,
        .fg_share = 0.1 * learnt,
        .max_objectness = 0.5 + 0.4 * learnt,
        .max_score = 0.45 + 0.5 * learnt,
        .proposals = 240,
        .images_per_second = 60 + 10 * made_noise(i, 8),
    };
    step->loss = step->loss_rpn_cls + step->loss_rpn_bbox + step->loss_cls + step->loss_bbox +
                 step->loss_mask;
    step->clipped = step->grad_norm > 10;
}

/* Sets the ladder, the classes' counts and the objects found of evaluation e. */
static inline void made_detections(struct made *m, int e, int64_t circles, int64_t squares)
{
    struct run_log_eval *eval = &m->evals[e];
    static const double share[RUN_LOG_THRESHOLDS] = {3.1, 2.2, 1.3, 1.0, 0.7, 0.2};
    int64_t total = circles + squares;
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        eval->detections[t] = (int64_t)(share[t] * (double)total) + (t < 2 ? 600 - 300 * t : 0);
        eval->objects_found[t] = eval->detections[t] < 160 ? eval->detections[t] : 160;
    }
    m->detections[e][0] = circles;
    m->detections[e][1] = squares;
}

static inline void made_eval(struct made *m, int e, double w)
{
    double learnt = w > 1 ? 1 - exp(-(e + 1) / 3.0) : 0.0;
    struct run_log_eval *eval = &m->evals[e];
    m->objects[e][0] = 90;
    m->objects[e][1] = 70;
    m->class_ap[e][0] = 0.55 * learnt;
    m->class_ap[e][1] = 0.45 * learnt;
    *eval = (struct run_log_eval){
        .step = (e + 1) * MADE_EVERY,
        .images = 40,
        .objects = 160,
        .n_classes = MADE_CLASSES,
        .detections_per_class = m->detections[e],
        .objects_per_class = m->objects[e],
        .max_score = w > 1 ? 0.5 + 0.45 * learnt : 0.41,
        .mean_object_score = w > 1 ? 0.3 + 0.29 * learnt : 0.33,
        .max_objectness = w > 1 ? 0.95 : 0.4,
        .rpn_fg_bg_ratio = w > 1 ? 0.004 * (1 + learnt) : 0.0,
        .roi_fg_bg_ratio = w > 1 ? 0.12 * learnt : 0.0,
        .proposal_recall = 0.95,
        .box_ap = 0.5 * learnt,
        .box_ap50 = 0.8 * learnt,
        .mask_ap = 0.4 * learnt,
        .mask_ap50 = 0.7 * learnt,
        .box_ap_per_class = m->class_ap[e],
        .weights_hash = 0x9e3779b97f4a7c15u * (uint64_t)(e + 1),
        .weights_finite = 1,
    };
    made_detections(m, e, (int64_t)(92 * learnt), (int64_t)(68 * learnt));
}

static inline void made_start(struct made *m, const char *name, double w)
{
    static const char *const classes[MADE_CLASSES] = {"circle", "square"};
    memset(m, 0, sizeof *m);
    m->skipped_steps = RUN_LOG_UNKNOWN;
    det_config_defaults(&m->config);
    m->config.rpn_cls_pos_weight = w > 1 ? 5 : 1;
    m->config.roi_cls_pos_weight = w;
    m->run = (struct run_log_run){
        .name = name,
        .recipe = "lookalike",
        .dataset_checksum = 0xfeedface12345678u,
        .seed = 7,
        .steps = MADE_STEPS,
        .n_classes = MADE_CLASSES,
        .classes = classes,
        .parameters = 1034567,
        .config = &m->config,
        .environment = {.backend = "cpu",
                        .device = "made up",
                        .precision = "fp32",
                        .threads = 2,
                        .compiler = "gcc 12.2.0",
                        .flags = "-O2",
                        .blas = "OpenBLAS 0.3.21",
                        .blas_core = "Haswell",
                        .cpu = "a <made> & \"quoted\" CPU",
                        .commit = "0123abc",
                        .memory_planned = 123456789},
    };
    m->n_steps = MADE_STEPS;
    m->n_evals = MADE_EVALS;
    for (int i = 0; i < MADE_STEPS; i++)
        made_step(&m->steps[i], i, w);
    for (int e = 0; e < MADE_EVALS; e++)
        made_eval(m, e, w);
    strcpy(m->folder, "/tmp/detcheck-made-XXXXXX");
    cr_assert(mkdtemp(m->folder), "no folder %s", m->folder);
}

static inline void made_path(const struct made *m, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", m->folder, name);
}

/* Everything into folder/log.jsonl, in the order of time. */
static inline void made_write(const struct made *m)
{
    struct det_error err = {0};
    struct run_log *log;
    char path[128];
    made_path(m, "log.jsonl", path);
    cr_assert_eq(run_log_create(path, &log, &err), DET_OK, "%s", err.message);
    cr_assert_eq(run_log_write_run(log, &m->run, &err), DET_OK, "%s", err.message);
    int e = 0;
    for (int i = 0; i < m->n_steps; i++) {
        cr_assert_eq(run_log_write_step(log, &m->steps[i], &err), DET_OK, "%s", err.message);
        if (e < m->n_evals && m->evals[e].step == i + 1)
            cr_assert_eq(run_log_write_eval(log, &m->evals[e++], &err), DET_OK, "%s", err.message);
        if ((i + 1) % 100 == 0)
            cr_assert_eq(run_log_write_checkpoint(log, i + 1, "checkpoint.safetensors",
                                                  m->skipped_steps, &err),
                         DET_OK, "%s", err.message);
    }
    if (m->stop)
        cr_assert_eq(run_log_write_stop(log, m->n_steps, m->stop, &err), DET_OK, "%s", err.message);
    run_log_close(log);
}

static inline struct logged_run *made_read(const struct made *m)
{
    struct det_error err = {0};
    struct logged_run *run = NULL;
    cr_assert_eq(logged_run_open(m->folder, &run, &err), DET_OK, "%s", err.message);
    return run;
}

/* Remove the folder with the given files in it. */
static inline void made_remove(const struct made *m)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", m->folder);
    cr_assert_eq(system(command), 0);
}

#endif
