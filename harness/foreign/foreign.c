#include "harness/foreign/foreign.h"

#include "harness/foreign/foreign_run.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINES_LOOKED_AT 50
#define PATH_SIZE 4096

enum format { OURS, DETECTRON2, MMDETECTION3, MMDETECTION2, CSV, JSONL, COCO, UNKNOWN };

const char *const foreign_formats[] = {"detcheck", "detectron2", "mmdetection3", "mmdetection2",
                                       "csv",      "jsonl",      "coco",         NULL};

/* ---- where the log is ---- */

static int is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The last by name of the folder's entries that end so: names begin with a time stamp. */
static int find_last(const char *folder, const char *end, char *out, size_t size)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), found = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (!found && entries[i]->d_name[0] != '.' && ends_with(entries[i]->d_name, end)) {
            snprintf(out, size, "%s/%s", folder, entries[i]->d_name);
            found = 1;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return found;
}

static int is_file_in(const char *folder, const char *name, char *out, size_t size)
{
    struct stat info;
    snprintf(out, size, "%s/%s", folder, name);
    return stat(out, &info) == 0 && S_ISREG(info.st_mode);
}

/* The last of the folder's own folders that has vis_data/scalars.json. */
static int find_scalars(const char *folder, char *out, size_t size)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), found = 0;
    for (int i = n - 1; i >= 0; i--) {
        char name[600];
        snprintf(name, sizeof name, "%s/vis_data/scalars.json", entries[i]->d_name);
        found = found || (entries[i]->d_name[0] != '.' && is_file_in(folder, name, out, size));
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return found;
}

/* The log that the folder of a run holds, whichever trainer made it. */
static int find_log(const char *folder, char *out, size_t size)
{
    return is_file_in(folder, "metrics.json", out, size) ||
           is_file_in(folder, "vis_data/scalars.json", out, size) ||
           is_file_in(folder, "scalars.json", out, size) || find_scalars(folder, out, size) ||
           find_last(folder, ".log.json", out, size);
}

/* ---- what it is ---- */

static enum format format_of_row(const struct foreign_row *row)
{
    if (foreign_row_find(row, "event"))
        return OURS;
    if (foreign_row_find(row, "env_info") || foreign_row_text(row, "mode"))
        return MMDETECTION2;
    if (foreign_row_find(row, "iteration"))
        return DETECTRON2;
    if (foreign_row_find(row, "step") && foreign_row_find(row, "iter"))
        return MMDETECTION3;
    return UNKNOWN;
}

/* By the first lines; reads from a copy, since rows are written into. */
static enum format format_of_lines(const char *path)
{
    struct foreign_text text;
    struct foreign_row row = {0};
    enum format format = UNKNOWN;
    struct det_error ignored;
    if (foreign_text_open(path, &text, &ignored) != DET_OK)
        return UNKNOWN;
    for (int i = 0; i < LINES_LOOKED_AT && format == UNKNOWN && foreign_text_next(&text); i++)
        if (foreign_row_json(&row, text.line, text.length, &ignored) == DET_OK)
            format = format_of_row(&row);
    foreign_row_release(&row);
    foreign_text_close(&text);
    return format;
}

static enum format named_format(const char *name)
{
    enum format format = OURS;
    while (format < UNKNOWN && strcmp(foreign_formats[format], name) != 0)
        format++;
    return format;
}

static enum det_code unknown_format(const char *path, char first, struct det_error *err)
{
    if (first == '\0')
        return det_fail(err, DET_INVALID, "%s: empty: nothing has been logged", path);
    if (first == '[')
        return det_fail(err, DET_INVALID,
                        "%s: a list: if these are COCO results, give their ground truth (--gt)",
                        path);
    if (first != '{')
        return det_fail(err, DET_INVALID,
                        "%s: not JSON lines; a CSV needs a mapping file (--map) that says what its "
                        "columns are",
                        path);
    return det_fail(
        err, DET_INVALID,
        "%s: whose log? its first lines have no \"event\" (detcheck), \"iteration\" "
        "(detectron2), \"step\" with \"iter\" (mmdetection 3), \"mode\" (mmdetection 2); "
        "other JSON lines need a mapping file (--map)",
        path);
}

static enum det_code find_format(const char *path, const struct foreign_options *options,
                                 char first, enum format *format, struct det_error *err)
{
    *format = UNKNOWN;
    if (options->format)
        *format = named_format(options->format);
    else if (options->mapping)
        *format = first == '{' ? JSONL : CSV;
    else if (options->truth && !options->results && first == '[')
        *format = COCO;
    else if (first == '{')
        *format = format_of_lines(path);
    if (*format == UNKNOWN)
        return unknown_format(path, first, err);
    if ((*format == CSV || *format == JSONL) && !options->mapping)
        return det_fail(err, DET_INVALID, "%s: %s needs a mapping file (--map)", path,
                        foreign_formats[*format]);
    if (*format == COCO && !options->truth)
        return det_fail(err, DET_INVALID, "%s: COCO results need their ground truth (--gt)", path);
    return DET_OK;
}

