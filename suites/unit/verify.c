/* The comparator that everything else is judged by: it must pass what agrees, fail what does not,
 * and take nothing that it could not compare for an agreement. */
#include "harness/verify/verify.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct det_device *dev;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/verify-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/any.safetensors", folder);
    cr_assert_eq(det_cpu_backend()->open(2, &dev, NULL), DET_OK);
}

static void tear_down(void)
{
    dev->ops->close(dev);
    unlink(path);
    rmdir(folder);
}

TestSuite(verify, .init = set_up, .fini = tear_down);

/* ---- numbers ---- */

Test(verify, numbers_against_answers)
{
    const struct {
        const char *name;
        double got[3], want[3];
        int pass;
    } cases[] = {
        {"equal", {1, 2, 3}, {1, 2, 3}, 1},
        {"within 1e-3 of 1", {0.0009, 0, 0}, {0, 0, 0}, 1},
        {"beyond it", {0.0011, 0, 0}, {0, 0, 0}, 0},
        /* the tolerance grows with the largest answer: 1e-3 * 100 */
        {"within a tenth of 100", {100, 0, 0.09}, {100, 0, 0}, 1},
        {"beyond a tenth of 100", {100, 0, 0.11}, {100, 0, 0}, 0},
        {"NaN for a number", {1, NAN, 3}, {1, 2, 3}, 0},
        {"a number for NaN", {1, 2, 3}, {1, NAN, 3}, 0},
        {"NaN for NaN", {1, NAN, 3}, {1, NAN, 3}, 1},
        {"inf for inf", {INFINITY, 0, 0}, {INFINITY, 0, 0}, 1},
        {"-inf for inf", {-INFINITY, 0, 0}, {INFINITY, 0, 0}, 0},
        {"inf for a number", {INFINITY, 0, 0}, {1, 0, 0}, 0},
        /* an infinite answer must not make the tolerance infinite */
        {"a wrong number beside inf", {INFINITY, 1, 0}, {INFINITY, 2, 0}, 0},
        {"NaN after a worse number", {9, NAN, 3}, {1, 2, 3}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct comparison result = compare_numbers(cases[i].got, cases[i].want, 3, 1e-3);
        cr_expect_eq(result.pass, cases[i].pass, "%s: pass %d, error %g of %g", cases[i].name,
                     result.pass, result.error, result.tolerance);
    }
    struct comparison none = compare_numbers(NULL, NULL, 0, 1e-3);
    cr_expect(none.pass && none.at == -1, "no numbers");
}

/* ---- files ---- */

/* A vector of `linear`, y = x w^T without bias, by hand: x = [1 2; 3 4], w = [5 6], dy = [1; -1]:
 * y = [17; 39], dx = [5 6; -5 -6], dw = dy^T x = [-2 -2]. */
static const double x[4] = {1, 2, 3, 4}, w[2] = {5, 6}, dy[2] = {1, -1};
static const double y[2] = {17, 39}, dx[4] = {5, 6, -5, -6}, dw[2] = {-2, -2};

static struct det_named_tensor matrix(const char *name, int rows, int columns, const double *data)
{
    return (struct det_named_tensor){
        name, DET_F64, 2, {rows, columns}, data, (size_t)(rows * columns) * sizeof *data};
}

static void linear_vector(struct det_named_tensor out[6])
{
    out[0] = matrix("in.x", 2, 2, x);
    out[1] = matrix("in.weight", 1, 2, w);
    out[2] = matrix("in.dy", 2, 1, dy);
    out[3] = matrix("out.y", 2, 1, y);
    out[4] = matrix("grad.x", 2, 2, dx);
    out[5] = matrix("grad.weight", 1, 2, dw);
}

static void write_vector(const struct det_named_tensor *tensors, size_t n, const char *op,
                         const char *params)
{
    const char *keys[] = {"op", "params"}, *values[] = {op, params};
    cr_assert_eq(det_safetensors_write(path, tensors, n, keys, values, 2, NULL), DET_OK);
}

/* Run what is at `path`; the worst tensor's name, or the error's message, must contain `says`. */
static void expect(const char *name, enum verify_status want, const char *says)
{
    struct verify_case c = {0};
    enum verify_status got = verify_file(path, dev, &c);
    const struct comparison *worst = verify_worst(&c);
    const char *text = got == VERIFY_ERROR ? c.err.message : worst ? worst->tensor : "";
    cr_expect_eq(got, want, "%s: status %d, want %d (%s)", name, got, want, text);
    cr_expect(strstr(text, says), "%s: \"%s\" lacks \"%s\"", name, text, says);
    case_close(&c);
}

Test(verify, a_right_vector_passes)
{
    struct det_named_tensor t[6];
    linear_vector(t);
    write_vector(t, 6, "linear", "{}");
    expect("right", VERIFY_PASS, "");
}

Test(verify, every_answer_can_fail)
{
    const double scales[] = {1.0 + 1e-3, -1.0, 0.0, NAN};
    for (int which = 3; which < 6; which++)
        for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
            struct det_named_tensor t[6];
            double changed[4];
            char name[64];
            linear_vector(t);
            int n = (int)det_tensor_elements(&t[which]);
            memcpy(changed, t[which].data, t[which].bytes);
            changed[n - 1] *= scales[s];
            t[which].data = changed;
            write_vector(t, 6, "linear", "{}");
            snprintf(name, sizeof name, "%s times %g", t[which].name, scales[s]);
            expect(name, VERIFY_FAIL, t[which].name);
        }
}

