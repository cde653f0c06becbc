/* Other trainers' names for what our log has. */
#include "harness/foreign/foreign_run.h"
#include "harness/log/run_log_fields.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int foreign_put(const struct run_log_field *field, int element, double number, void *record)
{
    void *at = (char *)record + field->offset;
    switch (field->type) {
    case RUN_LOG_NUMBER:
        *(double *)at = number;
        return 1;
    case RUN_LOG_SHARE:
        if (isnan(number))
            return 0;
        *(double *)at = number;
        return 1;
    case RUN_LOG_FLAG:
        *(int *)at = number != 0;
        return 1;
    case RUN_LOG_INT:
    case RUN_LOG_LADDER:
        if (!(number >= 0 && number < 1e15))
            return 0;
        ((int64_t *)at)[element] = (int64_t)ceil(number);
        return 1;
    default:
        return 0;
    }
}

/* ---- parts of one thing ---- */

/* "s1.", "d3.", "stage1/": a prefix that numbers a part. 0 without one. */
static size_t part_prefix(const char *key)
{
    size_t digits = 0, start = 0;
    if (strncmp(key, "stage", 5) == 0)
        start = 5;
    else if (key[0] == 's' || key[0] == 'd')
        start = 1;
    else
        return 0;
    while (isdigit((unsigned char)key[start + digits]))
        digits++;
    char stop = key[start + digits];
    return digits && stop == (start == 5 ? '/' : '.') ? start + digits + 1 : 0;
}

/* The key without what numbers its part; whether there was something. */
static int plain_key(const char *key, char *out, size_t size)
{
    size_t prefix = part_prefix(key);
    snprintf(out, size, "%s", key + prefix);
    char *suffix = strstr(out, "_stage");
    if (suffix && suffix[6] && suffix[6 + strspn(suffix + 6, "0123456789")] == '\0') {
        *suffix = '\0';
        return 1;
    }
    return prefix > 0;
}

static const struct foreign_name *find_name(const struct foreign_name *names, size_t n,
                                            const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i].theirs, key) == 0)
            return &names[i];
    return NULL;
}

int foreign_take_step(const struct foreign_row *row, const struct foreign_name *names, size_t n,
                      struct run_log_step *step)
{
    size_t n_fields;
    const struct run_log_field *fields = run_log_step_fields(&n_fields);
    int taken = 0;
    for (size_t i = 0; i < row->n; i++) {
        char key[128];
        const struct foreign_value *value = &row->at[i];
        int part = plain_key(value->key, key, sizeof key);
        const struct foreign_name *name = find_name(names, n, key);
        if (!name || value->kind != FOREIGN_NUMBER)
            continue;
        const struct run_log_field *field = run_log_find(fields, n_fields, name->ours);
        double number = value->number * name->scale;
        if (part && strncmp(name->ours, "loss_", 5) == 0 && run_log_has(field, step))
            number += *(double *)((char *)step + field->offset);
        taken += foreign_put(field, 0, number, step);
    }
    return taken;
}

/* ---- evaluations ---- */

int foreign_row_suffix(const struct foreign_row *row, const char *theirs, double *out)
{
    size_t length = strlen(theirs);
    for (size_t i = 0; i < row->n; i++) {
        const char *key = row->at[i].key;
        size_t size = strlen(key);
        if (row->at[i].kind != FOREIGN_NUMBER || size < length ||
            strcmp(key + size - length, theirs) != 0 ||
            (size > length && key[size - length - 1] != '/'))
            continue;
        *out = row->at[i].number;
        return 1;
    }
    return 0;
}

int foreign_take_eval(const struct foreign_row *row, const struct foreign_name *names, size_t n,
                      struct run_log_eval *eval)
{
    size_t n_fields;
    const struct run_log_field *fields = run_log_eval_fields(&n_fields);
    int taken = 0;
    double number;
    for (size_t i = 0; i < n; i++)
        if (foreign_row_suffix(row, names[i].theirs, &number) && number >= 0)
            taken += foreign_put(run_log_find(fields, n_fields, names[i].ours), 0,
                                 number * names[i].scale, eval);
    return taken;
}

void foreign_nothing_predicted(struct run_log_eval *eval)
{
    eval->box_ap = eval->box_ap50 = 0;
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
        if (run_log_thresholds[t] >= 0.5)
            eval->detections[t] = 0;
}
