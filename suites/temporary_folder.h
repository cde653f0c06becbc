/* A folder for a test's files, gone with everything in it at the end. */
#ifndef SUITES_TEMPORARY_FOLDER_H
#define SUITES_TEMPORARY_FOLDER_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

struct temporary_folder {
    char path[64];
    char file[160]; /* what in_folder returns */
};

static inline void temporary_folder_make(struct temporary_folder *t)
{
    snprintf(t->path, sizeof t->path, "/tmp/detcheck-suite-XXXXXX");
    cr_assert_not_null(mkdtemp(t->path));
}

/* Valid until the next call. */
static inline const char *in_folder(struct temporary_folder *t, const char *name)
{
    snprintf(t->file, sizeof t->file, "%s/%s", t->path, name);
    return t->file;
}

static inline int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void temporary_folder_remove(struct temporary_folder *t)
{
    nftw(t->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
