#include "detector/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 65536

struct det_file_writer {
    char *path;      /* what the file will be called */
    char *temporary; /* what it is called meanwhile; NULL where path is written straight */
    FILE *stream;
};

static enum det_code io_error(struct det_error *err, const char *path, int reason)
{
    return det_fail(err, DET_IO, "%s: %s", path, strerror(reason));
}

/* The rest of a stream. fstat's size is only a guess: pipes and /proc say 0. */
static enum det_code read_stream(FILE *stream, const char *path, char **out, size_t *size,
                                 struct det_error *err)
{
    size_t capacity = READ_CHUNK, n = 0;
    char *text = malloc(capacity);

    while (text) {
        n += fread(text + n, 1, capacity - 1 - n, stream);
        if (n < capacity - 1)
            break;
        capacity *= 2;
        char *larger = realloc(text, capacity);
        if (!larger)
            free(text);
        text = larger;
    }
    if (!text)
        return det_fail(err, DET_NO_MEMORY, "%s: %zu bytes asked for, not available", path,
                        capacity);
    if (ferror(stream)) {
        free(text);
        return io_error(err, path, errno);
    }
    text[n] = '\0';
    *out = text;
    *size = n;
    return DET_OK;
}

enum det_code det_file_read(const char *path, char **out, size_t *size, struct det_error *err)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return io_error(err, path, errno);
    enum det_code code = read_stream(stream, path, out, size, err);
    fclose(stream);
    return code;
}

/* A device or a pipe (/dev/stdout) cannot be replaced by a rename and is written straight. */
static int is_replaceable(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
}

static void free_writer(struct det_file_writer *writer)
{
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

/* Removes what was written; keeps errno, which the caller is about to report. */
static void discard(struct det_file_writer *writer)
{
    int reason = errno;
    if (writer->stream)
        fclose(writer->stream);
    if (writer->temporary)
        unlink(writer->temporary);
    free_writer(writer);
    errno = reason;
}

static enum det_code fail_and_discard(struct det_file_writer *writer, const char *path,
                                      struct det_error *err)
{
    io_error(err, path, errno);
    discard(writer);
    return DET_IO;
}

enum det_code det_file_begin(const char *path, struct det_file_writer **out, struct det_error *err)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return io_error(err, path, EISDIR);

    struct det_file_writer *writer = calloc(1, sizeof *writer);
    if (!writer || !(writer->path = strdup(path)) ||
        (is_replaceable(path) &&
         asprintf(&writer->temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)) {
        if (writer) {
            free(writer->path);
            free(writer);
        }
        return det_fail(err, DET_NO_MEMORY, "%s: no memory to write it", path);
    }
    writer->stream = fopen(writer->temporary ? writer->temporary : path, "wbe");
    if (!writer->stream) {
        enum det_code code = io_error(err, path, errno);
        free_writer(writer);
        return code;
    }
    *out = writer;
    return DET_OK;
}

enum det_code det_file_append(struct det_file_writer *writer, const void *data, size_t size,
                              struct det_error *err)
{
    if (size && fwrite(data, 1, size, writer->stream) != size)
        return io_error(err, writer->path, errno);
    return DET_OK;
}

/* Makes the rename itself survive a power cut. Not every file system can sync a folder: no error. */
static void sync_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s", (int)length, path);
    int fd = open(length ? folder : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

enum det_code det_file_commit(struct det_file_writer *writer, struct det_error *err)
{
    const char *path = writer->path;

    if (fflush(writer->stream) != 0 || ferror(writer->stream))
        return fail_and_discard(writer, path, err);
    if (writer->temporary && fsync(fileno(writer->stream)) != 0)
        return fail_and_discard(writer, path, err);

    int closed = fclose(writer->stream);
    writer->stream = NULL;
    if (closed != 0 || (writer->temporary && rename(writer->temporary, path) != 0))
        return fail_and_discard(writer, path, err);
    if (writer->temporary)
        sync_folder_of(path);
    free_writer(writer);
    return DET_OK;
}

void det_file_abandon(struct det_file_writer *writer)
{
    if (writer)
        discard(writer);
}

enum det_code det_file_write(const char *path, const void *data, size_t size,
                             struct det_error *err)
{
    struct det_file_writer *writer;
    enum det_code code = det_file_begin(path, &writer, err);
    if (code != DET_OK)
        return code;
    code = det_file_append(writer, data, size, err);
    if (code != DET_OK) {
        det_file_abandon(writer);
        return code;
    }
    return det_file_commit(writer, err);
}

/* path.PID.tmp, as det_file_begin names it. */
static int is_leftover(const char *name, const char *of, size_t length)
{
    if (strncmp(name, of, length) != 0 || name[length] != '.')
        return 0;
    const char *digits = name + length + 1;
    size_t n = strspn(digits, "0123456789");
    return n > 0 && strcmp(digits + n, ".tmp") == 0;
}

void det_file_remove_leftovers(const char *folder, const char *name)
{
    DIR *entries = opendir(folder);
    size_t length = strlen(name);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_leftover(entry->d_name, name, length))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
}

static int make_one_folder(const char *path)
{
    struct stat status;
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &status) == 0)
        errno = S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    return errno;
}

enum det_code det_make_folder(const char *path, struct det_error *err)
{
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return io_error(err, path, ENAMETOOLONG);

    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        int reason = make_one_folder(part);
        if (reason)
            return io_error(err, part, reason);
    }
    return DET_OK;
}
