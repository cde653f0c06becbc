/* The options of every command that trains or times a step: configuration, data, seed, backend, folder. */
#ifndef HARNESS_TRAINING_OPTIONS_H
#define HARNESS_TRAINING_OPTIONS_H

#include "detector/training/training_config.h"

#include <argp.h>
#include <stddef.h>

struct training_options {
    const char *config_path;
    const char **settings; /* --set and the short forms --data, --seed, --threads; owned */
    size_t n_settings;
    const char *backend;
    const char *folder;
    char (*texts)[DET_CONFIG_TEXT_MAX + 32]; /* what the short forms became; owned */
    size_t n_texts;
};

/* An argp child: its options go into the struct training_options that the parent's parser sets as
 * child input 0. */
extern const struct argp training_options_argp;

/* Room for argc options. DET_NO_MEMORY. */
enum det_code training_options_begin(struct training_options *options, int argc,
                                     const char *default_folder, struct det_error *err);
/* The configuration that they describe. */
enum det_code training_options_config(const struct training_options *options,
                                      struct det_config *config, struct det_error *err);
void training_options_end(struct training_options *options);

#endif
