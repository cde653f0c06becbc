/* The optimisers, clipping, the learning rate, and the arithmetic of mixed precision. */
#include "detector/detector.h"
#include "detector/training/loss_scaler.h"
#include "detector/training/optimizer.h"
#include "harness/verify/verify.h"

#include <stdio.h>
#include <string.h>

/* `steps` updates of one tensor, with the parameters after each. */
static void optimize(struct verify_case *c, struct det_update update)
{
    int steps = case_int(c, "steps"), dims[2];
    case_shape(c, "in.grads", 2, dims);
    if (dims[0] != steps && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "in.grads: %d rows for %d steps", dims[0], steps);
    size_t n = (size_t)dims[1];
    float *param = case_floats(c, "in.param", n);
    const float *grads = case_floats(c, "in.grads", (size_t)dims[0] * n);
    float *state1 = case_device(c, n * sizeof *state1),
          *state2 = case_device(c, n * sizeof *state2);
    struct det_update_terms *terms = case_device(c, sizeof *terms);
    double *after = case_host(c, (size_t)dims[0] * n * sizeof *after);
    for (int t = 0; t < dims[0] && !case_failed(c); t++) {
        update.step = t + 1;
        struct det_update_terms now_terms = det_update_terms_of(&update);
        c->dev->ops->upload(c->dev, terms, &now_terms, sizeof now_terms);
        c->dev->ops->update(c->dev, update.kind, terms, NULL, n, param, grads + (size_t)t * n,
                            state1, update.kind == DET_ADAMW ? state2 : NULL);
        if (c->dev->ops->synchronize(c->dev, &c->err))
            return;
        const float *now = case_download(c, param, n);
        for (size_t i = 0; now && i < n; i++)
            after[(size_t)t * n + i] = (double)now[i];
    }
    case_check_numbers(c, "out.params", after, (size_t)dims[0] * n, CASE_TOLERANCE);
}

static void sgd(struct verify_case *c)
{
    optimize(c, (struct det_update){.kind = DET_SGD,
                                    .lr = case_number(c, "lr"),
                                    .momentum = case_number(c, "momentum"),
                                    .weight_decay = case_number(c, "weight_decay")});
}

static void adamw(struct verify_case *c)
{
    optimize(c, (struct det_update){.kind = DET_ADAMW,
                                    .lr = case_number(c, "lr"),
                                    .beta1 = case_number(c, "beta1"),
                                    .beta2 = case_number(c, "beta2"),
                                    .eps = case_number(c, "eps"),
                                    .weight_decay = case_number(c, "weight_decay")});
}

/* in.g0, in.g1, ...: as many as the file has. */
static void clip_grad_norm(struct verify_case *c)
{
    const struct det_backend *ops = c->dev->ops;
    double max_norm = case_number(c, "max_norm");
    double *sum = case_device(c, sizeof *sum);
    struct det_clip *clip = case_device(c, sizeof *clip), clipped;
    float *at[256];
    size_t sizes[256];
    char name[32];
    int n = 0;
    for (snprintf(name, sizeof name, "in.g0"); n < 256 && !case_failed(c) && case_has(c, name);
         snprintf(name, sizeof name, "in.g%d", n)) {
        sizes[n] = (size_t)det_tensor_elements(det_safetensors_find(c->file, name));
        at[n] = case_floats(c, name, sizes[n]);
        if (at[n])
            ops->sum_squares(c->dev, sizes[n], at[n], sum);
        n++;
    }
    if (case_failed(c) || ops->synchronize(c->dev, &c->err))
        return;
    ops->clip(c->dev, max_norm, sum, clip);
    if (ops->synchronize(c->dev, &c->err))
        return;
    ops->download(c->dev, &clipped, clip, sizeof clipped);
    case_check_number(c, "out.norm", clipped.norm, 1);
    for (int i = 0; i < n; i++) {
        ops->scale(c->dev, sizes[i], &clip->factor, at[i]);
        snprintf(name, sizeof name, "out.g%d", i);
        case_check(c, name, at[i], sizes[i], 1);
    }
}

static int choice(struct verify_case *c, const char *name, const char *const *choices, int n)
{
    const char *text = case_text(c, name);
    for (int i = 0; i < n; i++)
        if (!strcmp(text, choices[i]))
            return i;
    if (!case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s: %s is unknown", name, text);
    return 0;
}

/* The schedule over a whole run, by the configuration keys' names. */
static void learning_rate(struct verify_case *c)
{
    static const char *const decays[] = {"multi_step", "cosine", "none"};
    double milestones[DET_CONFIG_LIST_MAX];
    struct det_config config;
    det_config_defaults(&config);
    config.optimizer_lr = case_number(c, "lr");
    config.schedule_steps = case_int(c, "steps");
    config.schedule_warmup_steps = case_int(c, "warmup_steps");
    config.schedule_warmup_factor = case_number(c, "warmup_factor");
    config.schedule_decay = choice(c, "decay", decays, 3);
    config.schedule_gamma = case_number(c, "gamma");
    config.schedule_milestones.n = case_numbers(c, "milestones", DET_CONFIG_LIST_MAX, milestones);
    memcpy(config.schedule_milestones.at, milestones, sizeof milestones);
    size_t n = config.schedule_steps > 0 ? (size_t)config.schedule_steps : 0;
    double *lr = case_host(c, n * sizeof *lr);
    for (size_t t = 0; lr && t < n; t++)
        lr[t] = det_learning_rate(&config, (int64_t)t);
    case_check_numbers(c, "out.lr", lr, n, 1e-12); /* doubles on both sides */
}

static void loss_scaler(struct verify_case *c)
{
    int n;
    case_shape(c, "in.found_inf", 1, &n);
    struct det_loss_scaler scaler = {.scale = case_number(c, "init"),
                                     .growth = case_number(c, "growth"),
                                     .backoff = case_number(c, "backoff"),
                                     .interval = case_int(c, "interval")};
    const int64_t *found_inf = case_host_int64s(c, "in.found_inf", (size_t)n);
    double *scale = case_host(c, (size_t)n * sizeof *scale);
    for (int i = 0; i < n && !case_failed(c); i++) {
        det_loss_scaler_update(&scaler, found_inf[i] != 0);
        scale[i] = scaler.scale;
    }
    case_check_numbers(c, "out.scale", scale, (size_t)n, 0.0); /* powers of two: exact */
}

static void round_bf16(struct verify_case *c)
{
    int n;
    case_shape(c, "in.x", 1, &n);
    const float *x = case_floats(c, "in.x", (size_t)n);
    float *y = case_blank(c, (size_t)n);
    if (case_failed(c))
        return;
    c->dev->ops->round_bf16(c->dev, (size_t)n, x, y);
    if (c->dev->ops->synchronize(c->dev, &c->err))
        return;
    const float *host = case_download(c, y, (size_t)n);
    case_check_floats(c, "out.y", host, (size_t)n, 0.0); /* rounding is exact or wrong */
}

const struct verify_op verify_optimizer[] = {
    {"sgd", sgd, 0},
    {"adamw", adamw, 0},
    {"clip_grad_norm", clip_grad_norm, 0},
    {"learning_rate", learning_rate, 1},
    {"loss_scaler", loss_scaler, 1},
    {"round_bf16", round_bf16, 0},
    {NULL, NULL, 0},
};
