/* What the bits of a run depend on, as one line of text: where two runs of the same configuration
 * have the same line, they must agree to the bit. */
#ifndef HARNESS_GOLDEN_NUMERICS_H
#define HARNESS_GOLDEN_NUMERICS_H

#include "harness/log/log_reader.h"

#include <stddef.h>

#define GOLDEN_NUMERICS_MAX 512

/* "backend=cpu; blas=OpenBLAS 0.3.21; core=Haswell; precision=fp32; float=-ffp-contract=off ...;
 * libm=glibc 2.36 fma" of the run, which was made by this program on this machine. Compiler,
 * optimisation, sanitizers, threads and commit are not part of it: they do not change bits, and
 * the suites hold them to that. glibc picks its exp, log and pow by whether the processor has FMA. */
void golden_numerics_of(const struct logged_run *run, char out[GOLDEN_NUMERICS_MAX]);

/* The parts of the lines that differ, "core is Haswell in the table, SkylakeX here; ...", into out.
 * Returns their number. */
int golden_numerics_differ(const char *table, const char *here, char *out, size_t size);

#endif
