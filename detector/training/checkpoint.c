/* Checkpoints: safetensors with torchvision's names. The optimiser's state stands beside the weights
 * as "optimizer.state1.<name>" and "optimizer.state2.<name>"; counters are metadata. */
#include "detector/base/safetensors.h"
#include "detector/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LENGTH 128

static const char *const state_prefix[2] = {"optimizer.state1.", "optimizer.state2."};

static float *state_of(const struct det_parameter *p, int which)
{
    return which ? p->state2 : p->state1;
}

/* ---- saving ---- */

struct snapshot {
    struct det_named_tensor *tensors;
    char (*names)[NAME_LENGTH];
    float *data;
    size_t n, floats;
};

static void add(struct snapshot *s, struct det_model *m, const struct det_parameter *p,
                const char *prefix, const float *device)
{
    struct det_named_tensor *t = &s->tensors[s->n];
    float *host = s->data + s->floats;
    snprintf(s->names[s->n], NAME_LENGTH, "%s%s", prefix, p->name);
    m->dev->ops->download(m->dev, host, device, p->size * sizeof *host);
    *t = (struct det_named_tensor){.name = s->names[s->n], .dtype = DET_F32, .n_dims = p->n_dims,
                                   .data = host, .bytes = p->size * sizeof *host};
    for (int i = 0; i < p->n_dims; i++)
        t->dims[i] = p->dims[i];
    s->n++;
    s->floats += p->size;
}

static enum det_code take_snapshot(struct det_model *m, struct snapshot *s, struct det_error *err)
{
    size_t floats = m->params.value_floats + 2 * m->params.grad_floats;
    s->tensors = calloc(3 * m->params.n, sizeof *s->tensors);
    s->names = calloc(3 * m->params.n, sizeof *s->names);
    s->data = malloc(floats * sizeof *s->data);
    if (!s->tensors || !s->names || !s->data)
        return det_fail(err, DET_NO_MEMORY, "checkpoint: %zu bytes", floats * sizeof *s->data);
    for (size_t i = 0; i < m->params.n; i++)
        add(s, m, &m->params.slots[i].parameter, "", m->params.slots[i].parameter.value);
    for (int which = 0; which < 2; which++)
        for (size_t i = 0; i < m->params.n; i++) {
            const struct det_parameter *p = &m->params.slots[i].parameter;
            if (p->trainable && state_of(p, which))
                add(s, m, p, state_prefix[which], state_of(p, which));
        }
    return m->dev->ops->synchronize(m->dev, err); /* zeros of a lost device are no checkpoint */
}

enum det_code det_checkpoint_save(struct det_model *m, const char *path, int64_t step,
                                  struct det_error *err)
{
    struct snapshot s = {0};
    enum det_code code = take_snapshot(m, &s, err);
    if (code == DET_OK) {
        static const char *const keys[] = {"format", "step", "updates", "loss_scale",
                                           "loss_scale_clean"};
        char text[4][32];
        snprintf(text[0], sizeof text[0], "%lld", (long long)step);
        snprintf(text[1], sizeof text[1], "%lld", (long long)m->updates);
        snprintf(text[2], sizeof text[2], "%a", m->scaler.scale);
        snprintf(text[3], sizeof text[3], "%lld", (long long)m->scaler.clean);
        const char *values[] = {"pt", text[0], text[1], text[2], text[3]};
        code = det_safetensors_write(path, s.tensors, s.n, keys, values,
                                     sizeof keys / sizeof *keys, err);
    }
    free(s.tensors);
    free(s.names);
    free(s.data);
    return code;
}

/* ---- loading: everything is checked before anything is changed ---- */

static enum det_code check_tensor(const struct det_safetensors *file, const char *path,
                                  const char *name, const struct det_parameter *p,
                                  struct det_error *err)
{
    const struct det_named_tensor *t = det_safetensors_find(file, name);
    if (!t)
        return det_fail(err, DET_INVALID, "%s: tensor %s is missing", path, name);
    if (t->dtype != DET_F32)
        return det_fail(err, DET_INVALID, "%s: tensor %s is %s, not F32", path, name,
                        det_dtype_name(t->dtype));
    int same = t->n_dims == p->n_dims;
    for (int i = 0; same && i < p->n_dims; i++)
        same = t->dims[i] == p->dims[i];
    if (!same)
        return det_fail(err, DET_INVALID, "%s: tensor %s has %lld elements in %d dimensions, the "
                        "model's has %zu in %d: another model or class count", path, name,
                        (long long)det_tensor_elements(t), t->n_dims, p->size, p->n_dims);
    return DET_OK;
}

