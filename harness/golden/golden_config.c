#include "harness/golden/golden_config.h"

#include "harness/program/config_file.h"

#include <stdio.h>
#include <string.h>

#define SETTINGS_MAX 64
#define LINE_WIDTH 110
#define PAIR_MAX (DET_CONFIG_TEXT_MAX + 80)

enum det_code golden_config_resolve(const struct golden_file *file, struct det_config *out,
                                    struct det_error *err)
{
    const char *settings[SETTINGS_MAX];
    size_t n = 0;
    for (const char *text; (text = golden_file_get(file, "set", (int)n)); n++) {
        if (n == SETTINGS_MAX)
            return det_fail(err, DET_INVALID, "%s: more than %d set lines", file->path, SETTINGS_MAX);
        if (strncmp(text, "threads=", 8) == 0)
            return det_fail(err, DET_INVALID, "%s: set: threads: no bit depends on it; leave it out",
                            file->path);
        settings[n] = text;
    }
    if (n == 0)
        return det_fail(err, DET_INVALID, "%s: no set line: which run is this?", file->path);
    enum det_code code = config_load(NULL, settings, n, out, err);
    return code == DET_OK ? code : det_fail_in(err, code, file->path);
}

/* What says which run this is, and not which kind of run. */
static int is_of_one_run(const char *key)
{
    return strcmp(key, "seed") == 0 || strncmp(key, "judge.", 6) == 0 ||
           strncmp(key, "log.", 4) == 0 || strncmp(key, "checkpoint.", 11) == 0;
}

enum det_code golden_config_record(struct golden_file *file, const struct det_config *config,
                                   int of_many, struct det_error *err)
{
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    char line[LINE_WIDTH + PAIR_MAX] = "";
    enum det_code code = DET_OK;
    golden_file_drop(file, "config");
    for (size_t i = 0; i < n && code == DET_OK; i++) {
        char value[DET_CONFIG_TEXT_MAX], pair[PAIR_MAX];
        if (strcmp(keys[i].name, "threads") == 0 || (of_many && is_of_one_run(keys[i].name)))
            continue;
        det_config_print(config, &keys[i], value, sizeof value);
        snprintf(pair, sizeof pair, "%s%s=%s", line[0] ? "; " : "", keys[i].name, value);
        if (line[0] && strlen(line) + strlen(pair) > LINE_WIDTH) {
            code = golden_file_add(file, "config", line, err);
            snprintf(line, sizeof line, "%s", pair + 2);
        } else {
            strcat(line, pair);
        }
    }
    return code == DET_OK && line[0] ? golden_file_add(file, "config", line, err) : code;
}

static int pair_differs(const char *pair, const struct det_config *config, char *out, size_t size)
{
    char name[80], value[DET_CONFIG_TEXT_MAX];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(pair, "="), pair);
    const char *recorded = pair + strcspn(pair, "=");
    recorded += *recorded == '=';
    const struct det_config_key *key = det_config_find(name);
    if (key)
        det_config_print(config, key, value, sizeof value);
    if (key && strcmp(value, recorded) == 0)
        return 0;
    snprintf(out, size, "%s is %s in the file, %s here", name, recorded,
             key ? value : "no key any more");
    return 1;
}

int golden_config_differ(const struct golden_file *file, const struct det_config *config, char *out,
                         size_t size)
{
    int differ = 0;
    const char *line;
    char other[2 * DET_CONFIG_TEXT_MAX];
    for (int i = 0; (line = golden_file_get(file, "config", i)); i++) {
        for (const char *at = line; at;) {
            const char *end = strstr(at, "; ");
            char pair[PAIR_MAX];
            snprintf(pair, sizeof pair, "%.*s", end ? (int)(end - at) : (int)strlen(at), at);
            differ += pair_differs(pair, config, differ ? other : out, differ ? sizeof other : size);
            at = end ? end + 2 : NULL;
        }
    }
    return differ;
}
