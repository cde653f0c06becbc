/* Which keys of the runs' configurations, or environments, are not the same. */
#ifndef HARNESS_COMPARE_CONFIG_H
#define HARNESS_COMPARE_CONFIG_H

#include "harness/log/log_reader.h"

#define COMPARE_KEYS_MAX 128

enum compare_what { COMPARE_CONFIG, COMPARE_ENVIRONMENT };

/* Keys whose values differ between any two of the n runs (a missing one differs from any other), in
 * the order of the first run. Returns their number, at most COMPARE_KEYS_MAX. The names are owned
 * by the runs. */
int compare_keys(const struct logged_run *const *runs, int n, enum compare_what what,
                 const char *keys[COMPARE_KEYS_MAX]);

/* The value of the key in a run, as text; "-" where it is missing. */
void compare_value(const struct logged_run *run, enum compare_what what, const char *key, char *out,
                   size_t size);

#endif