/* ---- reading ---- */

static enum det_code read_as(enum format format, struct foreign_text *text,
                             const struct foreign_options *options, struct logged_run *run,
                             struct det_error *err)
{
    switch (format) {
    case DETECTRON2:
        return foreign_read_detectron2(text, options, run, err);
    case MMDETECTION3:
        return foreign_read_mmdetection3(text, options, run, err);
    case MMDETECTION2:
        return foreign_read_mmdetection2(text, options, run, err);
    case CSV:
    case JSONL:
        return foreign_read_mapped(text, options, run, err);
    case COCO:
        return foreign_read_coco(text->path, options, run, err);
    case OURS:
    case UNKNOWN:
        break;
    }
    return DET_INVALID;
}

/* A run that says nothing is no run: the wrong format was forced, or the file is another's. */
static enum det_code check(const struct logged_run *run, struct det_error *err)
{
    if (run->n_steps + run->n_evals > 0)
        return DET_OK;
    return det_fail(err, DET_INVALID, "%s: not a step and not an evaluation in it, read as %s",
                    run->path, run->format);
}

static enum det_code read_run(enum format format, struct foreign_text *text,
                              const struct foreign_options *options, struct logged_run **out,
                              struct det_error *err)
{
    struct logged_run *run;
    enum det_code code = foreign_run_begin(text->path, foreign_formats[format], options, &run, err);
    if (code != DET_OK)
        return code;
    code = read_as(format, text, options, run, err);
    if (code == DET_OK && options->results)
        code = foreign_read_coco(options->results, options, run, err);
    if (code == DET_OK)
        code = check(run, err);
    if (code == DET_OK)
        *out = run;
    else
        logged_run_close(run);
    return code;
}

static enum det_code open_file(const char *path, const struct foreign_options *options,
                               struct logged_run **out, struct det_error *err)
{
    struct foreign_text text;
    enum format format;
    enum det_code code = foreign_text_open(path, &text, err);
    if (code != DET_OK)
        return code;
    code = find_format(path, options, foreign_text_first(&text), &format, err);
    if (code == DET_OK)
        code = format == OURS ? logged_run_open(path, out, err)
                              : read_run(format, &text, options, out, err);
    foreign_text_close(&text);
    return code;
}

/* What a path stands for, and the file or folder that it is in the end. */
enum place { OUR_LOG, SOME_LOG, RESULTS };

static enum place locate(const char *path, const struct foreign_options *options, char *out,
                         size_t size)
{
    int as_results = options->truth && !options->results &&
                     (!options->format || named_format(options->format) == COCO);
    if (!is_folder(path)) {
        snprintf(out, size, "%s", path);
        return ends_with(path, "log.jsonl") && !options->format && !options->mapping ? OUR_LOG
                                                                                     : SOME_LOG;
    }
    if (as_results) {
        snprintf(out, size, "%s", path);
        return RESULTS;
    }
    if (!is_file_in(path, "log.jsonl", out, size) && find_log(path, out, size))
        return SOME_LOG;
    snprintf(out, size, "%s/log.jsonl", path);
    return OUR_LOG;
}

enum det_code foreign_open(const char *path, const struct foreign_options *options,
                           struct logged_run **out, struct det_error *err)
{
    char found[PATH_SIZE];
    if (options->results && !options->truth)
        return det_fail(err, DET_INVALID, "--results %s: results need their ground truth (--gt)",
                        options->results);
    switch (locate(path, options, found, sizeof found)) {
    case OUR_LOG:
        return logged_run_open(path, out, err);
    case SOME_LOG:
        return open_file(found, options, out, err);
    case RESULTS:
        break;
    }
    struct foreign_text none = {.path = path};
    return read_run(COCO, &none, options, out, err);
}

/* ---- whether it has changed ---- */

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    stamp = (stamp ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return stamp ^ stamp >> 29;
}

/* 0 for a file that is not there or empty. */
static uint64_t stamp_of_file(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || info.st_size == 0)
        return 0;
    uint64_t stamp = mix(1, (uint64_t)info.st_ino);
    stamp = mix(stamp, (uint64_t)info.st_size);
    stamp = mix(stamp, (uint64_t)info.st_mtim.tv_sec);
    return mix(stamp, (uint64_t)info.st_mtim.tv_nsec) | 1;
}

static uint64_t stamp_of_folder(const char *folder)
{
    struct dirent **entries;
    uint64_t stamp = 0;
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (ends_with(path, ".json"))
            stamp = mix(stamp, stamp_of_file(path)) | 1;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return stamp;
}

uint64_t foreign_stamp(const char *path, const struct foreign_options *options)
{
    char found[PATH_SIZE];
    if (locate(path, options, found, sizeof found) == RESULTS)
        return stamp_of_folder(path);
    uint64_t stamp = stamp_of_file(found);
    return stamp && options->results ? mix(stamp, stamp_of_folder(options->results)) | 1 : stamp;
}
