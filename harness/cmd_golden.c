/* detcheck golden: recorded values, checked, looked at and accepted. */
#include "harness/golden/golden_commands.h"
#include "harness/program/commands.h"
#include "harness/program/subcommands.h"

static const struct subcommand subcommands[] = {
    {"check", "make the run of every table again and compare", golden_check},
    {"diff", "which rows moved, by how much, and what moved first", golden_diff},
    {"accept", "record today's values, with the reason", golden_accept},
    {"envelope", "train many seeds and record what healthy runs look like", golden_envelope},
};

int cmd_golden(int argc, char **argv, struct det_error *err)
{
    static const struct subcommands all = {
        .command = "golden",
        .about = "Recorded values: the tables in golden/runs and the envelopes in golden/envelopes.",
        .arguments = "A name is a file's there without .txt; a path ends in .txt.",
        .at = subcommands,
        .n = sizeof subcommands / sizeof subcommands[0],
    };
    return subcommands_run(&all, argc, argv, err);
}
