/* The CUDA device, as the operations see it: one stream to compute in, one cuBLAS handle, scratch that
 * grows as long as nothing is being recorded, and the first error, after which nothing is launched any
 * more. */
#ifndef DET_BACKEND_CUDA_DEVICE_CUH
#define DET_BACKEND_CUDA_DEVICE_CUH

#include <cuda_runtime.h>

#include <math.h>
#include <mutex>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "detector/backend/backend.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"

struct det_cuda_blas;

struct det_cuda_outgrown {
    void *block;
    struct det_cuda_outgrown *next;
};

struct det_cuda {
    struct det_device device; /* first: a det_device * of this backend is a det_cuda * */
    cudaStream_t stream;      /* the only one that computes */
    cudaStream_t copies;      /* brings batches beside it (staging.cu) */
    struct det_cuda_blas *blas; /* owned */
    unsigned char *scratch;     /* owned; device memory */
    size_t scratch_bytes;
    struct det_cuda_outgrown *outgrown; /* owned: scratch of before, which recordings still use */
    int recordings;        /* that can be replayed */
    int recording;         /* between record_begin and record_end: nothing may be allocated */
    int measuring;         /* between measure_begin and measure_end: nothing is started */
    size_t measured;       /* the most scratch that was asked for meanwhile, */
    const char *measured_of; /* and by which operation */
    int wait_each;         /* DETCHECK_CUDA_WAIT: wait after every launch, so that errors name it */
    const char *last;      /* the operation launched last */
    char name[160];        /* what det_cuda_describe says */
    struct det_error first; /* code DET_OK while nothing has failed */
};

static inline struct det_cuda *det_cuda_of(struct det_device *dev)
{
    return (struct det_cuda *)dev;
}

static inline int det_cuda_failed(const struct det_cuda *cuda)
{
    return cuda->first.code != DET_OK;
}

/* Whether nothing is to be started: something failed, or scratch is being measured. */
static inline int det_cuda_idle(const struct det_cuda *cuda)
{
    return cuda->measuring || det_cuda_failed(cuda);
}

/* Several devices may be open at once, each used by a thread of its own (detcheck run, sweep). What may
 * wait for the whole GPU (taking memory, giving it back, cuBLAS coming and going) makes a capture
 * invalid that goes on beside it: whoever does either holds this. */
std::recursive_mutex &det_cuda_alone();

/* Keep the first failure: `what` names the operation and its shape. Returns whether all is well. */
int det_cuda_check(struct det_cuda *cuda, cudaError_t status, const char *what);

/* Scratch of this operation: at least `bytes`, aligned to 256, contents undefined (NaN patterns in
 * the emulation), valid until the next operation asks. NULL after a failure, and an address that is
 * none while measuring; the operation then launches nothing. */
void *det_cuda_scratch(struct det_cuda *cuda, const char *op, size_t bytes);

/* Free what scratch has outgrown: once nothing recorded is left that could use it. */
void det_cuda_free_outgrown(struct det_cuda *cuda);

#endif
