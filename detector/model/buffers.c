#include "detector/model/buffers.h"

#include <assert.h>

void det_buffers_want(struct det_buffers *buffers, void **where, size_t count, size_t size)
{
    assert(buffers->n < DET_BUFFERS_MAX);
    buffers->at[buffers->n].where = where;
    buffers->at[buffers->n].offset = buffers->bytes;
    buffers->n++;
    buffers->bytes += (count * size + 63) / 64 * 64;
}

enum det_code det_buffers_take(struct det_buffers *buffers, struct det_device *dev,
                               const char *what, struct det_error *err)
{
    enum det_code code = dev->ops->alloc(dev, buffers->bytes, what, &buffers->block, err);
    if (code != DET_OK)
        return code;
    for (int i = 0; i < buffers->n; i++)
        *buffers->at[i].where = (char *)buffers->block + buffers->at[i].offset;
    return DET_OK;
}

void det_buffers_release(struct det_buffers *buffers, struct det_device *dev)
{
    if (buffers->block)
        dev->ops->release(dev, buffers->block);
    buffers->block = NULL;
}
