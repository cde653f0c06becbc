/* The data check finds every fault that it promises to find, and none in the shipped recipes. */
#include "detector/base/file.h"
#include "fixtures/data_check.h"
#include "fixtures/image_io.h"
#include "fixtures/imbalance.h"
#include "suites/unit/dataset_helper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Test(dataset_check, shipped_recipes_have_no_findings)
{
    struct fixture_names recipes;
    struct det_error err = {0};
    cr_assert_eq(fixture_list(NULL, &recipes, &err), DET_OK, "%s", err.message);
    cr_assert_geq(recipes.n, 9);
    for (int i = 0; i < recipes.n; i++) {
        struct fixture_options options = {.seed = 2, .all_objects = 1};
        struct findings findings = {0};
        int64_t images = 0;
        enum det_code code =
            data_check(recipes.at[i], FIXTURE_TRAIN, &options, 50, &findings, &images, &err);
        cr_expect_eq(code, DET_OK, "%s", err.message);
        cr_expect_eq(images, 50);
        cr_expect_eq(findings.n, 0, "%s: %s", recipes.at[i], findings.first_fatal);
    }
}

/* A sample with one good object of label 1 at 4 4 12 12 on 32 x 32 pixels, two classes. */
struct made {
    struct det_dataset dataset;
    struct det_sample sample;
};

static struct made make_sample(void)
{
    struct made made = {
        .dataset = {.name = "made", .n_classes = 2, .canvas_h = 32, .canvas_w = 32}};
    made.sample = new_sample(&made.dataset);
    memset(made.sample.image, 0, 3 * 32 * 32 * sizeof(float));
    cr_assert_eq(det_sample_reserve(&made.sample, 1, 32 * 32, NULL), DET_OK);
    struct det_annotations *truth = &made.sample.truth;
    made.sample.height = made.sample.width = 32;
    truth->n = 1;
    truth->labels[0] = 1;
    truth->annotated[0] = 1;
    truth->areas[0] = 64;
    for (int k = 0; k < 4; k++)
        truth->boxes[0][k] = k < 2 ? 4.0f : 12.0f;
    for (int y = 4; y < 12; y++)
        memset(truth->masks + 32 * y + 4, 1, 8);
    return made;
}

enum fault {
    NONE,
    CLASS_0,
    CLASS_3,
    X_SWAPPED,
    X_EQUAL,
    Y_EQUAL,
    LEFT_OF_IMAGE,
    BELOW_IMAGE,
    NAN_EDGE,
    INFINITE_EDGE,
    BOX_APART,
    MASK_EMPTY,
    MASK_VALUE,
    AREA_NAN,
    PIXEL_NAN,
    PIXEL_BRIGHT,
    FAULTS
};

static void damage(struct det_sample *sample, enum fault fault)
{
    struct det_annotations *truth = &sample->truth;
    float *box = truth->boxes[0];
    switch (fault) {
    case CLASS_0:
        truth->labels[0] = 0;
        break;
    case CLASS_3:
        truth->labels[0] = 3;
        break;
    case X_SWAPPED:
        box[0] = 12, box[2] = 4;
        break;
    case X_EQUAL:
        box[2] = box[0];
        break;
    case Y_EQUAL:
        box[3] = box[1];
        break;
    case LEFT_OF_IMAGE:
        box[0] = -1;
        break;
    case BELOW_IMAGE:
        sample->height = 11;
        break;
    case NAN_EDGE:
        box[3] = NAN;
        break;
    case INFINITE_EDGE:
        box[2] = INFINITY;
        break;
    case BOX_APART:
        box[2] = 15;
        break;
    case MASK_EMPTY:
        memset(truth->masks, 0, 32 * 32);
        break;
    case MASK_VALUE:
        truth->masks[32 * 5 + 5] = 255;
        break;
    case AREA_NAN:
        truth->areas[0] = NAN;
        break;
    case PIXEL_NAN:
        sample->image[77] = NAN;
        break;
    case PIXEL_BRIGHT:
        sample->image[77] = 255;
        break;
    case NONE:
    case FAULTS:
        break;
    }
}

Test(dataset_check, every_fault_of_a_sample_is_found)
{
    static const char *const says[FAULTS] = {
        [CLASS_0] = "made: image 0, row 0: class 0 is not in 1 .. 2",
        [CLASS_3] = "made: image 0, row 0: class 3 is not in 1 .. 2",
        [X_SWAPPED] = "made: image 0, row 0: the box has x2 <= x1",
        [X_EQUAL] = "made: image 0, row 0: the box has x2 <= x1",
        [Y_EQUAL] = "made: image 0, row 0: the box has y2 <= y1",
        [LEFT_OF_IMAGE] = "made: image 0, row 0: the box lies outside the image",
        [BELOW_IMAGE] = "made: image 0, row 0: the box lies outside the image",
        [NAN_EDGE] = "made: image 0, row 0: the box is not finite",
        [INFINITE_EDGE] = "made: image 0, row 0: the box is not finite",
        [BOX_APART] = "made: image 0, row 0: the mask's box and the box are apart",
        [MASK_EMPTY] = "made: image 0, row 0: the mask is empty",
        [MASK_VALUE] = "made: image 0, row 0: the mask has values other than 0 and 1",
        [AREA_NAN] = "made: image 0, row 0: the area is not a positive number",
        [PIXEL_NAN] = "made: image 0: a pixel is not in 0 .. 1",
        [PIXEL_BRIGHT] = "made: image 0: a pixel is not in 0 .. 1",
    };
    for (int fault = NONE; fault < FAULTS; fault++) {
        struct made made = make_sample();
        struct findings findings = {0};
        damage(&made.sample, (enum fault)fault);
        data_check_sample(&made.dataset, &made.sample, &findings);
        cr_expect_eq(findings.n, fault != NONE, "fault %d: %d findings", fault, (int)findings.n);
        if (fault != NONE)
            cr_expect_str_eq(findings.first_fatal, says[fault], "fault %d: %s", fault,
                             findings.first_fatal);
        free_sample(&made.sample);
    }
}

