#include "harness/program/blas_core.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Recorded values are held to the bit, so `golden` takes the set that they were made with: the one
 * that every processor with AVX2 can run. */
static int is_pinned(char **argv)
{
    return argv[0] && argv[1] && strcmp(argv[1], "golden") == 0;
}

static const char *best_core(int pinned)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!pinned && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
#endif
    (void)pinned;
    return NULL;
}

void blas_core_choose(char **argv)
{
    const char *core = best_core(is_pinned(argv));
    if (!core || getenv("OPENBLAS_CORETYPE") || setenv("OPENBLAS_CORETYPE", core, 1) != 0)
        return;
    execv("/proc/self/exe", argv);
}
