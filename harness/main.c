/* detcheck: dispatches to the command that its first argument names. */
#include "detector/base/edit_distance.h"
#include "harness/program/blas_core.h"
#include "harness/build_info.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
#define COMMAND_ROW(function, name, summary) {name, summary, cmd_##function},
    COMMANDS(COMMAND_ROW)
#undef COMMAND_ROW
};

#define COMMAND_COUNT ((int)(sizeof commands / sizeof commands[0]))

static void print_help(void)
{
    puts("Usage: detcheck COMMAND [OPTION]...\n"
         "Does this change make detections collapse, or silently alter the losses?\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n`detcheck COMMAND --help` tells a command's options.\n"
         "Exit status: 0 good, 1 a verdict or a comparison failed, 2 bad usage or input,\n"
         "77 cannot run here, 125 cannot test.");
}

static const struct command *find_command(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static const char *nearest_command(const char *name)
{
    int best = 0;
    for (int i = 1; i < COMMAND_COUNT; i++)
        if (det_edit_distance(name, commands[i].name) < det_edit_distance(name, commands[best].name))
            best = i;
    return commands[best].name;
}

static int run_command(const struct command *command, int argc, char **argv, struct det_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "detcheck %s", command->name);
    argv[0] = name;
    return command->run(argc, argv, err);
}

static int dispatch(int argc, char **argv, struct det_error *err)
{
    if (argc < 2) {
        det_fail(err, DET_INVALID, "no command given; `detcheck --help` lists them");
        return STATUS_BAD_INPUT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return STATUS_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("detcheck " DETCHECK_VERSION);
        return STATUS_GOOD;
    }
    const struct command *command = find_command(argv[1]);
    if (!command) {
        det_fail(err, DET_INVALID, "%s: unknown command; nearest is %s", argv[1],
                 nearest_command(argv[1]));
        return STATUS_BAD_INPUT;
    }
    return run_command(command, argc - 1, argv + 1, err);
}

/* As one line, whatever the names in it hold. */
static void print_error(const struct det_error *err)
{
    fputs("detcheck: ", stderr);
    for (const char *c = err->message; *c; c++)
        fputc(iscntrl((unsigned char)*c) ? '?' : *c, stderr);
    fputc('\n', stderr);
}

int main(int argc, char **argv)
{
    struct det_error err = {DET_OK, ""};
    blas_core_choose(argv);
    int status = dispatch(argc, argv, &err);

    /* Results that never reached their file must not pass for good ones. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && !err.message[0]) {
        det_fail(&err, DET_IO, "standard output: %s", strerror(errno));
        status = STATUS_BAD_INPUT;
    }
    if (err.message[0])
        print_error(&err);
    return status;
}
