#include "harness/golden/golden_options.h"

#include "harness/program/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option all_options[] = {
    {"reason", 'r', "TEXT", 0, "why the values are other ones now; kept in the table", 0},
    {"threads", 't', "N", 0, "CPU workers of a run (default 1); no bit depends on it", 0},
    {"out", 'o', "DIR", 0, "folder of the runs (default runs/envelopes)", 0},
    {"seeds", 'n', "N", 0, "seeds that make the envelope (default: as the file says, or 20)", 0},
    {"fresh", 'f', "N", 0, "other seeds, to measure false alarms (default: as the file says)", 0},
    {"first-fresh", 'F', "SEED", 0,
     "the first of those: seeds that tuned nothing (default: as the file says, or 1001)", 0},
    {"jobs", 'j', "N", 0, "runs at a time, one thread each (default: as many as cores)", 0},
    {"reuse", 'u', NULL, 0, "take what DIR already holds: finished runs of the same configuration", 0},
    {"new-numerics", 'N', NULL, 0,
     "record the numerics of this program and machine in place of the table's", 0},
};

#define OPTION_COUNT (sizeof all_options / sizeof all_options[0])

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct golden_options *options = state->input;
    switch (key) {
    case 'r':
        options->reason = arg;
        return 0;
    case 't':
        options->threads = (int)options_number(state, "threads", arg, 1, 256);
        return 0;
    case 'o':
        options->folder = options_folder(state, arg);
        return 0;
    case 'n':
        options->seeds = (int)options_number(state, "seeds", arg, 10, 200);
        return 0;
    case 'f':
        options->fresh = (int)options_number(state, "fresh", arg, 0, 999);
        return 0;
    case 'F':
        options->first_fresh = options_number(state, "first-fresh", arg, 1, 1000000);
        return 0;
    case 'j':
        options->jobs = (int)options_number(state, "jobs", arg, 1, 256);
        return 0;
    case 'u':
        options->reuse = 1;
        return 0;
    case 'N':
        options->new_numerics = 1;
        return 0;
    case ARGP_KEY_ARG:
        options->names[options->n_names++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The names of all files in the room, in one block behind the list of pointers to them. */
static enum det_code name_all(const char *room, struct golden_options *options,
                              struct det_error *err)
{
    struct golden_names *all = malloc(sizeof *all);
    enum det_code code =
        all ? golden_list(room, all, err) : det_fail(err, DET_NO_MEMORY, "no memory for the names");
    size_t list = code == DET_OK ? (size_t)all->n * sizeof *options->names : 0;
    const char **names = code == DET_OK ? malloc(list + sizeof all->at) : NULL;
    if (names) {
        char(*texts)[64] = (char(*)[64])((char *)names + list);
        memcpy(texts, all->at, sizeof all->at);
        for (int i = 0; i < all->n; i++)
            names[i] = texts[i];
        free(options->names);
        options->names = names;
        options->n_names = all->n;
    }
    if (code == DET_OK && !names)
        code = det_fail(err, DET_NO_MEMORY, "no memory for the names");
    free(all);
    return code;
}

enum det_code golden_options_parse(int argc, char **argv, const char *keys, const char *doc,
                                   const char *room, struct golden_options *options,
                                   struct det_error *err)
{
    struct argp_option table[OPTION_COUNT + 1] = {{0}};
    const struct argp parser = {
        .options = table, .parser = take_option, .args_doc = "[NAME or FILE]...", .doc = doc};
    int n = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strchr(keys, all_options[i].key))
            table[n++] = all_options[i];
    *options =
        (struct golden_options){.threads = 1, .folder = "runs/envelopes", .fresh = -1};
    options->names = calloc((size_t)argc, sizeof *options->names);
    if (!options->names)
        return det_fail(err, DET_NO_MEMORY, "no memory for the options");
    options_parse(&parser, argc, argv, options);
    return options->n_names ? DET_OK : name_all(room, options, err);
}

void golden_options_end(struct golden_options *options)
{
    free(options->names);
}
