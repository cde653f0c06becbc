#include "harness/sweep/study.h"

#include "fixtures/yaml_file.h"
#include "harness/program/config_file.h"
#include "harness/judge/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_MAX 64

struct settings { /* "key=value" texts of one variant */
    char text[SETTINGS_MAX][DET_CONFIG_TEXT_MAX];
    const char *at[SETTINGS_MAX];
    size_t n;
};

struct reader {
    const struct yaml_file *file;
    struct study *study;
    struct settings *base, *own; /* own: [STUDY_VARIANTS_MAX] */
};

static enum det_code refuse(const struct reader *r, const struct yaml_entry *e, const char *what,
                            struct det_error *err)
{
    return det_fail(err, DET_INVALID, "%s:%d: %s: %s", yaml_file_name(r->file), e->line, e->path,
                    what);
}

static enum det_code add_setting(const struct reader *r, struct settings *to, const char *key,
                                 const struct yaml_entry *e, struct det_error *err)
{
    if (to->n == SETTINGS_MAX)
        return refuse(r, e, "too many keys", err);
    char *text = to->text[to->n];
    if (snprintf(text, DET_CONFIG_TEXT_MAX, "%s=%s", key, e->value) >= DET_CONFIG_TEXT_MAX)
        return refuse(r, e, "the value is too long", err);
    to->at[to->n] = text;
    to->n++;
    return DET_OK;
}

static enum det_code take_text(const struct reader *r, const struct yaml_entry *e, char *to,
                               size_t size, struct det_error *err)
{
    return snprintf(to, size, "%s", e->value) < (int)size ? DET_OK
                                                          : refuse(r, e, "the text is too long", err);
}

static enum det_code take_verdict(const struct reader *r, const struct yaml_entry *e, char *to,
                                  size_t size, struct det_error *err)
{
    for (int kind = 0; kind <= VERDICT_INCOMPLETE; kind++)
        if (strcmp(e->value, verdict_name(kind)) == 0)
            return take_text(r, e, to, size, err);
    char what[64 + DET_CONFIG_TEXT_MAX];
    snprintf(what, sizeof what, "%s is no verdict: healthy, collapsed, diverged, ...", e->value);
    return refuse(r, e, what, err);
}

static enum det_code take_variant_key(const struct reader *r, int index, const char *key,
                                      const struct yaml_entry *e, struct det_error *err)
{
    struct study_variant *v = &r->study->variants[index];
    if (strncmp(key, "set.", 4) == 0)
        return add_setting(r, &r->own[index], key + 4, e, err);
    if (strcmp(key, "name") == 0)
        return take_text(r, e, v->name, sizeof v->name, err);
    if (strcmp(key, "about") == 0)
        return take_text(r, e, v->about, sizeof v->about, err);
    if (strcmp(key, "expect") == 0)
        return take_verdict(r, e, v->expect, sizeof v->expect, err);
    if (strcmp(key, "seeds") != 0)
        return refuse(r, e, "unknown key; a variant has name, about, seeds, expect, set", err);
    char *end;
    long seeds = strtol(e->value, &end, 10);
    if (end == e->value || *end || seeds < 1 || seeds > 1000)
        return refuse(r, e, "not a whole number in 1..1000", err);
    v->seeds = (int)seeds;
    return DET_OK;
}

static enum det_code take_variant(const struct reader *r, const struct yaml_entry *e,
                                  struct det_error *err)
{
    char *rest;
    long index = strtol(e->path + strlen("variants."), &rest, 10);
    if (*rest != '.' || index < 0 || index >= STUDY_VARIANTS_MAX)
        return refuse(r, e, "expected a list of variants, at most 64", err);
    if (index >= r->study->n_variants)
        r->study->n_variants = (int)index + 1;
    return take_variant_key(r, (int)index, rest + 1, e, err);
}

