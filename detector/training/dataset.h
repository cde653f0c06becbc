/* What the detector asks of a dataset. The rooms above implement it (fixtures/: recipes, COCO). */
#ifndef DET_TRAINING_DATASET_H
#define DET_TRAINING_DATASET_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* One image's annotations. Arrays are owned by the sample and grow as needed (det_sample_reserve). */
struct det_annotations {
    int n;
    float (*boxes)[4];  /* x1 y1 x2 y2 in pixels of the delivered image */
    int32_t *labels;    /* 1..K */
    uint8_t *crowd;     /* 1: COCO iscrowd: not trained on, ignored in evaluation */
    uint8_t *annotated; /* 0: present in the scene but left out of training (missing label); always 1
                           in what training sees */
    uint8_t *masks;     /* [n, height, width] 0/1 */
    double *areas;      /* mask area in pixels */
    int capacity;       /* objects allocated */
    size_t mask_capacity; /* bytes allocated */
};

struct det_sample {
    float *image;  /* [3, canvas_h, canvas_w] RGB in [0, 1], zero outside height x width; owned by
                      the caller who made the sample */
    int64_t id;    /* stable image id */
    int height, width; /* live part of the canvas */
    float resize;  /* delivered pixels per original pixel */
    struct det_annotations truth; /* crowd rows included; masks [n, canvas_h, canvas_w] */
};

/* Room for n objects with masks of mask_bytes each; keeps nothing. DET_NO_MEMORY. */
enum det_code det_sample_reserve(struct det_sample *sample, int n, size_t mask_bytes,
                                 struct det_error *err);
/* Free what the sample owns (the annotation arrays, not `image`). Safe on a zeroed sample. */
void det_sample_release(struct det_sample *sample);

struct det_dataset {
    const char *name;      /* for logs: "lookalike", "coco:train.json" */
    int64_t size;          /* images; INT64_MAX: endless (a recipe) */
    int n_classes;         /* K, background not counted */
    const char *const *class_names; /* [K], class k's name at k - 1 */
    int canvas_h, canvas_w; /* every delivered image; multiples of 32 */
    int max_objects;       /* most annotations of one image */
    int left_out;          /* annotations without area, with which nothing can be trained: not
                              delivered, to be reported */
    uint64_t checksum;     /* of the recipe and its first images, or of the annotation file */
    /* Image `index` into sample (whose image buffer the caller gave). A pure function of (dataset,
     * index): any order, any thread. Once `truth` has grown to its largest, allocates nothing for a
     * recipe. */
    enum det_code (*load)(const struct det_dataset *self, int64_t index, struct det_sample *sample,
                          struct det_error *err);
    void (*close)(struct det_dataset *self); /* frees the dataset itself */
};

#endif
