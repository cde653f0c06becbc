/* What an envelope says of runs: how many healthy ones it would accuse, how many bent ones catch. */
#ifndef HARNESS_ENVELOPE_POWER_H
#define HARNESS_ENVELOPE_POWER_H

#include "harness/golden/envelope_fit.h"

/* Runs that are outside. */
int envelope_alarms(const struct envelope *envelope, const struct envelope_run *runs, int n);

#define ENVELOPE_ROUNDS 40

/* Envelopes made of `size` of the runs[n] drawn at random (the same draws every time), each tried on
 * the n - size others, ENVELOPE_ROUNDS times: *tried are the trials, *alarms those outside. Better
 * than one envelope's own figure, since it says what the rule does, whichever seeds it gets. Rounds
 * whose seeds are refused count for nothing. DET_NO_MEMORY. */
enum det_code envelope_resample(const struct envelope *envelope, const struct envelope_run *runs,
                                int n, int size, int *alarms, int *tried, struct det_error *err);

/* The `catches` lines of the envelope's head: of these runs, bent in the ways of real regressions
 * (losses times 1.3, detections halved, AP too good, ...), how many are outside. */
enum det_code envelope_put_catches(struct envelope *envelope, const struct envelope_run *runs, int n,
                                   struct det_error *err);

#endif
