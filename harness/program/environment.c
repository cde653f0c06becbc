#include "harness/program/environment.h"

#include "detector/backend/gemm.h"
#include "harness/build_commit.h"
#include "harness/build_info.h"

#include <stdio.h>
#include <string.h>

/* The processor's name as Linux gives it; "unknown" elsewhere. Read once. */
static const char *cpu_name(void)
{
    static char name[128];
    char line[256];
    if (name[0])
        return name;
    snprintf(name, sizeof name, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
    return name;
}

void environment_fill(struct run_log_environment *environment, const char *backend, int threads,
                      const struct det_config *config)
{
    static const char *const precisions[] = {[DET_PRECISION_FP32] = "fp32",
                                             [DET_PRECISION_BF16] = "bf16",
                                             [DET_PRECISION_FP16] = "fp16",
                                             [DET_PRECISION_TF32] = "tf32"};
    *environment = (struct run_log_environment){
        .backend = backend,
        .device = backend,
        .precision = precisions[config->model_precision],
        .threads = threads,
        .compiler = DETCHECK_COMPILER,
        .flags = DETCHECK_FLAGS,
        .blas = det_gemm_config(),
        .blas_core = det_gemm_core(),
        .cpu = cpu_name(),
        .commit = DETCHECK_COMMIT,
    };
}
