/* detcheck dataset checksum: the table that golden/fixtures/checksums.txt holds. */
#include "fixtures/fixture.h"
#include "fixtures/recipe_dataset.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/dataset/dataset_options.h"
#include "harness/program/exit_status.h"

#include <inttypes.h>
#include <stdio.h>

static enum det_code print_row(const struct fixture_options *options, const char *name,
                               enum fixture_split split, struct det_error *err)
{
    struct det_dataset *dataset;
    enum det_code code = fixture_open(name, split, options, &dataset, err);
    if (code)
        return code;
    printf("%-16s %-5s %016" PRIx64 "\n", name, split == FIXTURE_VAL ? "val" : "train",
           dataset->checksum);
    dataset->close(dataset);
    return DET_OK;
}

int dataset_checksum(int argc, char **argv, struct det_error *err)
{
    struct dataset_options options = {0};
    struct fixture_names recipes;
    dataset_options_parse(argc, argv, "r", NULL,
                          "Print the checksum of every shipped recipe: pixels, boxes and masks of "
                          "its first images. The same on every machine.",
                          &options);
    struct fixture_options fixture = dataset_options_fixture(&options);
    enum det_code code = fixture_list(NULL, &recipes, err);
    if (code)
        return exit_status_of(code);
    printf("# recipe, split, checksum of the first %d images with seed %" PRIu64
           ": `detcheck dataset checksum`\n",
           RECIPE_CHECKSUM_IMAGES, options.seed);
    for (int i = 0; !code && i < recipes.n; i++) {
        code = print_row(&fixture, recipes.at[i], FIXTURE_TRAIN, err);
        if (!code)
            code = print_row(&fixture, recipes.at[i], FIXTURE_VAL, err);
    }
    return exit_status_of(code);
}
