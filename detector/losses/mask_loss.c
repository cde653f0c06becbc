#include "detector/backend/cpu.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/losses.h"
#include "detector/losses/losses.h"

#include <string.h>

struct mask_job {
    int classes, plane;
    const float *logits, *targets;
    const int32_t *labels;
    float factor;   /* of the gradient */
    float *dlogits; /* may be NULL */
    double *sums;   /* [rows] each row's loss summed over its pixels */
};

static void one_row(void *arg, int r, int worker)
{
    (void)worker;
    const struct mask_job *job = arg;
    size_t plane = (size_t)job->plane;
    size_t row = (size_t)r * (size_t)job->classes * plane;
    int label = job->labels[r];
    if (job->dlogits)
        memset(job->dlogits + row, 0, (size_t)job->classes * plane * sizeof *job->dlogits);
    double sum = 0.0;
    if (label > 0) {
        size_t channel = row + (size_t)label * plane;
        const float *targets = job->targets + (size_t)r * plane;
        for (size_t i = 0; i < plane; i++) {
            struct det_loss_term term = det_soft_bce(job->logits[channel + i], targets[i]);
            sum += (double)term.value;
            if (job->dlogits)
                job->dlogits[channel + i] = job->factor * term.derivative;
        }
    }
    job->sums[r] = sum;
}

size_t det_mask_loss_scratch(int rows)
{
    return (size_t)rows * sizeof(double);
}

static int count_positives(const int32_t *labels, int rows)
{
    int positives = 0;
    for (int r = 0; r < rows; r++)
        positives += labels[r] > 0;
    return positives;
}

void det_mask_loss(struct det_device *dev, const float *loss_scale, int rows, int classes, int size,
                   const int32_t *count, const float *logits, const float *targets,
                   const int32_t *labels, double *out, float *dlogits)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    int live = det_live(count, rows);
    int positives = count_positives(labels, live);
    double inverse = positives > 0 ? 1.0 / ((double)positives * size * size) : 0.0;
    struct mask_job job = {
        .classes = classes,
        .plane = size * size,
        .logits = logits,
        .targets = targets,
        .labels = labels,
        .factor = (float)(inverse * det_loss_scale(loss_scale)),
        .dlogits = dlogits,
        .sums = (double *)cpu->shared,
    };
    det_pool_run(cpu->pool, live, one_row, &job);
    double sum = 0.0;
    for (int r = 0; r < live; r++)
        sum += job.sums[r];
    *out = sum * inverse;
}

void det_mask_loss_rows(struct det_device *dev, int rows, int classes, int size,
                        const int32_t *count, const float *logits, const float *targets,
                        const int32_t *labels, float *losses)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    int live = det_live(count, rows);
    struct mask_job job = {
        .classes = classes,
        .plane = size * size,
        .logits = logits,
        .targets = targets,
        .labels = labels,
        .sums = (double *)cpu->shared,
    };
    det_pool_run(cpu->pool, live, one_row, &job);
    for (int r = 0; r < live; r++)
        losses[r] = (float)(job.sums[r] / (size * size));
}
