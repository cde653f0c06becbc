/* A list of device blocks that are taken together: declared with where their address goes. */
#ifndef DET_MODEL_BUFFERS_H
#define DET_MODEL_BUFFERS_H

#include "detector/backend/backend.h"

#define DET_BUFFERS_MAX 64

struct det_buffers {
    struct {
        void **where;
        size_t offset;
    } at[DET_BUFFERS_MAX];
    int n;
    size_t bytes;
    void *block; /* device, owned */
};

/* `*where` will hold count elements of size bytes once det_buffers_take has run. */
void det_buffers_want(struct det_buffers *buffers, void **where, size_t count, size_t size);

/* One block for all of them, zeroed. */
enum det_code det_buffers_take(struct det_buffers *buffers, struct det_device *dev,
                               const char *what, struct det_error *err);
void det_buffers_release(struct det_buffers *buffers, struct det_device *dev);

#endif
