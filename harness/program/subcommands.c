#include "harness/program/subcommands.h"

#include "harness/program/exit_status.h"

#include <stdio.h>
#include <string.h>

static void print_help(const struct subcommands *all)
{
    printf("Usage: detcheck %s SUBCOMMAND [OPTION]...\n%s\n\n", all->command, all->about);
    for (size_t i = 0; i < all->n; i++)
        printf("  %-9s %s\n", all->at[i].name, all->at[i].summary);
    printf("\n%s\n`detcheck %s SUBCOMMAND --help` tells a subcommand's options.\n", all->arguments,
           all->command);
}

static int refuse(const struct subcommands *all, const char *name, struct det_error *err)
{
    char names[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < all->n && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 all->at[i].name);
    det_fail(err, DET_INVALID, "%s: %s%s; want one of %s", all->command,
             name ? "no subcommand " : "no subcommand given", name ? name : "", names);
    return STATUS_BAD_INPUT;
}

int subcommands_run(const struct subcommands *all, int argc, char **argv, struct det_error *err)
{
    char full_name[80];
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0) {
        print_help(all);
        return STATUS_GOOD;
    }
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(name, all->at[i].name) != 0)
            continue;
        snprintf(full_name, sizeof full_name, "detcheck %s %s", all->command, name);
        argv[1] = full_name;
        return all->at[i].run(argc - 1, argv + 1, err);
    }
    return refuse(all, argc > 1 ? name : NULL, err);
}
