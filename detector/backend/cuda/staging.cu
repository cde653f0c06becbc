/* Batches on their way: pinned host memory, a copy on the device, and a stream of its own between the
 * two, so that a batch comes while the step before is computed. Two events keep the streams apart:
 *
 *     copies:   wait read, copy, record sent           (send)
 *     compute:  wait sent | read the copy, record read (receive, done)
 *
 * What a batch is read into lies elsewhere and is always the same, so that one recording of a step
 * serves all of them; so one staging is enough: it is free again as soon as a step has begun. */
#include "detector/backend/cuda/device.cuh"

#include <stdlib.h>

struct cuda_staging {
    struct det_staging memory; /* first: a det_staging * of this backend is a cuda_staging * */
    cudaEvent_t sent;          /* recorded in the copies' stream: the host's memory is free again */
    cudaEvent_t read;          /* recorded in the computing stream: the device's is */
};

static struct cuda_staging *staging_of(struct det_staging *staging)
{
    return (struct cuda_staging *)staging;
}

static enum det_code take_host(struct cuda_staging *s, size_t bytes, const char *what,
                               struct det_error *err)
{
    cudaError_t status = cudaMallocHost(&s->memory.host, bytes ? bytes : 1);
    if (status == cudaSuccess) {
        memset(s->memory.host, 0, bytes);
        return DET_OK;
    }
    s->memory.host = NULL;
    cudaGetLastError(); /* it has been told, and no launch is to be blamed for it */
    return det_fail(err, status == cudaErrorMemoryAllocation ? DET_NO_MEMORY : DET_IO,
                    "cuda: %s: %zu bytes of host memory to be pinned: %s", what, bytes,
                    cudaGetErrorString(status));
}

static enum det_code take_events(struct det_cuda *cuda, struct cuda_staging *s, const char *what,
                                 struct det_error *err)
{
    cudaError_t status = cudaEventCreateWithFlags(&s->sent, cudaEventDisableTiming);
    if (status == cudaSuccess)
        status = cudaEventCreateWithFlags(&s->read, cudaEventDisableTiming);
    if (status == cudaSuccess) /* the device's memory is being zeroed in the computing stream */
        status = cudaEventRecord(s->read, cuda->stream);
    if (status == cudaSuccess)
        return DET_OK;
    return det_fail(err, DET_IO, "cuda: %s: events: %s", what, cudaGetErrorString(status));
}

enum det_code det_cuda_staging_open(struct det_device *dev, size_t bytes, const char *what,
                                    struct det_staging **out, struct det_error *err)
{
    void *device = NULL;
    *out = NULL;
    std::lock_guard<std::recursive_mutex> alone(det_cuda_alone());
    struct cuda_staging *s = (struct cuda_staging *)calloc(1, sizeof *s);
    if (!s)
        return det_fail(err, DET_NO_MEMORY, "cuda: %s", what);
    enum det_code code = take_host(s, bytes, what, err);
    if (code == DET_OK)
        code = det_cuda_alloc(dev, bytes, what, &device, err);
    s->memory.device = device;
    if (code == DET_OK)
        code = take_events(det_cuda_of(dev), s, what, err);
    if (code != DET_OK) {
        det_cuda_staging_close(dev, &s->memory);
        return code;
    }
    *out = &s->memory;
    return DET_OK;
}

void det_cuda_staging_close(struct det_device *dev, struct det_staging *staging)
{
    if (!staging)
        return;
    std::lock_guard<std::recursive_mutex> alone(det_cuda_alone());
    struct cuda_staging *s = staging_of(staging);
    cudaStreamSynchronize(det_cuda_of(dev)->copies);
    det_cuda_release(dev, (void *)s->memory.device);
    cudaFreeHost(s->memory.host);
    if (s->sent)
        cudaEventDestroy(s->sent);
    if (s->read)
        cudaEventDestroy(s->read);
    free(s);
}

void det_cuda_staging_write(struct det_device *dev, struct det_staging *staging)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (!det_cuda_failed(cuda))
        det_cuda_check(cuda, cudaEventSynchronize(staging_of(staging)->sent), "staging, write");
}

void det_cuda_staging_send(struct det_device *dev, struct det_staging *staging, size_t bytes)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    struct cuda_staging *s = staging_of(staging);
    if (det_cuda_failed(cuda) ||
        !det_cuda_check(cuda, cudaStreamWaitEvent(cuda->copies, s->read, 0), "staging, send"))
        return;
    if (bytes)
        det_cuda_check(cuda, cudaMemcpyAsync((void *)s->memory.device, s->memory.host, bytes,
                                             cudaMemcpyHostToDevice, cuda->copies),
                       "staging, send");
    det_cuda_check(cuda, cudaEventRecord(s->sent, cuda->copies), "staging, send");
}

void det_cuda_staging_receive(struct det_device *dev, struct det_staging *staging)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (!det_cuda_failed(cuda))
        det_cuda_check(cuda, cudaStreamWaitEvent(cuda->stream, staging_of(staging)->sent, 0),
                       "staging, receive");
}

void det_cuda_staging_done(struct det_device *dev, struct det_staging *staging)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (!det_cuda_failed(cuda))
        det_cuda_check(cuda, cudaEventRecord(staging_of(staging)->read, cuda->stream),
                       "staging, done");
}
