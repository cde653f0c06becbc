#include "harness/program/config_file.h"

#include "detector/base/file.h"
#include "fixtures/yaml_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRESET_KEY "model.preset"

/* ---- in -------------------------------------------------------------------------------------- */

static enum det_code set_preset(struct det_config *config, const char *value, struct det_error *err)
{
    enum det_code code = det_config_set(config, PRESET_KEY, value, err);
    if (code == DET_OK)
        det_config_apply_preset(config);
    return code;
}

/* "optimizer:" with every key under it commented out. */
static int is_empty_section(const struct yaml_entry *entry)
{
    size_t n, length = strlen(entry->path);
    const struct det_config_key *keys = det_config_keys(&n);

    if (entry->value[0] && strcmp(entry->value, "{}") != 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (strncmp(keys[i].name, entry->path, length) == 0 && keys[i].name[length] == '.')
            return 1;
    return 0;
}

static enum det_code fail_at_entry(const struct yaml_file *file, const struct yaml_entry *entry,
                                   struct det_error *err)
{
    char place[DET_ERROR_LENGTH];
    snprintf(place, sizeof place, "%s:%d", yaml_file_name(file), entry->line);
    return det_fail_in(err, DET_INVALID, place);
}

static enum det_code apply_file(struct det_config *config, const struct yaml_file *file,
                                struct det_error *err)
{
    size_t n = yaml_file_count(file);

    for (int preset_turn = 1; preset_turn >= 0; preset_turn--) {
        for (size_t i = 0; i < n; i++) {
            const struct yaml_entry *entry = yaml_file_at(file, i);
            if ((strcmp(entry->path, PRESET_KEY) == 0) != preset_turn || is_empty_section(entry))
                continue;
            enum det_code code = preset_turn
                                     ? set_preset(config, entry->value, err)
                                     : det_config_set(config, entry->path, entry->value, err);
            if (code != DET_OK)
                return fail_at_entry(file, entry, err);
        }
    }
    return DET_OK;
}

static enum det_code apply_setting(struct det_config *config, const char *option,
                                   const char *setting, int preset_turn, struct det_error *err)
{
    char key[DET_CONFIG_TEXT_MAX], place[DET_ERROR_LENGTH];
    size_t length = strcspn(setting, "=");

    snprintf(place, sizeof place, "%s %s", option, setting);
    if (!setting[length] || length == 0 || length >= sizeof key)
        return det_fail(err, DET_INVALID, "%.200s: expected KEY=VALUE", place);
    snprintf(key, sizeof key, "%.*s", (int)length, setting);
    if ((strcmp(key, PRESET_KEY) == 0) != preset_turn)
        return DET_OK;

    const char *value = setting + length + 1;
    enum det_code code = preset_turn ? set_preset(config, value, err)
                                     : det_config_set(config, key, value, err);
    return code == DET_OK ? code : det_fail_in(err, code, place);
}

enum det_code config_override(struct det_config *config, const char *option,
                              const char *const *settings, size_t n, struct det_error *err)
{
    for (int preset_turn = 1; preset_turn >= 0; preset_turn--) {
        for (size_t i = 0; i < n; i++) {
            enum det_code code = apply_setting(config, option, settings[i], preset_turn, err);
            if (code != DET_OK)
                return code;
        }
    }
    return det_config_validate(config, err);
}

enum det_code config_load(const char *path, const char *const *settings, size_t n,
                          struct det_config *out, struct det_error *err)
{
    det_config_defaults(out);
    if (path) {
        struct yaml_file *file;
        enum det_code code = yaml_file_open(path, &file, err);
        if (code != DET_OK)
            return code;
        code = apply_file(out, file, err);
        yaml_file_close(file);
        if (code != DET_OK)
            return code;
    }
    enum det_code code = config_override(out, "--set", settings, n, err);
    if (code != DET_OK && path && n == 0)
        return det_fail_in(err, code, path);
    return code;
}

/* ---- out ------------------------------------------------------------------------------------- */

/* Words that mean in YAML what they say stand bare, everything else in quotes. */
static void write_text(FILE *to, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (text[0] && text[0] != '-' && strspn(text, plain) == strlen(text)) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++)
        fprintf(to, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    fputc('"', to);
}

static void write_comment(FILE *to, const struct det_config_key *key)
{
    fprintf(to, "  # %s", key->doc);
    if (key->choices)
        fprintf(to, " [%s]", key->choices);
    else if (key->type != DET_CONFIG_BOOL && key->type != DET_CONFIG_TEXT)
        fprintf(to, " [%s%s%.17g to %.17g]", key->unit, key->unit[0] ? ", " : "", key->low,
                key->high);
    fputc('\n', to);
}

static void write_key(FILE *to, const struct det_config *config, const struct det_config_key *key,
                      const char *name)
{
    char value[DET_CONFIG_TEXT_MAX];
    det_config_print(config, key, value, sizeof value);
    fprintf(to, "%s: ", name);
    if (key->type == DET_CONFIG_TEXT)
        write_text(to, value);
    else
        fputs(value, to);
    write_comment(to, key);
}

char *config_text(const struct det_config *config)
{
    char *text = NULL;
    size_t size, n;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;

    const struct det_config_key *keys = det_config_keys(&n);
    const char *section = "";
    size_t section_length = 0;
    for (size_t i = 0; i < n; i++) {
        const char *dot = strchr(keys[i].name, '.');
        size_t length = dot ? (size_t)(dot - keys[i].name) : 0;
        if (length != section_length || strncmp(keys[i].name, section, length) != 0) {
            section = keys[i].name;
            section_length = length;
            if (dot)
                fprintf(to, "%.*s:\n", (int)length, section);
        }
        fputs(dot ? "  " : "", to);
        write_key(to, config, &keys[i], dot ? dot + 1 : keys[i].name);
    }
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

enum det_code config_save(const struct det_config *config, const char *path, struct det_error *err)
{
    char *text = config_text(config);
    if (!text)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory to write it", path);
    enum det_code code = det_file_write(path, text, strlen(text), err);
    free(text);
    return code;
}
