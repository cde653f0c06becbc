/* Recordings are CUDA graphs, captured from the stream. */
#include "detector/backend/cuda/launch.cuh"

struct det_recording; /* a cudaGraphExec_t, which is a pointer itself */

static struct det_recording *recording_of(cudaGraphExec_t exec)
{
    return (struct det_recording *)exec;
}

enum det_code det_cuda_record_begin(struct det_device *dev, struct det_error *err)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    det_cuda_alone().lock(); /* until record_end */
    if (!det_cuda_failed(cuda) &&
        det_cuda_check(cuda, cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal),
                       "recording")) {
        cuda->recording = 1;
        return DET_OK;
    }
    det_cuda_alone().unlock();
    return det_cuda_synchronize(dev, err);
}

enum det_code det_cuda_record_end(struct det_device *dev, struct det_recording **out,
                                  struct det_error *err)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    *out = NULL;
    cuda->recording = 0;
    int good = det_cuda_check(cuda, cudaStreamEndCapture(cuda->stream, &graph), "recording");
    if (good)
        good = det_cuda_check(cuda, cudaGraphInstantiate(&exec, graph, 0), "recording");
    if (graph)
        cudaGraphDestroy(graph);
    det_cuda_alone().unlock();
    if (!good)
        return det_cuda_synchronize(dev, err);
    *out = recording_of(exec);
    cuda->recordings++;
    return DET_OK;
}

void det_cuda_replay(struct det_device *dev, struct det_recording *recording)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (det_cuda_failed(cuda))
        return;
    det_cuda_check(cuda, cudaGraphLaunch((cudaGraphExec_t)recording, cuda->stream), "replay");
    cuda->last = "a recorded step";
}

void det_cuda_recording_release(struct det_device *dev, struct det_recording *recording)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    std::lock_guard<std::recursive_mutex> alone(det_cuda_alone());
    cudaStreamSynchronize(cuda->stream);
    cudaGraphExecDestroy((cudaGraphExec_t)recording);
    if (--cuda->recordings == 0)
        det_cuda_free_outgrown(cuda);
}