Test(verify, nothing_is_left_out)
{
    struct det_named_tensor t[7];
    linear_vector(t);
    write_vector(t, 5, "linear", "{}");
    expect("an answer that is not there", VERIFY_FAIL, "grad.weight");
    t[6] = matrix("out.more", 2, 1, y);
    write_vector(t, 7, "linear", "{}");
    expect("an answer that nothing is compared with", VERIFY_FAIL, "out.more");
    t[3] = matrix("out.y", 1, 1, y);
    write_vector(t, 6, "linear", "{}");
    expect("an answer of another size", VERIFY_FAIL, "out.y");
}

Test(verify, what_cannot_be_run_is_named)
{
    struct det_named_tensor t[6];
    linear_vector(t);
    write_vector(t, 6, "no_such_op", "{}");
    expect("an unknown operation", VERIFY_ERROR, "no_such_op");
    write_vector(t, 6, "linear", "{");
    expect("params that are no JSON", VERIFY_ERROR, "params");
    write_vector(t, 6, "conv2d", "{\"stride\": 1, \"padding\": 0}");
    expect("another operation's tensors", VERIFY_ERROR, "in.x");
    write_vector(t + 1, 5, "linear", "{}");
    expect("an input that is not there", VERIFY_ERROR, "in.x");
    write_vector(t, 6, "group_norm", "{\"groups\": \"two\"}");
    expect("a parameter that is missing or of another type", VERIFY_ERROR, path);
    cr_assert_eq(det_safetensors_write(path, t, 6, NULL, NULL, 0, NULL), DET_OK);
    expect("no operation", VERIFY_ERROR, "__metadata__.op");
    cr_assert_eq(truncate(path, 100), 0);
    expect("half a file", VERIFY_ERROR, "truncated");
    unlink(path);
    expect("no file", VERIFY_ERROR, path);
}

/* The arrays of `size` rows say size, whatever they were planned for. */
Test(verify, empty_tensors)
{
    struct det_named_tensor t[6];
    linear_vector(t);
    const double none[1] = {0};
    t[0] = matrix("in.x", 0, 2, none);
    t[2] = matrix("in.dy", 0, 1, none);
    t[3] = matrix("out.y", 0, 1, none);
    t[4] = matrix("grad.x", 0, 2, none);
    const double zero[2] = {0, 0};
    t[5] = matrix("grad.weight", 1, 2, zero);
    write_vector(t, 6, "linear", "{}");
    expect("no rows", VERIFY_PASS, "");
}

Test(verify, folders_are_walked_in_order)
{
    const char *names[] = {"b.safetensors", "a", "a/z.safetensors", "a/y.safetensors", "notes.txt"};
    char at[5][128], **paths = NULL;
    size_t n = 0;
    for (int i = 0; i < 5; i++) {
        snprintf(at[i], sizeof at[i], "%s/%s", folder, names[i]);
        FILE *file = i == 1 ? NULL : fopen(at[i], "w");
        cr_assert(i == 1 ? !mkdir(at[i], 0777) : file && !fclose(file));
    }
    cr_assert_eq(verify_list(folder, &paths, &n, NULL), DET_OK);
    cr_assert_eq(n, 3u, "%zu files", n);
    cr_expect_str_eq(paths[0], at[3]);
    cr_expect_str_eq(paths[1], at[2]);
    cr_expect_str_eq(paths[2], at[0]);
    verify_free_paths(paths, n);
    for (int i = 0; i < 5; i++)
        if (i != 1 && i != 4)
            unlink(at[i]);
    struct det_error err = {0};
    cr_expect_eq(verify_list(folder, &paths, &n, &err), DET_INVALID, "nothing to verify");
    rmdir(at[1]);
    unlink(at[4]);
}
