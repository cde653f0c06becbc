#include "detector/training/optimizer.h"

#include "detector/backend/cpu.h"
#include "detector/base/blocks.h"
#include "detector/base/vector_targets.h"

#include <math.h>

struct update_job {
    struct det_update_terms terms;
    float factor; /* of the gradients */
    size_t n;
    float *param;
    const float *grad;
    float *state1, *state2;
};

DET_VECTOR_TARGETS static void sgd_block(void *arg, int block, int worker)
{
    (void)worker;
    const struct update_job *job = arg;
    struct det_update_terms terms = job->terms; /* copies, which the stores below cannot alias */
    float factor = job->factor;
    size_t begin = det_block_begin(block);
    size_t end = begin + det_block_length(job->n, block);
    for (size_t i = begin; i < end; i++)
        det_sgd_step(&terms, &job->param[i], factor * job->grad[i], &job->state1[i]);
}

DET_VECTOR_TARGETS static void adamw_block(void *arg, int block, int worker)
{
    (void)worker;
    const struct update_job *job = arg;
    struct det_update_terms terms = job->terms; /* copies, which the stores below cannot alias */
    float factor = job->factor;
    size_t begin = det_block_begin(block);
    size_t end = begin + det_block_length(job->n, block);
    for (size_t i = begin; i < end; i++)
        det_adamw_step(&terms, &job->param[i], factor * job->grad[i], &job->state1[i], &job->state2[i]);
}

struct det_update_terms det_update_terms_of(const struct det_update *update)
{
    double steps = (double)update->step;
    double correction1 = 1.0 - pow(update->beta1, steps);
    double correction2 = 1.0 - pow(update->beta2, steps);
    return (struct det_update_terms){
        .lr = (float)update->lr,
        .weight_decay = (float)update->weight_decay,
        .momentum = update->step > 1 ? (float)update->momentum : 0.0f,
        .keep = (float)(1.0 - update->lr * update->weight_decay),
        .beta1 = (float)update->beta1,
        .one_minus_beta1 = (float)(1.0 - update->beta1),
        .beta2 = (float)update->beta2,
        .one_minus_beta2 = (float)(1.0 - update->beta2),
        .step_size = (float)(update->lr / correction1),
        .root_correction = (float)sqrt(correction2),
        .eps = (float)update->eps,
    };
}

void det_update(struct det_device *dev, enum det_optimizer_kind kind,
                const struct det_update_terms *terms, const struct det_clip *clip, size_t n,
                float *param, const float *grad, float *state1, float *state2)
{
    struct update_job job = {*terms, clip ? clip->factor : 1.0f, n, param, grad, state1, state2};
    if (clip && clip->skip)
        return;
    det_pool_run(det_cpu_of(dev)->pool, det_block_count(n),
                 kind == DET_ADAMW ? adamw_block : sgd_block, &job);
}
