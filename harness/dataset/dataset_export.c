/* detcheck dataset export: a dataset as COCO JSON + PNG. */
#include "fixtures/coco_export.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/dataset/dataset_options.h"
#include "harness/program/exit_status.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_IMAGES 100

int dataset_export(int argc, char **argv, struct det_error *err)
{
    struct dataset_options options = {.images = DEFAULT_IMAGES};
    struct det_dataset *dataset;
    char about[400];
    dataset_options_parse(argc, argv, "onprz", "SOURCE",
                          "Write images (100) as PNG and their annotations as COCO JSON to --out: "
                          "DIR/annotations.json, DIR/images/. Training data as training sees them: "
                          "objects without a label are in the pictures only.",
                          &options);
    if (!options.out) {
        det_fail(err, DET_INVALID, "dataset export: want --out DIR");
        return STATUS_BAD_INPUT;
    }
    struct fixture_options fixture = dataset_options_fixture(&options);
    enum det_code code = fixture_open(options.source, options.split, &fixture, &dataset, err);
    if (code)
        return exit_status_of(code);
    snprintf(about, sizeof about, "%.200s, %s split, seed %" PRIu64 ", checksum %016" PRIx64,
             dataset->name, options.split == FIXTURE_VAL ? "val" : "train", options.seed,
             dataset->checksum);
    code = coco_export(dataset, options.images, options.out, about, err);
    int64_t written = options.images < dataset->size ? options.images : dataset->size;
    dataset->close(dataset);
    if (!code)
        printf("%" PRId64 " images; train on them with coco:%s/annotations.json,%s/images\n",
               written, options.out, options.out);
    return exit_status_of(code);
}
