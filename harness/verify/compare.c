/* Answers compared: `!(error <= tolerance)` fails, so that a NaN can never pass for a number. */
#include "harness/verify/case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void case_add(struct verify_case *c, struct comparison comparison)
{
    struct comparison *more =
        realloc(c->comparisons, (c->n_comparisons + 1) * sizeof *c->comparisons);
    if (!more) {
        det_fail(&c->err, DET_NO_MEMORY, "a list of %zu comparisons", c->n_comparisons + 1);
        return;
    }
    c->comparisons = more;
    c->comparisons[c->n_comparisons++] = comparison;
}

int case_compared(const struct verify_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_comparisons; i++)
        if (!strcmp(c->comparisons[i].tensor, name))
            return 1;
    return 0;
}

/* Equal bits of meaning (also NaN and NaN, inf and inf) are an error of 0. */
static double distance(double got, double want)
{
    if (got == want || (isnan(got) && isnan(want)))
        return 0.0;
    return fabs(got - want);
}

struct comparison compare_numbers(const double *got, const double *want, size_t n,
                                  double relative_tolerance)
{
    double largest = 1.0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(want[i]) && fabs(want[i]) > largest)
            largest = fabs(want[i]);
    struct comparison worst = {.at = -1, .tolerance = relative_tolerance * largest};
    for (size_t i = 0; i < n && !isnan(worst.error); i++) { /* nothing is worse than a NaN */
        double error = distance(got[i], want[i]);
        if (worst.at >= 0 && error <= worst.error)
            continue;
        worst.at = (int64_t)i;
        worst.got = got[i];
        worst.want = want[i];
        worst.error = error;
    }
    worst.pass = worst.error <= worst.tolerance;
    return worst;
}

/* A comparison that could not be made, which is a failed one. */
static void refuse(struct verify_case *c, const char *name, const char *note)
{
    char *copy = case_host(c, strlen(name) + 1); /* callers make names up */
    if (copy)
        case_add(c, (struct comparison){
                        .tensor = strcpy(copy, name), .at = -1, .error = NAN, .note = note});
}

/* The answer of that name and size; where there is none, that is the comparison. */
static const struct det_named_tensor *answer(struct verify_case *c, const char *name,
                                             size_t elements)
{
    const struct det_named_tensor *tensor = det_safetensors_find(c->file, name);
    if (!tensor)
        refuse(c, name, "no such tensor in the file");
    else if ((size_t)det_tensor_elements(tensor) != elements)
        refuse(c, name, "another number of elements");
    else
        return tensor;
    return NULL;
}

/* Room that is freed again at once: a whole model's gradients come by here. */
static double *temporary(struct verify_case *c, size_t elements)
{
    double *room = case_failed(c) ? NULL : malloc((elements + 1) * sizeof *room);
    if (!room && !case_failed(c))
        det_fail(&c->err, DET_NO_MEMORY, "%zu numbers", elements);
    return room;
}

void case_check_numbers(struct verify_case *c, const char *name, const double *got, size_t elements,
                        double tolerance)
{
    const struct det_named_tensor *tensor = case_failed(c) ? NULL : answer(c, name, elements);
    double *want = tensor ? temporary(c, elements) : NULL;
    if (!want)
        return;
    det_tensor_to_double(tensor, want, &c->err);
    struct comparison result = compare_numbers(got, want, elements, tolerance);
    result.tensor = tensor->name;
    case_add(c, result);
    free(want);
}

void case_check_floats(struct verify_case *c, const char *name, const float *got, size_t elements,
                       double tolerance)
{
    double *wide = temporary(c, elements);
    for (size_t i = 0; wide && i < elements; i++)
        wide[i] = (double)got[i];
    case_check_numbers(c, name, wide, elements, tolerance);
    free(wide);
}

static double tolerance_of(double terms)
{
    return terms > CASE_LONG_SUM ? CASE_TOLERANCE_LONG_SUM : CASE_TOLERANCE;
}

void case_check(struct verify_case *c, const char *name, const float *got, size_t elements,
                double terms)
{
    if (case_failed(c) || c->dev->ops->synchronize(c->dev, &c->err))
        return;
    float *host = malloc((elements + 1) * sizeof *host);
    if (!host) {
        det_fail(&c->err, DET_NO_MEMORY, "%zu numbers", elements);
        return;
    }
    if (elements)
        c->dev->ops->download(c->dev, host, got, elements * sizeof *host);
    case_check_floats(c, name, host, elements, tolerance_of(terms));
    free(host);
}

void case_check_number(struct verify_case *c, const char *name, double got, double terms)
{
    case_check_numbers(c, name, &got, 1, tolerance_of(terms));
}

void case_check_int64s(struct verify_case *c, const char *name, const int64_t *got, size_t elements)
{
    const struct det_named_tensor *tensor = case_failed(c) ? NULL : answer(c, name, elements);
    int64_t *want = tensor ? case_host(c, elements * sizeof *want) : NULL;
    if (!want || det_tensor_to_int64(tensor, want, &c->err))
        return;
    struct comparison result = {.tensor = tensor->name, .pass = 1, .at = -1};
    for (size_t i = 0; i < elements && result.pass; i++) {
        if (got[i] == want[i])
            continue;
        result.pass = 0;
        result.at = (int64_t)i;
        result.got = (double)got[i];
        result.want = (double)want[i];
        result.error = fabs(result.got - result.want);
    }
    case_add(c, result);
}
