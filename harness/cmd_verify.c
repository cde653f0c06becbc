/* detcheck verify PATH... */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/path_list.h"
#include "harness/verify/verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *backend;
    int threads;
    int json;
    struct path_list paths;
};

static const struct argp_option option_table[] = {
    {"backend", 'b', "NAME", 0, "cpu (default) or cuda", 0},
    {"threads", 't', "N", 0, "CPU workers; 0 = all cores (default)", 0},
    {"json", 'j', NULL, 0, "one JSON object: every case, every tensor", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    char *end = NULL;
    switch (key) {
    case 'b':
        options->backend = arg;
        return 0;
    case 't':
        options->threads = (int)strtol(arg, &end, 10);
        if (*arg == '\0' || *end != '\0' || options->threads < 0 || options->threads > 256)
            argp_error(state, "--threads %s: not a number of 0 to 256", arg);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        path_list_add(&options->paths, arg, state);
        return 0;
    case ARGP_KEY_END:
        path_list_check(&options->paths, "no path given: a vector file, or a folder of them",
                        state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .args_doc = "PATH...",
    .doc = "Run oracle vectors (safetensors files, or folders of them) through the detector's own "
           "operations and compare: one line a case with its worst tensor, its error and its "
           "tolerance.\vExit status 0 where all are within tolerance, 1 where one is not, 2 where "
           "a file cannot be read or names an operation that the detector has not.",
};

/* ---- reports ---- */

struct tally {
    int count[VERIFY_ERROR + 1];
    struct det_error first; /* the first file that could not be run */
    json_t *cases;          /* with --json, else NULL */
};

static const char *const status_names[] = {[VERIFY_PASS] = "pass",
                                           [VERIFY_FAIL] = "FAIL",
                                           [VERIFY_SKIP] = "skip",
                                           [VERIFY_ERROR] = "ERROR"};

/* "conv2d-01" of "ops/conv2d-01.safetensors" */
static void case_name(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, size, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out)
        *dot = '\0';
}

static void print_worst(const struct comparison *worst)
{
    if (worst->note)
        printf(" %-34s %s", worst->tensor, worst->note);
    else
        printf(" %-34s error %.2e of %.2e", worst->tensor, worst->error, worst->tolerance);
    if (!worst->pass && worst->at >= 0)
        printf("  at %" PRId64 ": got %.9g, want %.9g", worst->at, worst->got, worst->want);
}

static void print_case(const char *path, const struct verify_case *c, enum verify_status status)
{
    char name[256];
    case_name(path, name, sizeof name);
    printf("%-5s %-18s %-22s", status_names[status], c->op ? c->op : "?", name);
    const struct comparison *worst = verify_worst(c);
    if (status == VERIFY_ERROR)
        printf(" %s", c->err.message);
    else if (status == VERIFY_SKIP)
        printf(" a part of larger operations on this backend: model_step covers it");
    else if (worst)
        print_worst(worst);
    putchar('\n');
    if (c->remark[0])
        printf("      %s\n", c->remark);
    fflush(stdout);
}

/* JSON has no NaN: such an error is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *comparison_json(const struct comparison *t)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:I, s:o, s:o, s:s*}", "tensor", t->tensor, "pass",
                     t->pass, "error", number(t->error), "tolerance", number(t->tolerance), "at",
                     (json_int_t)t->at, "got", number(t->got), "want", number(t->want), "note",
                     t->note);
}

static json_t *case_json(const char *path, const struct verify_case *c, enum verify_status status)
{
    char name[256];
    case_name(path, name, sizeof name);
    json_t *tensors = json_array();
    for (size_t i = 0; i < c->n_comparisons; i++)
        json_array_append_new(tensors, comparison_json(&c->comparisons[i]));
    const struct comparison *worst = verify_worst(c);
    return json_pack("{s:s, s:s, s:s*, s:s, s:s*, s:s*, s:s*, s:o}", "path", path, "case", name,
                     "op", c->op, "status", status_names[status], "message",
                     status == VERIFY_ERROR ? c->err.message : NULL, "remark",
                     c->remark[0] ? c->remark : NULL, "worst", worst ? worst->tensor : NULL,
                     "tensors", tensors);
}

static void print_summary(const struct tally *tally)
{
    printf("%d passed, %d failed", tally->count[VERIFY_PASS], tally->count[VERIFY_FAIL]);
    if (tally->count[VERIFY_SKIP])
        printf(", %d skipped", tally->count[VERIFY_SKIP]);
    if (tally->count[VERIFY_ERROR])
        printf(", %d not run", tally->count[VERIFY_ERROR]);
    putchar('\n');
}

static void print_json(const struct tally *tally, const char *backend)
{
    json_t *all = json_pack("{s:s, s:i, s:i, s:i, s:i, s:O}", "backend", backend, "passed",
                            tally->count[VERIFY_PASS], "failed", tally->count[VERIFY_FAIL],
                            "skipped", tally->count[VERIFY_SKIP], "errors",
                            tally->count[VERIFY_ERROR], "cases", tally->cases);
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(all);
}

/* ---- the run ---- */

static void verify_one(const char *path, struct det_device *dev, struct tally *tally)
{
    struct verify_case c = {0};
    enum verify_status status = verify_file(path, dev, &c);
    tally->count[status]++;
    if (status == VERIFY_ERROR && tally->count[VERIFY_ERROR] == 1)
        tally->first = c.err;
    if (tally->cases)
        json_array_append_new(tally->cases, case_json(path, &c, status));
    else
        print_case(path, &c, status);
    case_close(&c);
}

static enum det_code verify_path(const char *path, struct det_device *dev, struct tally *tally,
                                 struct det_error *err)
{
    char **files = NULL;
    size_t n = 0;
    enum det_code code = verify_list(path, &files, &n, err);
    if (code)
        return code;
    for (size_t i = 0; i < n; i++)
        verify_one(files[i], dev, tally);
    verify_free_paths(files, n);
    return DET_OK;
}

static int verify_all(const struct options *options, struct det_device *dev, struct det_error *err)
{
    struct tally tally = {.cases = options->json ? json_array() : NULL};
    enum det_code code = DET_OK;
    for (int i = 0; i < options->paths.n && !code; i++)
        code = verify_path(options->paths.at[i], dev, &tally, err);
    if (options->json)
        print_json(&tally, dev->ops->name);
    else
        print_summary(&tally);
    json_decref(tally.cases);
    if (!code && tally.count[VERIFY_ERROR]) {
        *err = tally.first;
        code = tally.first.code;
    }
    if (code)
        return code == DET_UNAVAILABLE ? STATUS_CANNOT_RUN : STATUS_BAD_INPUT;
    return tally.count[VERIFY_FAIL] ? STATUS_FAILED : STATUS_GOOD;
}

static int all_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}

int cmd_verify(int argc, char **argv, struct det_error *err)
{
    struct options options = {.backend = "cpu"};
    options_parse(&parser, argc, argv, &options);
    const struct det_backend *backend = NULL;
    struct det_device *dev = NULL;
    enum det_code code = det_backend_find(options.backend, &backend, err);
    if (!code)
        code = backend->open(options.threads ? options.threads : all_cores(), &dev, err);
    int status = exit_status_of(code);
    if (!code) {
        status = verify_all(&options, dev, err);
        backend->close(dev);
    }
    free(options.paths.at);
    return status;
}
