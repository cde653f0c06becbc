#include "detector/training/dataset.h"

#include <stdlib.h>

static void *room(void *old, size_t n, size_t size)
{
    free(old);
    return calloc(n, size);
}

static enum det_code reserve_rows(struct det_annotations *truth, int n, struct det_error *err)
{
    if (n <= truth->capacity)
        return DET_OK;
    size_t rows = (size_t)n;
    truth->capacity = 0;
    truth->boxes = room(truth->boxes, rows, sizeof *truth->boxes);
    truth->labels = room(truth->labels, rows, sizeof *truth->labels);
    truth->crowd = room(truth->crowd, rows, sizeof *truth->crowd);
    truth->annotated = room(truth->annotated, rows, sizeof *truth->annotated);
    truth->areas = room(truth->areas, rows, sizeof *truth->areas);
    if (!truth->boxes || !truth->labels || !truth->crowd || !truth->annotated || !truth->areas)
        return det_fail(err, DET_NO_MEMORY, "annotations: no memory for %d objects", n);
    truth->capacity = n;
    return DET_OK;
}

enum det_code det_sample_reserve(struct det_sample *sample, int n, size_t mask_bytes,
                                 struct det_error *err)
{
    struct det_annotations *truth = &sample->truth;
    truth->n = 0;
    enum det_code code = reserve_rows(truth, n, err);
    if (code)
        return code;
    size_t bytes = (size_t)n * mask_bytes;
    if (n > 0 && bytes / (size_t)n != mask_bytes)
        return det_fail(err, DET_NO_MEMORY, "annotations: %d masks of %zu bytes", n, mask_bytes);
    if (bytes <= truth->mask_capacity)
        return DET_OK;
    truth->mask_capacity = 0;
    truth->masks = room(truth->masks, bytes, 1);
    if (!truth->masks)
        return det_fail(err, DET_NO_MEMORY, "annotations: no memory for masks of %zu bytes", bytes);
    truth->mask_capacity = bytes;
    return DET_OK;
}

void det_sample_release(struct det_sample *sample)
{
    struct det_annotations *truth = &sample->truth;
    free(truth->boxes);
    free(truth->labels);
    free(truth->crowd);
    free(truth->annotated);
    free(truth->masks);
    free(truth->areas);
    *truth = (struct det_annotations){0};
}