static void collect(void *arg, const char *line)
{
    char *all = arg;
    strncat(all, line, 4095 - strlen(all));
    strncat(all, "\n", 4095 - strlen(all));
}

/* Everything that is wrong with a folder is told, not the first thing only. */
Test(dataset_check, every_fault_of_a_folder_is_told)
{
    static const char json[] =
        "{\"categories\": [{\"id\": 1, \"name\": \"a\"}], \"images\": ["
        "{\"id\": 1, \"file_name\": \"p.png\", \"width\": 8, \"height\": 6},"
        "{\"id\": 2, \"file_name\": \"gone.png\", \"width\": 8, \"height\": 6},"
        "{\"id\": 3, \"file_name\": \"text.png\", \"width\": 8, \"height\": 6},"
        "{\"id\": 4, \"file_name\": \"p.png\", \"width\": 9, \"height\": 6}],"
        "\"annotations\": ["
        "{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 3, 3]},"
        "{\"id\": 2, \"image_id\": 1, \"category_id\": 0, \"bbox\": [1, 1, 3, 3]},"
        "{\"id\": 3, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 0, 3]},"
        "{\"id\": 4, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, NaN, 3]},"
        "{\"id\": 5, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 3, 3],"
        " \"segmentation\": [[5, 3, 8, 3, 8, 6, 5, 6]]},"
        "{\"id\": 6, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 3, 3],"
        " \"segmentation\": {\"size\": [6, 8], \"counts\": [47]}},"
        "{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 3, 3]}]}";
    static const char *const says[] = {
        "annotation 2: its category_id is none of the categories\n",
        "annotation 3, image 1: the box has no area\n",
        "annotation 4, image 1: bbox is not four finite numbers\n",
        "annotation 1: the id is taken\n",
        "annotation 5: the mask's box 5 3 8 6 and the box 1 1 4 4 are apart\n",
        "annotation 6: ",
        "gone.png",
        "text.png: neither PNG nor JPEG\n",
        "p.png: 8 x 6 pixels, but the annotations say 9 x 6\n",
    };
    char folder[] = "/tmp/detcheck_check_XXXXXX", data[256], path[128], command[128];
    char all[4096] = "";
    struct findings findings = {.each = collect, .arg = all};
    struct fixture_options options = {.seed = 1};
    struct det_error err = {0};
    uint8_t pixels[3 * 6 * 8] = {0};
    void *png;
    size_t size;
    int64_t images = 0;
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(image_encode_png(&(struct image){6, 8, pixels}, &png, &size, NULL), DET_OK);
    const struct {
        const char *name;
        const void *data;
        size_t size;
    } files[] = {{"a.json", json, sizeof json - 1}, {"p.png", png, size}, {"text.png", "text", 4}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        cr_assert_eq(det_file_write(path, files[i].data, files[i].size, NULL), DET_OK);
    }
    snprintf(data, sizeof data, "coco:%s/a.json,%s", folder, folder);
    enum det_code code = data_check(data, FIXTURE_TRAIN, &options, 0, &findings, &images, &err);
    cr_expect_eq(code, DET_OK, "%s", err.message);
    cr_expect_eq(images, 4);
    cr_expect_eq(findings.n, sizeof says / sizeof says[0], "%d findings:\n%s", (int)findings.n,
                 all);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        cr_expect(strstr(all, says[i]), "not told: %s", says[i]);
    free(png);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}

Test(dataset_check, what_cannot_be_read_is_an_error_and_no_finding)
{
    static const char *const sources[] = {"coco:/no/such.json,/tmp", "coco:nothing", "no_recipe"};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct fixture_options options = {.seed = 1};
        struct findings findings = {0};
        struct det_error err = {0};
        int64_t images;
        cr_expect_neq(data_check(sources[i], FIXTURE_TRAIN, &options, 0, &findings, &images, &err),
                      DET_OK, "%s", sources[i]);
        cr_expect(err.message[0] && findings.n == 0, "%s: \"%s\"", sources[i], err.message);
    }
}

Test(dataset_check, no_images_is_a_finding)
{
    char file[] = "/tmp/detcheck-no-images-XXXXXX", data[64];
    struct fixture_options options = {.seed = 1};
    struct findings findings = {0};
    struct det_error err = {0};
    int64_t images;
    int fd = mkstemp(file);
    cr_assert_geq(dprintf(fd, "{\"images\": [], \"annotations\": [], "
                              "\"categories\": [{\"id\": 1, \"name\": \"a\"}]}"), 0);
    close(fd);
    snprintf(data, sizeof data, "coco:%s,/tmp", file);
    cr_expect_eq(data_check(data, FIXTURE_TRAIN, &options, 0, &findings, &images, &err), DET_OK,
                 "%s", err.message);
    cr_expect(findings.fatal == 1 && strstr(findings.first_fatal, "no images"), "%d findings: %s",
              (int)findings.n, findings.first_fatal);
    unlink(file);
}
