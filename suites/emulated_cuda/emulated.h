/* What the emulation's own files share. */
#ifndef SUITES_EMULATED_CUDA_EMULATED_H
#define SUITES_EMULATED_CUDA_EMULATED_H

#include <cuda_runtime.h>

#include <set>
#include <vector>

/* A number from the environment; `otherwise` where it is not set. */
long emulated_setting(const char *name, long otherwise);

/* Whether a call that waits or takes memory may be made now: not while a stream is being captured,
 * which it makes invalid, nor once the device is lost. */
cudaError_t emulated_allowed();
void emulated_lose_device();

void emulated_finish();                 /* all streams do what they have */
const std::set<void *> &emulated_blocks(); /* the device's memory, as it is taken */
void emulated_block_freed(void *block);

#endif
