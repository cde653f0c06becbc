/* Streams, events and graphs of the emulation. A stream's work is done in order: when it comes, or, in
 * a slow stream, only when somebody waits for it (DETCHECK_EMULATED_SLOW=1: the first of each device's
 * two streams, 2: the second, 3: both). What was left to chance between two streams, or between a stream and the
 * host, then comes out differently: nobody waits for a slow stream by luck. */
#include "emulated.h"

#include <deque>
#include <memory>
#include <set>
#include <stdlib.h>

typedef std::vector<emulated_work> works;

struct emulated_stream {
    bool slow;
    size_t issued, done;
    std::deque<emulated_work> queue;
};

struct emulated_event { /* happens once that much of the stream is done; at once, never recorded */
    emulated_stream *stream;
    size_t position;
};

struct emulated_graph {
    std::shared_ptr<works> steps;
    std::set<void *> blocks; /* device memory that there was when it was captured */
    bool broken;             /* some of it is gone: what is launched would touch it */
};

static std::set<emulated_stream *> streams;
static std::set<emulated_graph *> executables;
static emulated_stream *capturing;
static emulated_graph *captured;
static bool invalidated; /* the capture: by a call that none allows */
static bool lost;

cudaError_t emulated_allowed()
{
    invalidated |= capturing != NULL;
    return lost ? cudaErrorLaunchFailure : capturing ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

void emulated_lose_device()
{
    lost = true;
}

static void run_to(emulated_stream *stream, size_t position)
{
    while (stream->done < position) {
        emulated_work step = std::move(stream->queue.front());
        stream->queue.pop_front();
        stream->done++;
        step();
    }
}

/* In no stream: only the driver's own, which waits for all others, would take it. */
cudaError_t emulate_work(emulated_stream *stream, const emulated_work &step)
{
    if (lost)
        return cudaErrorLaunchFailure;
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    if (stream == capturing) {
        captured->steps->push_back(step);
        return cudaSuccess;
    }
    stream->queue.push_back(step);
    stream->issued++;
    if (!stream->slow)
        run_to(stream, stream->issued);
    return cudaSuccess;
}

void emulated_finish()
{
    for (emulated_stream *stream : streams)
        run_to(stream, stream->issued);
}

void emulated_block_freed(void *block)
{
    for (emulated_graph *graph : executables)
        graph->broken |= graph->blocks.count(block) > 0;
}

/* ---- streams and events ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    static long opened;
    long slow = emulated_setting("DETCHECK_EMULATED_SLOW", 0);
    *stream = new emulated_stream{(slow >> opened++ % 2 & 1) != 0, 0, 0, {}};
    streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    run_to(stream, stream->issued);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t status = emulated_allowed();
    if (status == cudaSuccess)
        run_to(stream, stream->issued);
    return lost ? cudaErrorLaunchFailure : status;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new emulated_event{NULL, 0};
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (lost || stream == capturing)
        return emulated_allowed();
    *event = {stream, stream->issued};
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    emulated_event until = *event;
    if (lost || stream == capturing)
        return emulated_allowed();
    return until.stream ? emulate_work(stream, [=] { run_to(until.stream, until.position); })
                        : cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t status = emulated_allowed();
    if (status == cudaSuccess && event->stream)
        run_to(event->stream, event->position);
    return lost ? cudaErrorLaunchFailure : status;
}

/* ---- graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int)
{
    if (lost || capturing)
        return emulated_allowed();
    capturing = stream;
    captured = new emulated_graph{std::make_shared<works>(), emulated_blocks(), false};
    invalidated = false;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = NULL;
    if (stream != capturing)
        return cudaErrorInvalidValue;
    capturing = NULL;
    if (invalidated) {
        delete captured;
        return cudaErrorStreamCaptureInvalidated;
    }
    *graph = captured;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned)
{
    *exec = new emulated_graph(*graph);
    executables.insert(*exec);
    return cudaSuccess;
}

/* DETCHECK_EMULATED_REPLAYS: how many there are before the device is lost, for good. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    static long left = emulated_setting("DETCHECK_EMULATED_REPLAYS", -1);
    if (left == 0)
        emulated_lose_device();
    left -= left > 0;
    if (exec->broken)
        return cudaErrorInvalidValue;
    std::shared_ptr<works> steps = exec->steps;
    return emulate_work(stream, [=] {
        for (const emulated_work &step : *steps)
            step();
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    executables.erase(exec);
    delete exec;
    return cudaSuccess;
}
