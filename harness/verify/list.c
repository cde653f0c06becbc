/* Which files a PATH of `detcheck verify` means. */
#include "harness/verify/verify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct paths {
    char **at;
    size_t n;
};

static enum det_code add_path(struct paths *paths, const char *path, struct det_error *err)
{
    char **more = realloc(paths->at, (paths->n + 1) * sizeof *more);
    if (more)
        paths->at = more;
    char *copy = more ? strdup(path) : NULL;
    if (!copy)
        return det_fail(err, DET_NO_MEMORY, "%s: a list of %zu files", path, paths->n + 1);
    paths->at[paths->n++] = copy;
    return DET_OK;
}

static int has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n > m && !strcmp(text + n - m, suffix);
}

static enum det_code add_folder(struct paths *paths, const char *folder, struct det_error *err);

/* What stands in a folder under `name`; hidden files and links to folders are passed over. */
static enum det_code add_entry(struct paths *paths, const char *folder, const char *name,
                               struct det_error *err)
{
    if (name[0] == '.')
        return DET_OK;
    char *path = NULL;
    struct stat info;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return det_fail(err, DET_NO_MEMORY, "%s/%s", folder, name);
    enum det_code code = DET_OK;
    if (!lstat(path, &info) && S_ISDIR(info.st_mode))
        code = add_folder(paths, path, err);
    else if (has_suffix(name, ".safetensors"))
        code = add_path(paths, path, err);
    free(path);
    return code;
}

static enum det_code add_folder(struct paths *paths, const char *folder, struct det_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return det_fail(err, DET_IO, "%s: %s", folder, strerror(errno));
    enum det_code code = DET_OK;
    for (struct dirent *entry; !code && (entry = readdir(dir));)
        code = add_entry(paths, folder, entry->d_name, err);
    closedir(dir);
    return code;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void verify_free_paths(char **paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
}

enum det_code verify_list(const char *path, char ***out, size_t *n, struct det_error *err)
{
    struct paths paths = {0};
    struct stat info;
    enum det_code code;
    if (!stat(path, &info) && S_ISDIR(info.st_mode))
        code = add_folder(&paths, path, err);
    else
        code = add_path(&paths, path, err);
    if (!code && !paths.n)
        code = det_fail(err, DET_INVALID, "%s: no .safetensors file below it", path);
    if (code) {
        verify_free_paths(paths.at, paths.n);
        return code;
    }
    qsort(paths.at, paths.n, sizeof *paths.at, by_text);
    *out = paths.at;
    *n = paths.n;
    return DET_OK;
}