static enum det_code take_entry(const struct reader *r, const struct yaml_entry *e,
                                struct det_error *err)
{
    if (strncmp(e->path, "variants.", 9) == 0)
        return take_variant(r, e, err);
    if (strncmp(e->path, "base.", 5) == 0)
        return add_setting(r, r->base, e->path + 5, e, err);
    if (strcmp(e->path, "about") == 0)
        return take_text(r, e, r->study->about, sizeof r->study->about, err);
    if (strcmp(e->path, "closed_form_p") != 0)
        return refuse(r, e, "unknown key; a study has about, closed_form_p, base, variants", err);
    char *end;
    r->study->closed_form_p = strtod(e->value, &end);
    if (*end || !(r->study->closed_form_p > 0.0 && r->study->closed_form_p < 1.0))
        return refuse(r, e, "not a share between 0 and 1", err);
    return DET_OK;
}

/* A variant's name is that of its runs' folder. */
static enum det_code check_name(const struct reader *r, int index, struct det_error *err)
{
    const char *file = yaml_file_name(r->file);
    const char *name = r->study->variants[index].name;
    if (!name[0])
        return det_fail(err, DET_INVALID, "%s: variant %d has no name", file, index);
    if (strchr(name, '/') || name[0] == '.')
        return det_fail(err, DET_INVALID, "%s: variant %s: the name is no folder's", file, name);
    for (int i = 0; i < index; i++)
        if (strcmp(r->study->variants[i].name, name) == 0)
            return det_fail(err, DET_INVALID, "%s: two variants are named %s", file, name);
    return DET_OK;
}

static enum det_code resolve(const struct reader *r, int index, const char *const *settings,
                             size_t n_settings, struct det_error *err)
{
    struct study_variant *v = &r->study->variants[index];
    const char *all[3 * SETTINGS_MAX];
    size_t n = 0;
    if (n_settings > SETTINGS_MAX)
        return det_fail(err, DET_INVALID, "more than %d --set options", SETTINGS_MAX);
    for (size_t i = 0; i < r->base->n; i++)
        all[n++] = r->base->at[i];
    for (size_t i = 0; i < r->own[index].n; i++)
        all[n++] = r->own[index].at[i];
    for (size_t i = 0; i < n_settings; i++)
        all[n++] = settings[i];
    enum det_code code = check_name(r, index, err);
    if (code != DET_OK)
        return code;
    code = config_load(NULL, all, n, &v->config, err);
    v->config.threads = 1; /* the runs themselves are what goes on side by side */
    return code == DET_OK ? code : det_fail_in(err, code, v->name);
}

static enum det_code read_entries(const struct reader *r, const char *const *settings,
                                  size_t n_settings, struct det_error *err)
{
    enum det_code code = DET_OK;
    for (size_t i = 0; i < yaml_file_count(r->file) && code == DET_OK; i++)
        code = take_entry(r, yaml_file_at(r->file, i), err);
    if (code == DET_OK && r->study->n_variants == 0)
        code = det_fail(err, DET_INVALID, "%s: no variants", yaml_file_name(r->file));
    for (int i = 0; i < r->study->n_variants && code == DET_OK; i++)
        code = resolve(r, i, settings, n_settings, err);
    return code;
}

static void name_after(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = '\0';
}

enum det_code study_read(const char *path, const char *const *settings, size_t n_settings,
                         struct study *out, struct det_error *err)
{
    struct yaml_file *file;
    struct reader r = {.study = out};
    enum det_code code = yaml_file_open(path, &file, err);
    if (code != DET_OK)
        return code;
    memset(out, 0, sizeof *out);
    name_after(path, out->name, sizeof out->name);
    out->closed_form_p = -1.0;
    for (int i = 0; i < STUDY_VARIANTS_MAX; i++)
        out->variants[i].seeds = 2;
    r.file = file;
    r.base = calloc(1, sizeof *r.base);
    r.own = calloc(STUDY_VARIANTS_MAX, sizeof *r.own);
    if (r.base && r.own)
        code = read_entries(&r, settings, n_settings, err);
    else
        code = det_fail(err, DET_NO_MEMORY, "%s: no memory", path);
    free(r.base);
    free(r.own);
    yaml_file_close(file);
    return code;
}
