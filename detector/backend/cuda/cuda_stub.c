/* Stands in for the CUDA backend where it was not built in: it can be named, but not opened. */
#include "detector/backend/backend.h"

static enum det_code stub_open(int threads, struct det_device **out, struct det_error *err)
{
    (void)threads;
    *out = NULL;
    return det_fail(err, DET_UNAVAILABLE,
                    "backend cuda: built without CUDA: configure with -Dcuda=enabled");
}

static const struct det_backend stub = {.name = "cuda", .open = stub_open};

const struct det_backend *det_cuda_backend(void)
{
    return &stub;
}
