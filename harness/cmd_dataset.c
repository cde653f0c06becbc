/* detcheck dataset: what data are like before anything trains on them. */
#include "harness/program/commands.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/program/exit_status.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv, struct det_error *err);
} subcommands[] = {
    {"stats", "measure what is imbalanced, and by how much", dataset_stats},
    {"check", "check that it can be trained on", dataset_check},
    {"export", "write it as COCO JSON + PNG", dataset_export},
    {"checksum", "print the checksum of every shipped recipe", dataset_checksum},
};

#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static void print_help(void)
{
    puts("Usage: detcheck dataset SUBCOMMAND [OPTION]...\n"
         "Look at a recipe of synthetic scenes, or at a COCO-format folder.\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        printf("  %-9s %s\n", subcommands[i].name, subcommands[i].summary);
    puts("\nA source is a recipe's name, a recipe's .yaml file, or coco:ANN.json,IMAGE_DIR.\n"
         "`detcheck dataset SUBCOMMAND --help` tells a subcommand's options.");
}

static void name_subcommands(char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < SUBCOMMANDS && used < size; i++)
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", subcommands[i].name);
}

int cmd_dataset(int argc, char **argv, struct det_error *err)
{
    char names[128], full_name[64];
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0) {
        print_help();
        return STATUS_GOOD;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(name, subcommands[i].name) != 0)
            continue;
        snprintf(full_name, sizeof full_name, "detcheck dataset %s", subcommands[i].name);
        argv[1] = full_name;
        return subcommands[i].run(argc - 1, argv + 1, err);
    }
    name_subcommands(names, sizeof names);
    det_fail(err, DET_INVALID, "dataset: %s%s; want one of %s", argc > 1 ? "no subcommand " : "",
             argc > 1 ? name : "no subcommand given", names);
    return STATUS_BAD_INPUT;
}
