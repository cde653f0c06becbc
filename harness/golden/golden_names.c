#include "harness/golden/golden_names.h"

#include "fixtures/nearest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ends_in_txt(const char *text)
{
    size_t n = strlen(text);
    return n > 4 && strcmp(text + n - 4, ".txt") == 0;
}

static const char *folder(void)
{
    const char *own = getenv("DETCHECK_GOLDEN");
    return own && own[0] ? own : GOLDEN_SOURCE_FOLDER;
}

void golden_name_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int length = (int)strlen(name) - (ends_in_txt(name) ? 4 : 0);
    snprintf(out, size, "%.*s", length, name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum det_code golden_list(const char *room, struct golden_names *out, struct det_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder(), room);
    out->n = 0;
    DIR *entries = opendir(path);
    if (!entries)
        return det_fail(err, DET_IO, "%s: cannot read the folder of golden files", path);
    for (struct dirent *entry; out->n < GOLDEN_NAMES_MAX && (entry = readdir(entries));)
        if (ends_in_txt(entry->d_name) && strlen(entry->d_name) < sizeof out->at[0])
            golden_name_of(entry->d_name, out->at[out->n++], sizeof out->at[0]);
    closedir(entries);
    qsort(out->at, (size_t)out->n, sizeof out->at[0], by_name);
    return DET_OK;
}

enum det_code golden_path(const char *room, const char *name, char *path, size_t size,
                          struct det_error *err)
{
    struct golden_names known;
    int length = ends_in_txt(name) ? snprintf(path, size, "%s", name)
                                   : snprintf(path, size, "%s/%s/%s.txt", folder(), room, name);
    if (length < 0 || (size_t)length >= size)
        return det_fail(err, DET_INVALID, "%.80s...: the path is too long", name);
    if (ends_in_txt(name) || access(path, R_OK) == 0)
        return DET_OK;
    enum det_code code = golden_list(room, &known, err);
    if (code != DET_OK)
        return code;
    struct nearest nearest = nearest_begin(name);
    for (int i = 0; i < known.n; i++)
        nearest_offer(&nearest, known.at[i]);
    return det_fail(err, DET_INVALID, "no %s.txt in %s/%s; the nearest one is \"%s\"", name, folder(),
                    room, known.n ? nearest.best : "");
}
