/* config.yaml is the documentation of training_config.def: every key, nothing else, each with its
 * default. A key of the preset stands there commented out ("# width: 16"); all other keys are set. */
#include "detector/base/file.h"
#include "fixtures/yaml_file.h"
#include "harness/program/config_file.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *shipped_path(void)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/config.yaml", getenv("DETCHECK_ROOT"));
    return path;
}

/* A line "  # key: value" as the key it documents: an indented comment with a word and a colon. */
static int is_commented_key(const char *line)
{
    size_t word = 0;
    if (strncmp(line, "  # ", 4) != 0)
        return 0;
    while (islower(line[4 + word]) || isdigit(line[4 + word]) || line[4 + word] == '_')
        word++;
    return word && line[4 + word] == ':';
}

/* The text with "  # key: value" turned into "  key: value". Owned by the caller. */
static char *uncommented(const char *text)
{
    char *out;
    size_t size;
    FILE *to = open_memstream(&out, &size);
    cr_assert(to);
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (is_commented_key(text))
            fprintf(to, "  %.*s\n", (int)length - 4, text + 4);
        else
            fprintf(to, "%.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
    fclose(to);
    return out;
}

static char *shipped_text(void)
{
    struct det_error err;
    char *text;
    size_t size;
    cr_assert_eq(det_file_read(shipped_path(), &text, &size, &err), DET_OK, "%s", err.message);
    return text;
}

static struct yaml_file *parse(const char *text)
{
    struct yaml_file *file;
    struct det_error err;
    cr_assert_eq(yaml_file_parse(text, "config.yaml", &file, &err), DET_OK, "%s", err.message);
    return file;
}

/* With every key set, also those of the preset. Owned by the caller. */
static struct yaml_file *parse_all(void)
{
    char *text = shipped_text(), *all = uncommented(text);
    struct yaml_file *file = parse(all);
    free(all);
    free(text);
    return file;
}

static const char *value_in(const struct yaml_file *file, const char *key)
{
    for (size_t i = 0; i < yaml_file_count(file); i++)
        if (strcmp(yaml_file_at(file, i)->path, key) == 0)
            return yaml_file_at(file, i)->value;
    return NULL;
}

Test(config_yaml, every_key_has_its_default)
{
    struct yaml_file *file = parse_all();
    struct det_config defaults, shipped;
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);

    det_config_defaults(&defaults);
    for (size_t i = 0; i < n; i++) {
        char want[DET_CONFIG_TEXT_MAX], got[DET_CONFIG_TEXT_MAX];
        const char *value = value_in(file, keys[i].name);
        cr_expect(value, "config.yaml lacks %s", keys[i].name);
        if (!value)
            continue;
        det_config_defaults(&shipped);
        cr_expect_eq(det_config_set(&shipped, keys[i].name, value, NULL), DET_OK,
                     "%s: config.yaml's value %s is refused", keys[i].name, value);
        det_config_print(&defaults, &keys[i], want, sizeof want);
        det_config_print(&shipped, &keys[i], got, sizeof got);
        cr_expect_str_eq(got, want, "%s: config.yaml has %s, the default is %s", keys[i].name, got,
                         want);
    }
    yaml_file_close(file);
}

Test(config_yaml, has_no_key_that_does_not_exist)
{
    struct yaml_file *file = parse_all();
    for (size_t i = 0; i < yaml_file_count(file); i++)
        cr_expect(det_config_find(yaml_file_at(file, i)->path), "config.yaml:%d: %s does not exist",
                  yaml_file_at(file, i)->line, yaml_file_at(file, i)->path);
    yaml_file_close(file);
}

/* Otherwise a changed preset in this file would have no effect. */
Test(config_yaml, keys_of_the_preset_are_the_commented_ones)
{
    char *text = shipped_text();
    struct yaml_file *file = parse(text);
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        int set = value_in(file, keys[i].name) != NULL;
        int of_preset = det_config_is_preset_key(&keys[i]);
        cr_expect_eq(set, !of_preset, "%s is %s, but %s the preset's", keys[i].name,
                     set ? "set" : "commented out", of_preset ? "is" : "is not");
    }
    yaml_file_close(file);
    free(text);
}

Test(config_yaml, every_key_is_explained)
{
    char *text = shipped_text(), *all = uncommented(text);
    struct yaml_file *file = parse(all);

    for (size_t i = 0; i < yaml_file_count(file); i++) {
        const struct yaml_entry *entry = yaml_file_at(file, i);
        const char *line = all;
        for (int n = 1; n < entry->line; n++)
            line = strchr(line, '\n') + 1;
        const char *comment = strstr(line, " # ");
        cr_expect(comment && comment < strchr(line, '\n'), "config.yaml:%d: %s has no comment",
                  entry->line, entry->path);
    }
    yaml_file_close(file);
    free(all);
    free(text);
}

Test(config_yaml, says_what_the_fixes_were)
{
    static const char *const lines[] = {
        "\nrpn_cls_pos_weight: 5.0      # Was 1.0",
        "\nroi_cls_pos_weight: 3.0      # Was 1.0",
        "\nclip_grad_norm: 10.0",
    };
    char *text = shipped_text();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(strstr(text, lines[i]), "not in config.yaml: %s", lines[i] + 1);
    free(text);
}

Test(config_yaml, loads_as_the_defaults)
{
    struct det_config defaults, loaded;
    struct det_error err;
    det_config_defaults(&defaults);
    cr_assert_eq(config_load(shipped_path(), NULL, 0, &loaded, &err), DET_OK, "%s", err.message);
    cr_expect_eq(memcmp(&defaults, &loaded, sizeof loaded), 0);
}
