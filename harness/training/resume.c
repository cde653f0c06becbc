#include "harness/training/resume.h"

#include "harness/log/log_reader.h"

#include <inttypes.h>
#include <string.h>

/* The key's value as the log holds it; owned by the caller. */
static json_t *value_of(const struct det_config *config, const struct det_config_key *key,
                        char text[DET_CONFIG_TEXT_MAX])
{
    det_config_print(config, key, text, DET_CONFIG_TEXT_MAX);
    if (key->type == DET_CONFIG_TEXT || key->type == DET_CONFIG_CHOICE)
        return json_string(text);
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

/* A key that the log does not know was not there yet when the run began. */
static enum det_code check_key(const struct logged_run *run, const struct det_config *config,
                               const struct det_config_key *key, struct det_error *err)
{
    char text[DET_CONFIG_TEXT_MAX], logged[DET_CONFIG_TEXT_MAX];
    const json_t *began = json_object_get(run->config, key->name);
    if (!began || strcmp(key->name, "threads") == 0 ||
        strcmp(key->name, "backend.graph") == 0)
        return DET_OK;
    json_t *now = value_of(config, key, text);
    int same = json_equal(began, now);
    json_decref(now);
    if (same)
        return DET_OK;
    logged_value_text(began, logged, sizeof logged);
    return det_fail(err, DET_INVALID, "%s: the run began with %s: %s, which is now %s; a resumed run "
                    "goes on as it began (for another, train --weights its checkpoint)",
                    run->path, key->name, logged, text);
}

enum det_code resume_check(const char *log, const struct det_config *config,
                           uint64_t dataset_checksum, struct det_error *err)
{
    struct logged_run *run;
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    enum det_code code = logged_run_open(log, &run, err);
    if (code != DET_OK)
        return code;
    for (size_t i = 0; i < n && code == DET_OK; i++)
        code = check_key(run, config, &keys[i], err);
    if (code == DET_OK && run->dataset_checksum != dataset_checksum)
        code = det_fail(err, DET_INVALID, "%s: the run began with other data: checksum %016" PRIx64
                        ", now %016" PRIx64, run->path, run->dataset_checksum, dataset_checksum);
    logged_run_close(run);
    return code;
}
