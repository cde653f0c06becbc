/* Where and with what a run is made: what the log's first line tells about the machine. */
#ifndef HARNESS_ENVIRONMENT_H
#define HARNESS_ENVIRONMENT_H

#include "harness/log/run_log.h"

/* Fill everything but memory_planned. Texts are static. The commit is the one that was built. */
void environment_fill(struct run_log_environment *environment, const char *backend, int threads,
                      const struct det_config *config);

#endif
