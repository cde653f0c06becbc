#include "harness/verify/verify.h"

#include <math.h>
#include <string.h>

const struct verify_op *verify_find(const char *name)
{
    const struct verify_op *const families[] = {verify_layers,    verify_boxes, verify_losses,
                                                verify_optimizer, verify_model, verify_trajectory};
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (const struct verify_op *op = families[f]; op->name; op++)
            if (!strcmp(op->name, name))
                return op;
    return NULL;
}

static int is_answer(const char *name)
{
    return !strncmp(name, "out.", 4) || !strncmp(name, "grad.", 5) || !strncmp(name, "eval.", 5) ||
           !strncmp(name, "final.", 6);
}

/* An answer that the operation did not look at must not pass for a verified one. */
static void check_all_compared(struct verify_case *c)
{
    for (size_t i = 0; i < det_safetensors_count(c->file) && !case_failed(c); i++) {
        const char *name = det_safetensors_at(c->file, i)->name;
        if (is_answer(name) && !case_compared(c, name))
            case_add(c, (struct comparison){
                            .tensor = name, .at = -1, .error = NAN, .note = "not compared"});
    }
    if (!c->n_comparisons && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "no answers in the file");
}

static enum verify_status run(const struct verify_op *op, struct verify_case *c)
{
    if (op->host_only && strcmp(c->dev->ops->name, "cpu") != 0)
        return VERIFY_SKIP;
    op->run(c);
    check_all_compared(c);
    if (case_failed(c))
        return VERIFY_ERROR;
    for (size_t i = 0; i < c->n_comparisons; i++)
        if (!c->comparisons[i].pass)
            return VERIFY_FAIL;
    return VERIFY_PASS;
}

enum verify_status verify_file(const char *path, struct det_device *dev, struct verify_case *c)
{
    struct det_error err = {0};
    if (case_open(path, dev, c, &err)) {
        c->err = err;
        return VERIFY_ERROR;
    }
    const struct verify_op *op = verify_find(c->op);
    enum verify_status status = VERIFY_ERROR;
    if (op)
        status = run(op, c);
    else
        det_fail(&c->err, DET_INVALID, "unknown operation %s", c->op);
    if (status == VERIFY_ERROR)
        det_fail_in(&c->err, c->err.code, path);
    return status;
}

/* Error in units of the tolerance; exact comparisons (tolerance 0) count by their error. */
static double badness(const struct comparison *comparison)
{
    if (isnan(comparison->error))
        return INFINITY;
    return comparison->tolerance > 0.0 ? comparison->error / comparison->tolerance
                                       : comparison->error;
}

const struct comparison *verify_worst(const struct verify_case *c)
{
    const struct comparison *worst = NULL;
    for (size_t i = 0; i < c->n_comparisons; i++) {
        const struct comparison *next = &c->comparisons[i];
        int replaces = !worst || (worst->pass && !next->pass) ||
                       (worst->pass == next->pass && badness(next) > badness(worst));
        if (replaces)
            worst = next;
    }
    return worst;
}
