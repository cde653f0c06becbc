/* Whole files: what is read, and that a failed or interrupted write leaves the old file alone. */
#include "detector/base/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[80];

static void make_folder(void)
{
    strcpy(folder, "/tmp/det_file_XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        perror(command);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

static int files_in_folder(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void expect_content(const char *want, size_t length)
{
    char *text;
    size_t size;
    struct det_error err;
    cr_assert_eq(det_file_read(path, &text, &size, &err), DET_OK, "%s", err.message);
    cr_expect_eq(size, length, "got %zu bytes, want %zu", size, length);
    cr_expect_eq(memcmp(text, want, length), 0);
    cr_expect_eq(text[size], '\0');
    free(text);
}

Test(file, any_size_comes_back)
{
    static const size_t sizes[] = {0, 1, 65534, 65535, 65536, 131071, 131072, 300000};
    char *data = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        data[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct det_error err;
        cr_assert_eq(det_file_write(path, data, sizes[i], &err), DET_OK, "%s", err.message);
        expect_content(data, sizes[i]);
    }
    cr_expect_eq(files_in_folder(), 1, "a temporary file was left");
    free(data);
}

Test(file, reads_what_has_no_size)
{
    char *text;
    size_t size;
    cr_assert_eq(det_file_read("/proc/self/status", &text, &size, NULL), DET_OK);
    cr_expect_gt(size, 100);
    free(text);
}

Test(file, errors_name_the_file)
{
    static const struct {
        const char *path, *said;
    } rows[] = {
        {"/no/such/file", "/no/such/file: No such file or directory"},
        {"/tmp", "/tmp: Is a directory"},
        {"/etc/passwd/x", "/etc/passwd/x: Not a directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct det_error err;
        char *text;
        size_t size;
        cr_expect_eq(det_file_read(rows[i].path, &text, &size, &err), DET_IO);
        cr_expect_str_eq(err.message, rows[i].said, "read: got \"%s\"", err.message);
        cr_expect_eq(det_file_write(rows[i].path, "x", 1, &err), DET_IO);
        cr_expect_str_eq(err.message, rows[i].said, "write: got \"%s\"", err.message);
    }
}

Test(file, the_old_file_stands_until_commit)
{
    struct det_file_writer *writer;
    cr_assert_eq(det_file_write(path, "old", 3, NULL), DET_OK);
    cr_assert_eq(det_file_begin(path, &writer, NULL), DET_OK);
    cr_assert_eq(det_file_append(writer, "ne", 2, NULL), DET_OK);
    expect_content("old", 3);
    cr_assert_eq(det_file_append(writer, "w!", 2, NULL), DET_OK);
    cr_assert_eq(det_file_append(writer, NULL, 0, NULL), DET_OK);
    cr_assert_eq(det_file_commit(writer, NULL), DET_OK);
    expect_content("new!", 4);
    cr_expect_eq(files_in_folder(), 1);
}

Test(file, abandoning_leaves_nothing)
{
    struct det_file_writer *writer;
    cr_assert_eq(det_file_begin(path, &writer, NULL), DET_OK);
    cr_assert_eq(det_file_append(writer, "new", 3, NULL), DET_OK);
    det_file_abandon(writer);
    det_file_abandon(NULL);
    cr_expect_eq(files_in_folder(), 0);
}

/* The disk is full: a limit on the size of files says no in the same place. */
Test(file, a_full_disk_leaves_the_old_file)
{
    const struct rlimit limit = {100000, 100000};
    static char data[200000];
    struct det_error err;
    cr_assert_eq(det_file_write(path, "old", 3, NULL), DET_OK);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(det_file_write(path, data, sizeof data, &err), DET_IO);
    cr_expect(strstr(err.message, path), "%s", err.message);
    expect_content("old", 3);
    cr_expect_eq(files_in_folder(), 1, "a temporary file was left");
}

/* The buffer's last bytes fail only at commit. */
Test(file, a_device_without_room_fails_at_commit)
{
    struct det_error err;
    cr_expect_eq(det_file_write("/dev/full", "x", 1, &err), DET_IO);
    cr_expect_str_eq(err.message, "/dev/full: No space left on device", "%s", err.message);
    struct stat status;
    cr_expect(stat("/dev/full", &status) == 0 && S_ISCHR(status.st_mode), "/dev/full was replaced");
}

Test(file, a_kill_leaves_the_old_file)
{
    cr_assert_eq(det_file_write(path, "old", 3, NULL), DET_OK);
    pid_t child = fork();
    if (child == 0) {
        struct det_file_writer *writer;
        static char data[200000];
        if (det_file_begin(path, &writer, NULL) == DET_OK)
            det_file_append(writer, data, sizeof data, NULL);
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(child, NULL, 0), child);
    expect_content("old", 3);
}

/* Only names that a writer of this very file gives are touched. */
Test(file, leftovers_of_a_kill_are_removed)
{
    static const struct {
        const char *name;
        int goes;
    } files[] = {{"file", 0},          {"file.123.tmp", 1},   {"file.7.tmp", 1},
                 {"file.tmp", 0},      {"file.x.tmp", 0},     {"file.12.tmp.old", 0},
                 {"file2.123.tmp", 0}, {"file.1.2.tmp", 0}};
    char name[128];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i].name);
        cr_assert_eq(det_file_write(name, "x", 1, NULL), DET_OK);
    }
    det_file_remove_leftovers(folder, "file");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i].name);
        cr_expect_eq(access(name, F_OK) != 0, files[i].goes, "%s", files[i].name);
    }
    det_file_remove_leftovers("/no/such/folder", "file");
}

Test(file, permissions_follow_the_umask)
{
    struct stat status;
    umask(022);
    cr_assert_eq(det_file_write(path, "x", 1, NULL), DET_OK);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0644, "got %o, want 644", status.st_mode & 0777);
}

Test(file, folders_are_made_with_their_parents)
{
    struct det_error err;
    char deep[128];
    struct stat status;
    snprintf(deep, sizeof deep, "%s/a//b/c/", folder);
    cr_assert_eq(det_make_folder(deep, &err), DET_OK, "%s", err.message);
    cr_expect(stat(deep, &status) == 0 && S_ISDIR(status.st_mode));
    cr_expect_eq(det_make_folder(deep, &err), DET_OK, "again: %s", err.message);
    cr_expect_eq(det_make_folder("/", &err), DET_OK, "%s", err.message);

    cr_assert_eq(det_file_write(path, "x", 1, NULL), DET_OK);
    snprintf(deep, sizeof deep, "%s/under", path);
    cr_expect_eq(det_make_folder(deep, &err), DET_IO);
    cr_expect(strstr(err.message, path), "%s", err.message);
    cr_expect_eq(det_make_folder(path, &err), DET_IO, "a file was taken for a folder");
}
