/* Step and eval lines from JSON to structs, by the tables of run_log_fields.h. */
#ifndef HARNESS_LOG_FIELDS_READER_H
#define HARNESS_LOG_FIELDS_READER_H

#include "harness/log/run_log.h"

#include <jansson.h>

/* A count (0 or more, small enough that no sum of them overflows) that stands in no table. */
enum det_code log_read_count(const json_t *line, const char *key, int64_t *out,
                             struct det_error *err);

/* DET_INVALID names the key that is missing or of the wrong type. */
enum det_code log_read_step(const json_t *line, struct run_log_step *out, struct det_error *err);

/* out->n_classes is given. The lists are allocated and owned by *out, also on failure: the caller
 * calls log_release_eval. */
enum det_code log_read_eval(const json_t *line, struct run_log_eval *out, struct det_error *err);
void log_release_eval(struct run_log_eval *eval);

#endif
