#include "harness/teacher/tolerances.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const built_in[] = { /* lines */
#include "tolerances.txt.inc"
};

static const struct {
    const char *name;
    size_t offset;
} quantities[] = {
    {"loss", offsetof(struct tolerances, loss)},
    {"value", offsetof(struct tolerances, value)},
    {"target", offsetof(struct tolerances, target)},
    {"gradient", offsetof(struct tolerances, gradient)},
    {"bias", offsetof(struct tolerances, bias)},
    {"grad_norm", offsetof(struct tolerances, grad_norm)},
    {"update", offsetof(struct tolerances, update)},
    {"kink", offsetof(struct tolerances, kink)},
    {"match", offsetof(struct tolerances, match)},
    {"nms", offsetof(struct tolerances, nms)},
    {"size", offsetof(struct tolerances, size)},
    {"level", offsetof(struct tolerances, level)},
};
#define QUANTITIES (sizeof quantities / sizeof *quantities)

static double *quantity(struct tolerances *t, size_t i)
{
    return (double *)((char *)t + quantities[i].offset);
}

struct row {
    char teacher[16], pupil[16], quantity[32];
    double tolerance;
    int why; /* a reason stands behind it */
};

/* "fp32 fp32 loss 1e-5 why ...": returns 0 for a blank line or a comment, -1 for a bad one. */
static int read_row(const char *line, struct row *row)
{
    int end = 0;
    line += strspn(line, " ");
    if (*line == '#' || *line == '\0')
        return 0;
    if (sscanf(line, "%15s %15s %31s %lf %n", row->teacher, row->pupil, row->quantity,
               &row->tolerance, &end) < 4)
        return -1;
    row->why = end > 0 && line[end] != '\0';
    return row->tolerance >= 0.0 && isfinite(row->tolerance) && row->why ? 1 : -1;
}

static enum det_code take_row(const struct row *row, const char *path, int line,
                              struct tolerances *out, struct det_error *err)
{
    for (size_t i = 0; i < QUANTITIES; i++) {
        if (strcmp(row->quantity, quantities[i].name) != 0)
            continue;
        if (!isnan(*quantity(out, i)))
            return det_fail(err, DET_INVALID, "%s:%d: %s: a second time", path, line,
                            row->quantity);
        *quantity(out, i) = row->tolerance;
        return DET_OK;
    }
    return det_fail(err, DET_INVALID, "%s:%d: %s: no such quantity", path, line, row->quantity);
}

static enum det_code read_text(const char *text, const char *path, const char *teacher,
                               const char *pupil, struct tolerances *out, struct det_error *err)
{
    char line[1024];
    enum det_code code = DET_OK;
    for (int number = 1; *text && code == DET_OK; number++) {
        size_t length = strcspn(text, "\n");
        struct row row;
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
        int kind = read_row(line, &row);
        if (kind < 0)
            return det_fail(err, DET_INVALID, "%s:%d: not `TEACHER PUPIL QUANTITY TOLERANCE why`",
                            path, number);
        if (kind && !strcmp(row.teacher, teacher) && !strcmp(row.pupil, pupil))
            code = take_row(&row, path, number, out, err);
    }
    return code;
}

/* The file's text, owned by the caller; NULL with err filled. */
static char *read_file(const char *path, struct det_error *err)
{
    enum { LARGEST = 1 << 20 };
    FILE *file = fopen(path, "r");
    char *text = file ? malloc(LARGEST) : NULL;
    size_t n = text ? fread(text, 1, LARGEST - 1, file) : 0;
    if (!file || !text || ferror(file)) {
        det_fail(err, DET_IO, "%s: %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (text)
        text[n] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* The lines that are built in as one text, owned by the caller; NULL with err filled. */
static char *join_built_in(struct det_error *err)
{
    size_t lines = sizeof built_in / sizeof *built_in, length = 0;
    for (size_t i = 0; i < lines; i++)
        length += strlen(built_in[i]);
    char *text = malloc(length + 1), *to = text;
    if (!text)
        det_fail(err, DET_NO_MEMORY, "tolerances: %zu bytes", length);
    for (size_t i = 0; text && i < lines; i++)
        to = stpcpy(to, built_in[i]);
    return text;
}

enum det_code tolerances_read(const char *path, const char *teacher, const char *pupil,
                              struct tolerances *out, struct det_error *err)
{
    char *text = path ? read_file(path, err) : join_built_in(err);
    if (!text)
        return path ? DET_IO : DET_NO_MEMORY;
    for (size_t i = 0; i < QUANTITIES; i++)
        *quantity(out, i) = NAN;
    const char *name = path ? path : "tolerances.txt";
    enum det_code code = read_text(text, name, teacher, pupil, out, err);
    free(text);
    for (size_t i = 0; i < QUANTITIES && code == DET_OK; i++)
        if (isnan(*quantity(out, i)))
            code = det_fail(err, DET_INVALID, "%s: no tolerance of %s for a teacher in %s and a "
                            "pupil in %s", name, quantities[i].name, teacher, pupil);
    return code;
}

/* A place changes where two logits differ by no more than both may have moved. */
void tolerances_limits(const struct tolerances *t, double logits_rms, double limits[FLIP_KINDS])
{
    limits[FLIP_ANCHOR] = limits[FLIP_ROI] = t->match;
    limits[FLIP_RANK] = 2.0 * t->value * logits_rms;
    limits[FLIP_NMS] = t->nms;
    limits[FLIP_SIZE] = t->size;
    limits[FLIP_ROI_LEVEL] = t->level;
    limits[FLIP_RELU] = limits[FLIP_MAXIMUM] = t->kink;
    limits[FLIP_CLIP] = t->grad_norm;
    limits[FLIP_SKIP] = 0.0;
}
