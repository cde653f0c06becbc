/* detcheck dataset: what data are like before anything trains on them. */
#include "harness/program/commands.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/program/subcommands.h"

static const struct subcommand subcommands[] = {
    {"stats", "measure what is imbalanced, and by how much", dataset_stats},
    {"check", "check that it can be trained on", dataset_check},
    {"export", "write it as COCO JSON + PNG", dataset_export},
    {"checksum", "print the checksum of every shipped recipe", dataset_checksum},
};

int cmd_dataset(int argc, char **argv, struct det_error *err)
{
    static const struct subcommands all = {
        .command = "dataset",
        .about = "Look at a recipe of synthetic scenes, or at a COCO-format folder.",
        .arguments =
            "A source is a recipe's name, a recipe's .yaml file, or coco:ANN.json,IMAGE_DIR.",
        .at = subcommands,
        .n = sizeof subcommands / sizeof subcommands[0],
    };
    return subcommands_run(&all, argc, argv, err);
}