static enum det_code check_superfluous(struct det_model *m, const struct det_safetensors *file,
                                       const char *path, struct det_error *err)
{
    for (size_t i = 0; i < det_safetensors_count(file); i++) {
        const char *name = det_safetensors_at(file, i)->name;
        if (strncmp(name, "optimizer.", 10) != 0 && !det_model_find(m, name))
            return det_fail(err, DET_INVALID, "%s: tensor %s is not one of the model's", path, name);
    }
    return DET_OK;
}

static enum det_code check_file(struct det_model *m, const struct det_safetensors *file,
                                const char *path, int with_optimizer, struct det_error *err)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct det_parameter *p = &m->params.slots[i].parameter;
        enum det_code code = check_tensor(file, path, p->name, p, err);
        for (int which = 0; which < 2 && code == DET_OK; which++) {
            char name[NAME_LENGTH];
            snprintf(name, sizeof name, "%s%s", state_prefix[which], p->name);
            if (with_optimizer && p->trainable && state_of(p, which))
                code = check_tensor(file, path, name, p, err);
        }
        if (code != DET_OK)
            return code;
    }
    return check_superfluous(m, file, path, err);
}

static enum det_code read_counter(const struct det_safetensors *file, const char *path,
                                  const char *key, int64_t *out, struct det_error *err)
{
    const char *text = det_safetensors_metadata(file, key);
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : -1;
    if (!text || end == text || *end || value < 0)
        return det_fail(err, DET_INVALID, "%s: metadata %s is %s: not a training checkpoint", path,
                        key, text ? text : "missing");
    *out = value;
    return DET_OK;
}

static enum det_code read_scale(const struct det_safetensors *file, const char *path, double *out,
                                struct det_error *err)
{
    const char *text = det_safetensors_metadata(file, "loss_scale");
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0.0;
    if (!text || end == text || *end || !(value > 0.0))
        return det_fail(err, DET_INVALID, "%s: metadata loss_scale is %s", path,
                        text ? text : "missing");
    *out = value;
    return DET_OK;
}

static void copy_in(struct det_model *m, const struct det_safetensors *file, const char *prefix,
                    const struct det_parameter *p, float *to)
{
    char name[NAME_LENGTH];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    m->dev->ops->upload(m->dev, to, det_safetensors_find(file, name)->data, p->size * sizeof *to);
}

static void copy_all(struct det_model *m, const struct det_safetensors *file, int with_optimizer)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct det_parameter *p = &m->params.slots[i].parameter;
        copy_in(m, file, "", p, p->value);
        for (int which = 0; which < 2; which++)
            if (with_optimizer && p->trainable && state_of(p, which))
                copy_in(m, file, state_prefix[which], p, state_of(p, which));
    }
    det_parameters_round(&m->params, m->dev);
}

enum det_code det_checkpoint_load(struct det_model *m, const char *path, int with_optimizer,
                                  int64_t *step, struct det_error *err)
{
    struct det_safetensors *file;
    enum det_code code = det_safetensors_open(path, &file, err);
    if (code != DET_OK)
        return code;
    struct det_loss_scaler scaler = m->scaler;
    int64_t updates = m->updates;
    int64_t steps_done = 0;
    code = check_file(m, file, path, with_optimizer, err);
    if (code == DET_OK && with_optimizer &&
        ((code = read_counter(file, path, "step", &steps_done, err)) != DET_OK ||
         (code = read_counter(file, path, "updates", &updates, err)) != DET_OK ||
         (code = read_counter(file, path, "loss_scale_clean", &scaler.clean, err)) != DET_OK))
        goto done;
    if (code == DET_OK && with_optimizer)
        code = read_scale(file, path, &scaler.scale, err);
    if (code != DET_OK)
        goto done;
    copy_all(m, file, with_optimizer);
    m->scaler = scaler;
    m->updates = updates;
    if (step)
        *step = steps_done;
done:
    det_safetensors_close(file);
    return code;
}
