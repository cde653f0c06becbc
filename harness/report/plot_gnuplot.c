#include "harness/report/plot_gnuplot.h"

#include "detector/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char all_gp[] =
#include "all.gp.inc"
    ;
static const char closed_form_gp[] =
#include "closed_form.gp.inc"
    ;
static const char detections_gp[] =
#include "detections.gp.inc"
    ;
static const char fg_bg_ratio_gp[] =
#include "fg_bg_ratio.gp.inc"
    ;
static const char foreground_gp[] =
#include "foreground.gp.inc"
    ;
static const char grad_norm_gp[] =
#include "grad_norm.gp.inc"
    ;
static const char losses_gp[] =
#include "losses.gp.inc"
    ;
static const char map_gp[] =
#include "map.gp.inc"
    ;
static const char scores_gp[] =
#include "scores.gp.inc"
    ;
static const char style_gp[] =
#include "style.gp.inc"
    ;

static const struct {
    const char *name, *text;
} scripts[] = {
    {"all.gp", all_gp},
    {"closed_form.gp", closed_form_gp},
    {"detections.gp", detections_gp},
    {"fg_bg_ratio.gp", fg_bg_ratio_gp},
    {"foreground.gp", foreground_gp},
    {"grad_norm.gp", grad_norm_gp},
    {"losses.gp", losses_gp},
    {"map.gp", map_gp},
    {"scores.gp", scores_gp},
    {"style.gp", style_gp},
};

enum det_code gnuplot_write_scripts(const char *folder, struct det_error *err)
{
    enum det_code code = DET_OK;
    for (size_t i = 0; code == DET_OK && i < sizeof scripts / sizeof scripts[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, scripts[i].name);
        code = det_file_write(path, scripts[i].text, strlen(scripts[i].text), err);
    }
    return code;
}

/* Both streams of the child go into `into`; its standard input is empty. */
static int spawn(const char *folder, const char *script, int into, pid_t *child)
{
    char program[] = "gnuplot", no_settings[] = "-d", *file = strdup(script);
    char *const arguments[] = {program, no_settings, file, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, into, 1);
    posix_spawn_file_actions_adddup2(&actions, into, 2);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    int failed = file ? posix_spawnp(child, program, &actions, NULL, arguments, environ) : ENOMEM;
    posix_spawn_file_actions_destroy(&actions);
    free(file);
    return failed;
}

/* All that the child says, cut to size; returns when it closes its end. */
static void read_all(int from, char *text, size_t size)
{
    size_t length = 0;
    char rest[512];
    for (;;) {
        int full = length + 1 >= size;
        ssize_t n = read(from, full ? rest : text + length, full ? sizeof rest : size - 1 - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += full ? 0 : (size_t)n;
    }
    text[length] = '\0';
}

/* gnuplot shows the line, an arrow below it, and then, last, what is wrong. */
static const char *complaint(char *said)
{
    char *why = said;
    for (char *at = said; (at = strstr(at, "line ")); at++)
        why = at;
    why[strcspn(why, "\n")] = '\0';
    return why[0] ? why : "it said nothing";
}

enum det_code gnuplot_run(const char *folder, const char *script, struct det_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return det_fail(err, DET_IO, "no pipe to gnuplot: %s", strerror(errno));
    pid_t child;
    int failed = spawn(folder, script, ends[1], &child);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        if (failed == ENOENT)
            return det_fail(err, DET_UNAVAILABLE,
                            "gnuplot is not installed (Debian: apt-get install gnuplot-nox); the "
                            "data for the plots are in %.200s",
                            folder);
        return det_fail(err, DET_IO, "cannot start gnuplot: %s", strerror(failed));
    }
    char said[2048];
    read_all(ends[0], said, sizeof said);
    close(ends[0]);
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return det_fail(err, DET_IO, "lost sight of gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return DET_OK;
    return det_fail(err, DET_INVALID, "gnuplot failed in %.150s on %s: %.200s", folder, script,
                    complaint(said));
}
