#include "harness/golden/golden_run.h"

#include "harness/golden/golden_names.h"
#include "harness/program/interrupt.h"
#include "harness/training/trainer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum det_code make_folder(char *folder, size_t size, struct det_error *err)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(folder, size, "%s/detcheck-golden-XXXXXX", base && base[0] ? base : "/tmp");
    if (length < 0 || (size_t)length >= size)
        return det_fail(err, DET_INVALID, "TMPDIR: the path is too long");
    return mkdtemp(folder) ? DET_OK : det_fail(err, DET_IO, "%s: %s", folder, strerror(errno));
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {"config.yaml", "log.jsonl", "checkpoint.safetensors"};
    char path[4200];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

enum det_code golden_run(const struct det_config *config, const char *name, const char *backend,
                         int threads, struct logged_run **out, struct det_error *err)
{
    char folder[4096];
    struct det_config own = *config;
    own.threads = threads;
    enum det_code code = make_folder(folder, sizeof folder, err);
    if (code != DET_OK)
        return code;
    struct trainer_options options = {.config = &own,
                                      .folder = folder,
                                      .name = name,
                                      .backend = backend,
                                      .observer = {.stop = interrupt_came}};
    code = trainer_run(&options, err);
    if (code == DET_OK && interrupt_came(NULL))
        code = det_fail(err, DET_INVALID, "interrupted");
    if (code == DET_OK)
        code = logged_run_open(folder, out, err);
    remove_folder(folder);
    return code;
}

enum det_code golden_run_table(const char *name, int threads, struct golden_table *table,
                               struct logged_run **run, struct det_error *err)
{
    char path[4096];
    *table = (struct golden_table){0};
    *run = NULL;
    enum det_code code = golden_path("runs", name, path, sizeof path, err);
    if (code == DET_OK)
        code = golden_table_read(path, table, err);
    if (code != DET_OK)
        return code;
    const char *backend = golden_file_get(&table->file, "backend", 0);
    return golden_run(&table->config, table->name, backend ? backend : "cpu", threads, run, err);
}
