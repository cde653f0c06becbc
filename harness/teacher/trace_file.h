/* A trace: a folder with the configuration of a teacher's run (config.yaml) and a file a recorded
 * step, NNNNNN.safetensors. A step's file is complete in itself. All floats are the bits that the
 * teacher had.
 *
 *   value.NAME, grad.NAME, state1.NAME, state2.NAME   before the step; the gradient before clipping
 *   after.value.NAME, after.state1.NAME, ...          after it
 *   counters, after.counters   F64 [3]: updates, loss scale, clean steps
 *   losses                     F64 [6]: loss_rpn_cls, loss_rpn_bbox, loss_cls, loss_bbox, loss_mask, loss
 *   grad_norm                  F64 [1]
 *   outcome                    I32 [2]: clipped, skipped
 *   units, maxima              U8, I32: harness/decisions/kinks.h
 *   rpn_logits, ..., roi_targets   as the taps of those names (detector/detector.h)
 *   __metadata__               trace (the format's number), step, batch, dataset, precision, made_by */
#ifndef HARNESS_TEACHER_TRACE_FILE_H
#define HARNESS_TEACHER_TRACE_FILE_H

#include "harness/teacher/golden_step.h"

struct trace_origin { /* what made a trace; the texts are owned by the caller (writing) or the trace */
    uint64_t dataset; /* its checksum */
    char precision[8];
    char made_by[384]; /* compiler, flags, BLAS core, processor, commit, for people */
};

/* Write one step into the folder, which exists. */
enum det_code trace_step_write(const char *folder, const struct trace_origin *origin,
                               const struct golden_step *step, struct det_model *model,
                               struct det_error *err);

struct trace { /* an opened folder */
    const char *folder; /* borrowed */
    int64_t *steps;     /* the recorded ones, ascending; owned */
    size_t n_steps;
};

/* List the steps of a folder. DET_IO, or DET_INVALID where there are none. */
enum det_code trace_open(const char *folder, struct trace *out, struct det_error *err);
void trace_close(struct trace *trace);

/* Read a step that was made on the data of that checksum, for a model of the same shapes: strict,
 * every tensor there and none superfluous. What was in *step is written over. DET_INVALID or DET_IO
 * name file and tensor. */
enum det_code trace_step_read(const struct trace *trace, int64_t step, uint64_t dataset,
                              struct det_model *model, struct trace_origin *origin,
                              struct golden_step *out, struct det_error *err);

/* How many steps the folder has files of; 0 for a folder that is not there. For a writer that must
 * not mix two traces. */
int trace_holds_steps(const char *folder);

#endif
