/* The verdict off_golden: a run that is not like the healthy runs of its configuration. */
#ifndef HARNESS_ENVELOPE_JUDGE_H
#define HARNESS_ENVELOPE_JUDGE_H

#include "harness/golden/envelope.h"
#include "harness/log/log_reader.h"

/* *verdict is what the rules said of the run (judge_run). Where they said what they say of one
 * of the envelope's own seeds, or healthy, the run is held against the envelope, and *verdict becomes
 * off_golden (warnings stay) where it is outside; any other verdict stands: it explains more.
 *
 * Rules: other_configuration (a key is not as in the envelope's runs), outside_envelope (one
 * metric), far_from_envelope (many together). DET_INVALID for a run that cannot be measured, a log
 * without a configuration, or an envelope that was never made. */
enum det_code envelope_judge(const struct envelope *envelope, const struct logged_run *run,
                             struct verdict *verdict, struct det_error *err);

#endif
