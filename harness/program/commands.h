/* The program's commands, listed once: `X(function, "name", "summary")`, in the order of --help.
 *
 * Each lives in harness/cmd_<name>.c as cmd_<function>. It parses its own options (argp, argv[0] is
 * "detcheck <name>"), prints results on stdout and returns an exit status (exit_status.h); where
 * that is not 0 or 1, err holds the line for stderr. */
#ifndef HARNESS_COMMANDS_H
#define HARNESS_COMMANDS_H

#include "detector/base/status.h"

#define COMMANDS(X)                                                                                \
    X(run, "run", "before and after the loss fixes: trains both, judges, plots, reports")          \
    X(train, "train", "train the reference detector once, evaluate and judge it")                  \
    X(sweep, "sweep", "a study: many variants, many seeds, one table")                             \
    X(judge, "judge", "verdicts over runs: healthy, collapsed, diverged, stalled, incomplete")     \
    X(watch, "watch", "follow a log while it is written, stop at the first step of a collapse")    \
    X(compare, "compare", "two runs step by step: what differs first, where, by how much")         \
    X(golden, "golden", "recorded values: check them, see what moved, accept new ones")             \
    X(trace, "trace", "steps recorded whole, for compare --teacher-forced in another build")        \
    X(report, "report", "one self-contained page about runs: verdicts, table, plots, differences") \
    X(coco_eval, "coco-eval", "COCO's 12 numbers for boxes or masks, as pycocotools has them")     \
    X(bench, "bench", "how long a training step and an inference pass take")                       \
    X(config, "config", "print the resolved configuration, or every key and its meaning")          \
    X(verify, "verify", "oracle vectors through the detector's operations, compared")              \
    X(dataset, "dataset", "measure, check or export a dataset")

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv, struct det_error *err);
};

#define DECLARE_COMMAND(function, name, summary)                                                   \
    int cmd_##function(int argc, char **argv, struct det_error *err);
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

#endif
