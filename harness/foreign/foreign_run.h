/* A logged run put together from another trainer's log. Private to this room. */
#ifndef HARNESS_FOREIGN_RUN_H
#define HARNESS_FOREIGN_RUN_H

#include "harness/foreign/foreign.h"
#include "harness/foreign/foreign_row.h"
#include "harness/foreign/foreign_text.h"
#include "harness/log/run_log_fields.h"

/* An empty run whose configuration is options->sets. format is static. */
enum det_code foreign_run_begin(const char *path, const char *format,
                                const struct foreign_options *options, struct logged_run **out,
                                struct det_error *err);

/* A record without any value but its step. */
struct run_log_step foreign_step(int64_t step);
struct run_log_eval foreign_eval(int64_t step);

/* Add a step. One that stands at the last step completes it; an earlier one means that training was
 * taken up again from there, and what came after is dropped. */
enum det_code foreign_add_step(struct logged_run *run, const struct run_log_step *step,
                               struct det_error *err);

/* Add an evaluation at its place. One that stands at the same step completes it. The lists of *eval
 * become the run's, also on failure. */
enum det_code foreign_add_eval(struct logged_run *run, struct run_log_eval *eval,
                               struct det_error *err);

/* Settle planned and done steps. planned 0: not known. */
void foreign_run_finish(struct logged_run *run, int64_t planned);

/* A number that counts steps: whole, not negative, not absurd. what: for the message. */
enum det_code foreign_step_number(double number, const char *what, int64_t *out,
                                  struct det_error *err);

/* ---- their names and ours ---- */

struct foreign_name {
    const char *theirs;
    const char *ours; /* of run_log_fields.h */
    double scale;     /* ours = theirs * scale */
};

/* Fill in what the row has of the names; returns how many. Keys that belong to stages or decoder
 * layers ("loss_cls_stage1", "s1.loss_cls", "stage1/fast_rcnn/...") count as the plain ones; parts
 * of a loss are added up. */
int foreign_take_step(const struct foreign_row *row, const struct foreign_name *names, size_t n,
                      struct run_log_step *step);

/* The same for an evaluation; "NAME/bbox/AP" counts as "bbox/AP". NaN is no value here: the caller
 * knows what it means. */
int foreign_take_eval(const struct foreign_row *row, const struct foreign_name *names, size_t n,
                      struct run_log_eval *eval);

/* The number behind `theirs`, or behind anything that ends with "/theirs". */
int foreign_row_suffix(const struct foreign_row *row, const char *theirs, double *out);

/* Put the number into a field of a step or an evaluation (element: of a ladder). NaN is left out
 * for counts and shares, which have none; a count that is a mean over images is rounded up, so that
 * few are never none. Returns whether it was put. */
int foreign_put(const struct run_log_field *field, int element, double number, void *record);

/* Nothing was predicted in this evaluation: no detection reaches 0.5, AP is 0. */
void foreign_nothing_predicted(struct run_log_eval *eval);

/* ---- the formats: each reads `text` into `run` ---- */

enum det_code foreign_read_detectron2(struct foreign_text *text,
                                      const struct foreign_options *options, struct logged_run *run,
                                      struct det_error *err);
enum det_code foreign_read_mmdetection3(struct foreign_text *text,
                                        const struct foreign_options *options,
                                        struct logged_run *run, struct det_error *err);
enum det_code foreign_read_mmdetection2(struct foreign_text *text,
                                        const struct foreign_options *options,
                                        struct logged_run *run, struct det_error *err);
enum det_code foreign_read_mapped(struct foreign_text *text, const struct foreign_options *options,
                                  struct logged_run *run, struct det_error *err);

/* Evaluate COCO result files (one, or a folder of them) against options->truth and add each as an
 * evaluation at the step that its name ends with. */
enum det_code foreign_read_coco(const char *path, const struct foreign_options *options,
                                struct logged_run *run, struct det_error *err);

/* For a format of JSON lines: the next row, 0 at the end or on failure (*code). A last line that
 * was cut short is left out and marks the run as torn. */
int foreign_next_json(struct foreign_text *text, struct logged_run *run, struct foreign_row *row,
                      enum det_code *code, struct det_error *err);

#endif
