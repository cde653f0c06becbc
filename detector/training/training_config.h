/* The configuration of a training run: every key, with its default.
 *
 * training_config.def lists the keys once (name, type, default, range, unit, meaning); the struct
 * below, the defaults, the parser's table and the documentation check all come from that list, and
 * a test holds config.yaml to it. The loss fixes stand at the top level under their own names. */
#ifndef DET_TRAINING_TRAINING_CONFIG_H
#define DET_TRAINING_TRAINING_CONFIG_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define DET_CONFIG_LIST_MAX 8
#define DET_CONFIG_TEXT_MAX 256

struct det_config_list { /* a short list of numbers, as [8, 16, 32] in YAML */
    int n;
    double at[DET_CONFIG_LIST_MAX];
};

enum det_config_type {
    DET_CONFIG_INT,    /* int64_t */
    DET_CONFIG_FLOAT,  /* double */
    DET_CONFIG_BOOL,   /* int 0/1 */
    DET_CONFIG_CHOICE, /* int: index into `choices` */
    DET_CONFIG_LIST,   /* struct det_config_list */
    DET_CONFIG_TEXT,   /* char[DET_CONFIG_TEXT_MAX] */
};

/* Enumerations behind the choices; the order is that of the choices text in the .def file. */
enum det_config_reduction { DET_CONFIG_MEAN, DET_CONFIG_SUM };
enum det_config_rpn_avg_factor {
    DET_RPN_AVG_SAMPLED,
    DET_RPN_AVG_POSITIVES,
    DET_RPN_AVG_NONE, /* mean over every anchor of the batch; with reduction sum: no division */
};
enum det_config_roi_avg_factor {
    DET_ROI_AVG_WEIGHTS,
    DET_ROI_AVG_ROIS,
    DET_ROI_AVG_POSITIVES,
    DET_ROI_AVG_NONE,
};
enum det_config_cls_loss { DET_CONFIG_LOSS_PLAIN, DET_CONFIG_LOSS_FOCAL, DET_CONFIG_LOSS_OHEM };
enum det_config_preset { DET_PRESET_TINY, DET_PRESET_R18, DET_PRESET_R50, DET_PRESET_CUSTOM };
enum det_config_block { DET_BLOCK_BASIC, DET_BLOCK_BOTTLENECK };
enum det_config_norm { DET_NORM_GN, DET_NORM_FROZEN_BN };
enum det_config_optimizer { DET_CONFIG_SGD, DET_CONFIG_ADAMW };
enum det_config_decay { DET_DECAY_MULTI_STEP, DET_DECAY_COSINE, DET_DECAY_NONE };
enum det_config_precision {
    DET_PRECISION_FP32,
    DET_PRECISION_BF16,
    DET_PRECISION_FP16,
    DET_PRECISION_TF32,
};

struct det_config {
#define DET_KEY_INT(field, name, def, lo, hi, unit, doc) int64_t field;
#define DET_KEY_FLOAT(field, name, def, lo, hi, unit, doc) double field;
#define DET_KEY_BOOL(field, name, def, doc) int field;
#define DET_KEY_CHOICE(field, name, def, choices, doc) int field;
#define DET_KEY_LIST(field, name, def, lo, hi, unit, doc) struct det_config_list field;
#define DET_KEY_TEXT(field, name, def, doc) char field[DET_CONFIG_TEXT_MAX];
#include "detector/training/training_config.def"
};

/* One row of the list, as data. `name` is dotted: "optimizer.lr"; top-level keys have no dot. */
struct det_config_key {
    const char *name;
    enum det_config_type type;
    size_t offset;           /* of the field in struct det_config */
    const char *def;         /* the default as text, parsed like any value: "5.0", "[8, 16]" */
    double low, high;        /* allowed range of a number, or of each number of a list */
    const char *choices;     /* "mean|sum" */
    const char *unit;
    const char *doc;
};

/* All keys, in the order of the file; *n receives their number. */
const struct det_config_key *det_config_keys(size_t *n);

/* The key of that dotted name, or NULL. */
const struct det_config_key *det_config_find(const char *name);

/* The known name nearest to `name` (edit distance), for error messages. Never NULL. */
const char *det_config_nearest(const char *name);

/* Every key at its default, preset `tiny` resolved. */
void det_config_defaults(struct det_config *config);

/* Set one key from text ("0.02", "true", "sgd", "[8, 16, 32]"). DET_INVALID for an unknown key (with
 * the nearest name), a wrong type or a value out of range (with the range). */
enum det_code det_config_set(struct det_config *config, const char *name, const char *value,
                             struct det_error *err);

/* Set the preset's keys (most of model.*, and the sampler's and proposals' counts under rpn.* and
 * roi.*) to those of config->model_preset; nothing for custom. Called when the preset is chosen,
 * before single keys are set over it. */
void det_config_apply_preset(struct det_config *config);

/* Whether a preset sets this key. */
int det_config_is_preset_key(const struct det_config_key *key);

/* What single keys cannot say: contradictions between keys (sum with an avg_factor, warm-up longer
 * than the run, ...). */
enum det_code det_config_validate(const struct det_config *config, struct det_error *err);

/* The value of one key as text that det_config_set reads back to the same bits. */
void det_config_print(const struct det_config *config, const struct det_config_key *key,
                      char *out, size_t size);

#endif
