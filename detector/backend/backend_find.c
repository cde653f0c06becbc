#include "detector/backend/backend.h"

#include <string.h>

enum det_code det_backend_find(const char *name, const struct det_backend **out,
                               struct det_error *err)
{
    const struct det_backend *const backends[] = {det_cpu_backend(), det_cuda_backend()};
    *out = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (!strcmp(name, backends[i]->name)) {
            *out = backends[i];
            return DET_OK;
        }
    return det_fail(err, DET_INVALID, "backend: '%s' is not one of cpu, cuda", name);
}
