/* COCO-format folders: what is read, how it is scaled, and what is refused with which words. */
#include "fixtures/coco_dataset.h"
#include "detector/base/file.h"
#include "fixtures/coco_export.h"
#include "suites/temporary_folder.h"
#include "suites/unit/dataset_helper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A folder of its own for each test, with one picture of 8 columns and 6 rows. */
struct folder {
    char path[64];
    char data[256]; /* "coco:..." */
};

static struct image eight_by_six(void)
{
    struct image image = {6, 8, malloc(3 * 6 * 8)};
    for (int i = 0; i < 3 * 6 * 8; i++)
        image.rgb[i] = (uint8_t)(5 * i);
    return image;
}

static void write_text(const struct folder *folder, const char *name, const char *text)
{
    char path[128];
    struct det_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    cr_assert_eq(det_file_write(path, text, strlen(text), &err), DET_OK, "%s", err.message);
}

static struct folder new_folder(const char *json)
{
    struct folder folder = {.path = "/tmp/detcheck_coco_XXXXXX"};
    struct image image = eight_by_six();
    char path[128];
    void *png;
    size_t size;
    cr_assert_not_null(mkdtemp(folder.path));
    snprintf(folder.data, sizeof folder.data, "coco:%s/a.json,%s", folder.path, folder.path);
    snprintf(path, sizeof path, "%s/p.png", folder.path);
    cr_assert_eq(image_encode_png(&image, &png, &size, NULL), DET_OK);
    cr_assert_eq(det_file_write(path, png, size, NULL), DET_OK);
    image_release(&image);
    free(png);
    write_text(&folder, "a.json", json);
    return folder;
}

static void remove_folder(const struct folder *folder)
{
    static const char *const names[] = {"a.json", "p.png"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
        unlink(path);
    }
    rmdir(folder->path);
}

static struct det_dataset *open_at(const struct folder *folder, int image_size)
{
    struct det_dataset *dataset;
    struct det_error err = {0};
    struct fixture_options options = {.image_size = image_size};
    cr_assert_eq(fixture_open(folder->data, FIXTURE_TRAIN, &options, &dataset, &err), DET_OK, "%s",
                 err.message);
    return dataset;
}

#define IMAGE "{\"id\": 70, \"file_name\": \"p.png\", \"width\": 8, \"height\": 6}"
#define CATEGORIES                                                                                 \
    "\"categories\": [{\"id\": 9, \"name\": \"nine\"}, {\"id\": 4, \"name\": \"four\"}]"
#define FILE_OF(annotations)                                                                       \
    "{\"images\": [" IMAGE "], " CATEGORIES ", \"annotations\": [" annotations "]}"
#define ROW(rest) "{\"id\": 1, \"image_id\": 70, \"category_id\": 4, " rest "}"

/* Columns 2 to 4, rows 1 to 3, in each way to write a mask. Column-major with 6 rows: 2 columns and
 * a pixel free (13), then 3 set and 3 free, 3 set and 3 free, 3 set, 20 free. Compressed: 13 is
 * "=", 3 is "3", 3 is "3"; from the fourth on the difference from the count two before: 3 - 3 = 0,
 * 0, 0, and 20 - 3 = 17, in 5 bits with the sign bit free: 17 = 10001b, continued: "a0". */
static const char *const same_mask[] = {
    FILE_OF(ROW("\"bbox\": [2, 1, 3, 3]")),
    FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": [[2, 1, 5, 1, 5, 4, 2, 4]]")),
    FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": [[2, 1, 4, 1, 4, 4, 2, 4],"
                "[3, 1, 5, 1, 5, 4, 3, 4]]")),
    FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"size\": [6, 8], \"counts\":"
                "[13, 3, 3, 3, 3, 3, 20]}")),
    FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"size\": [6, 8], \"counts\":"
                "\"=33000a0\"}")),
};

static void expect_mask(const struct det_dataset *dataset, const uint8_t *mask, int factor,
                        const char *what)
{
    for (int y = 0; y < dataset->canvas_h; y++)
        for (int x = 0; x < dataset->canvas_w; x++) {
            int want = x >= 2 * factor && x < 5 * factor && y >= factor && y < 4 * factor;
            cr_assert_eq(mask[y * dataset->canvas_w + x], want, "%s: pixel %d %d is %d", what, x, y,
                         mask[y * dataset->canvas_w + x]);
        }
}

Test(coco_dataset, every_kind_of_segmentation_is_read)
{
    for (size_t i = 0; i < sizeof same_mask / sizeof same_mask[0]; i++) {
        struct folder folder = new_folder(same_mask[i]);
        struct det_dataset *dataset = open_at(&folder, 64); /* eight times as large */
        struct det_sample sample = new_sample(dataset);
        cr_assert(dataset->canvas_w == 64 && dataset->canvas_h == 64);
        load(dataset, 0, &sample);
        cr_assert_eq(sample.truth.n, 1);
        cr_expect(sample.width == 64 && sample.height == 48 && sample.resize == 8.0f);
        expect_mask(dataset, sample.truth.masks, 8, same_mask[i]);
        const float want[4] = {16, 8, 40, 32};
        cr_expect_arr_eq(sample.truth.boxes[0], want, sizeof want, "case %zu", i);
        cr_expect_eq(sample.truth.areas[0], 576.0, "case %zu: area %g", i, sample.truth.areas[0]);
        free_sample(&sample);
        dataset->close(dataset);
        remove_folder(&folder);
    }
}

/* A larger canvas holds the same picture, box and mask at the top left, and nothing beyond. */
Test(coco_dataset, canvases_can_be_shared)
{
    struct folder folder = new_folder(same_mask[0]);
    struct det_dataset *small = open_at(&folder, 64), *large = open_at(&folder, 64);
    fixture_grow_canvas(folder.data, large, 32, 96);
    cr_assert(large->canvas_h == 64 && large->canvas_w == 96, "%d x %d", large->canvas_w,
              large->canvas_h);
    struct det_sample a = new_sample(small), b = new_sample(large);
    load(small, 0, &a);
    load(large, 0, &b);
    cr_expect(b.width == 64 && b.height == 48);
    expect_mask(large, b.truth.masks, 8, "a larger canvas");
    for (int p = 0; p < 3 * 64 * 96; p++) {
        int x = p % 96, line = p / 96;
        float want = x < 64 ? a.image[line * 64 + x] : 0.0f;
        cr_assert_eq(b.image[p], want, "column %d of line %d", x, line);
    }
    free_sample(&a);
    free_sample(&b);
    small->close(small);
    large->close(large);
    remove_folder(&folder);
}

Test(coco_dataset, categories_with_gaps_become_1_to_K)
{
    struct folder folder = new_folder(
        FILE_OF("{\"id\": 5, \"image_id\": 70, \"category_id\": 9, \"bbox\": [0, 0, 8, 6],"
                " \"iscrowd\": 1, \"area\": 12},"
                "{\"id\": 3, \"image_id\": 70.0, \"category_id\": 4, \"bbox\": [1.5, 0, 2, 2],"
                " \"iscrowd\": 0}"));
    struct det_dataset *dataset = open_at(&folder, 32);
    struct det_sample sample = new_sample(dataset);
    cr_expect_eq(dataset->size, 1);
    cr_expect_eq(dataset->n_classes, 2);
    cr_expect_eq(dataset->max_objects, 2);
    cr_expect_str_eq(dataset->name, "coco:a.json");
    cr_expect_str_eq(dataset->class_names[0], "four");
    cr_expect_str_eq(dataset->class_names[1], "nine");
    load(dataset, 0, &sample);
    cr_expect_eq(sample.id, 70);
    cr_assert_eq(sample.truth.n, 2);
    cr_expect(sample.truth.labels[0] == 2 && sample.truth.crowd[0] == 1);
    cr_expect(sample.truth.labels[1] == 1 && sample.truth.crowd[1] == 0);
    cr_expect_eq(sample.truth.areas[0], 12.0 * 16, "the file's area, scaled: %g",
                 sample.truth.areas[0]);
    cr_expect_eq(sample.truth.boxes[1][0], 6.0f);
    cr_expect(sample.truth.annotated[0] && sample.truth.annotated[1]);
    free_sample(&sample);
    dataset->close(dataset);
    remove_folder(&folder);
}

Test(coco_dataset, pixels_are_the_pictures)
{
    struct folder folder = new_folder(FILE_OF(ROW("\"bbox\": [2, 1, 3, 3]")));
    struct det_dataset *dataset = open_at(&folder, 32);
    struct det_sample sample = new_sample(dataset);
    struct image image = eight_by_six();
    uint8_t want[3 * 24 * 32];
    image_resize(&image, 24, 32, want);
    for (int round = 0; round < 2; round++) { /* the second time they come from the cache */
        load(dataset, 0, &sample);
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++)
                for (int c = 0; c < 3; c++) {
                    float expected = y < 24 ? (float)want[(y * 32 + x) * 3 + c] / 255.0f : 0.0f;
                    cr_assert_eq(sample.image[(c * 32 + y) * 32 + x], expected,
                                 "round %d, pixel %d %d channel %d", round, x, y, c);
                }
    }
    image_release(&image);
    free_sample(&sample);
    dataset->close(dataset);
    remove_folder(&folder);
}

Test(coco_dataset, boxes_without_area_are_left_out_and_counted)
{
    struct folder folder = new_folder(
        FILE_OF(ROW("\"bbox\": [2, 1, 0, 0]") ","
                                              "{\"id\": 2, \"image_id\": 70, \"category_id\": 4, "
                                              "\"bbox\": [2, 1, 3, 0]},"
                                              "{\"id\": 3, \"image_id\": 70, \"category_id\": 4, "
                                              "\"bbox\": [2, 1, 3, 1]}"));
    struct det_dataset *dataset = open_at(&folder, 32);
    struct det_sample sample = new_sample(dataset);
    load(dataset, 0, &sample);
    cr_expect_eq(sample.truth.n, 1);
    cr_expect_eq(dataset->left_out, 2);
    free_sample(&sample);
    dataset->close(dataset);
    remove_folder(&folder);
}

Test(coco_dataset, images_without_annotations_are_kept)
{
    struct folder folder = new_folder(FILE_OF(""));
    struct det_dataset *dataset = open_at(&folder, 32);
    struct det_sample sample = new_sample(dataset);
    load(dataset, 0, &sample);
    cr_expect_eq(sample.truth.n, 0);
    struct det_error err = {0};
    cr_expect_eq(dataset->load(dataset, 1, &sample, &err), DET_INVALID);
    cr_expect_str_eq(err.message, "coco:a.json: no image 1");
    free_sample(&sample);
    dataset->close(dataset);
    remove_folder(&folder);
}

static const struct {
    const char *json, *says;
} refused[] = {
    {"", "a.json:1: not JSON"},
    {"{\"images\": [\n\n", "a.json:3: not JSON"},
    {"[]", "a.json: no list \"categories\": not a COCO annotation file"},
    {"{\"categories\": [], \"images\": []}", "no list \"annotations\""},
    {"{\"categories\": [], \"images\": [], \"annotations\": []}", "a.json: no categories"},
    {"{\"categories\": [{\"id\": 1, \"name\": \"a\"}], \"images\": [], \"annotations\": []}",
     "a.json: no images"},
    {"{\"categories\": [{\"id\": 1}, 3], \"images\": [], \"annotations\": []}",
     "a.json: category 1: no name"},
    {"{\"categories\": [{\"id\": 1, \"name\": \"a\"}, {\"id\": 1, \"name\": \"b\"}], \"images\": "
     "[],"
     "\"annotations\": []}",
     "a.json: category 1: the id is taken"},
    {"{\"images\": [{\"id\": 1, \"file_name\": \"p.png\", \"width\": 0, \"height\": "
     "6}], " CATEGORIES ", \"annotations\": []}",
     "a.json: image 1: want height and width"},
    {"{\"images\": [{\"id\": 1, \"width\": 8, \"height\": 6}], " CATEGORIES
     ", \"annotations\": []}",
     "a.json: image 1: no file_name"},
    {"{\"images\": [{\"width\": 8, \"height\": 6}], " CATEGORIES ", \"annotations\": []}",
     "a.json: images[0]: no whole number as id"},
    {"{\"images\": [" IMAGE ", " IMAGE "], " CATEGORIES ", \"annotations\": []}",
     "a.json: image 70: the id is taken"},
    {"{\"images\": [{\"id\": 1, \"file_name\": \"q.png\", \"width\": 8, \"height\": "
     "6}], " CATEGORIES ", \"annotations\": []}",
     "q.png: no such file"},
    {FILE_OF(ROW("\"bbox\": [2, 1, -3, 3]")),
     "a.json: annotation 1, image 70: the box has a negative width or height (1 finding;"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 8, 3]")), "annotation 1, image 70: the box lies outside"},
    {FILE_OF(ROW("\"bbox\": [-3, 1, 8, 3]")), "annotation 1, image 70: the box lies outside"},
    {FILE_OF(ROW("\"bbox\": [20, 1, 3, 3]")), "annotation 1, image 70: the box lies outside"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3]")),
     "annotation 1, image 70: bbox is not four finite numbers"},
    {FILE_OF(ROW("\"bbox\": [2, 1, NaN, 3]")), "bbox is not four finite numbers"},
    {FILE_OF(ROW("\"bbox\": [-Infinity, 1, Infinity, 3]")), "bbox is not four finite numbers"},
    {FILE_OF(ROW("\"area\": 3")), "bbox is not four finite numbers"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"area\": -1")), "area is not a number"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"area\": NaN")), "area is not a number"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"iscrowd\": 2")), "iscrowd is neither 0 nor 1"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": 3")), "neither a list of polygons"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": [[1, 2, 3, 4]]")), "a polygon wants"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": [[1, 2, 3, 4, 5, NaN]]")),
     "a polygon's coordinate"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": [[1, 2, 3, 4, 5, 1e300]]")),
     "a polygon's coordinate"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"size\": [8, 6], \"counts\": [48]}")),
     "the RLE's size is not the image's"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"size\": [6, 8], \"counts\": [-1]}")),
     "the RLE's counts"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"counts\": [48]}")),
     "an RLE wants \"size\""},
    {FILE_OF("{\"id\": 1, \"image_id\": 70, \"category_id\": 0, \"bbox\": [2, 1, 3, 3]}"),
     "annotation 1: its category_id is none of the categories"},
    {FILE_OF("{\"id\": 1, \"image_id\": 71, \"category_id\": 4, \"bbox\": [2, 1, 3, 3]}"),
     "annotation 1: no such image_id"},
    {FILE_OF("{\"image_id\": 70, \"category_id\": 4, \"bbox\": [2, 1, 3, 3]}"),
     "annotations[0]: no whole number as id"},
    {FILE_OF("{\"id\": 1.5, \"image_id\": 70, \"category_id\": 4, \"bbox\": [2, 1, 3, 3]}"),
     "annotations[0]: no whole number as id"},
    {FILE_OF("17"), "annotations[0]: no whole number as id"},
    {FILE_OF(ROW("\"bbox\": [2, 1, 3, 3]") "," ROW("\"bbox\": [2, 1, 3, 3]")),
     "annotation 1: the id is taken"},
};

Test(coco_dataset, refuses_what_is_wrong_and_says_where)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct folder folder = new_folder(refused[i].json);
        struct det_dataset *dataset;
        struct det_error err = {0};
        enum det_code code = coco_dataset_open(folder.data, 32, &dataset, &err);
        cr_expect_eq(code, DET_INVALID, "case %zu (%s): code %d", i, refused[i].says, (int)code);
        cr_expect(strstr(err.message, refused[i].says), "case %zu: got \"%s\", want \"%s\"", i,
                  err.message, refused[i].says);
        cr_expect_null(strchr(err.message, '\n'), "case %zu: more than one line", i);
        remove_folder(&folder);
    }
}

Test(coco_dataset, names_that_lead_nowhere_are_refused)
{
    static const struct {
        const char *data, *says;
        int image_size;
        enum det_code code;
    } cases[] = {
        {"coco:", "want coco:ANN.json,IMAGE_DIR", 0, DET_INVALID},
        {"coco:a.json", "want coco:ANN.json,IMAGE_DIR", 0, DET_INVALID},
        {"coco:a.json,", "want coco:ANN.json,IMAGE_DIR", 0, DET_INVALID},
        {"coco:,x", "want coco:ANN.json,IMAGE_DIR", 0, DET_INVALID},
        {"coco:/no/such.json,x", "/no/such.json", 0, DET_IO},
        {"coco:/no/such.json,x", "image_size 8 is out of range", 8, DET_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture_options options = {.image_size = cases[i].image_size};
        struct det_dataset *dataset;
        struct det_error err = {0};
        enum det_code code = fixture_open(cases[i].data, FIXTURE_VAL, &options, &dataset, &err);
        cr_expect_eq(code, cases[i].code, "%s: code %d", cases[i].data, (int)code);
        cr_expect(strstr(err.message, cases[i].says), "%s: \"%s\"", cases[i].data, err.message);
    }
}

static void expect_load_fails(const char *json, const char *picture, const char *says)
{
    struct folder folder = new_folder(json);
    if (picture)
        write_text(&folder, "p.png", picture);
    struct det_dataset *dataset = open_at(&folder, 32);
    struct det_sample sample = new_sample(dataset);
    struct det_error err = {0};
    cr_expect_eq(dataset->load(dataset, 0, &sample, &err), DET_INVALID, "%s: passes", says);
    cr_expect(strstr(err.message, says), "got \"%s\", want \"%s\"", err.message, says);
    free_sample(&sample);
    dataset->close(dataset);
    remove_folder(&folder);
}

Test(coco_dataset, what_shows_only_when_loading_is_an_error_too)
{
    expect_load_fails(FILE_OF(""), "no picture", "p.png: neither PNG nor JPEG");
    expect_load_fails(FILE_OF(""), "\x89PNG\r\n\x1a\n", "p.png: not a readable PNG");
    expect_load_fails("{\"images\": [{\"id\": 1, \"file_name\": \"p.png\", \"width\": 8,"
                      "\"height\": 8}], " CATEGORIES ", \"annotations\": []}",
                      NULL, "p.png: 8 x 6 pixels, but the annotations say 8 x 8");
    expect_load_fails(FILE_OF(ROW("\"bbox\": [2, 1, 3, 3], \"segmentation\": {\"size\": [6, 8],"
                                  "\"counts\": [40]}")),
                      NULL, "coco:a.json: annotation 1: ");
}

/* A recipe written out and read back is the same data, bit for bit. */
Test(coco_dataset, exported_recipes_come_back_the_same)
{
    static const char *const recipes[] = {"crowd", "long_tail", "lookalike", "sparse"};
    for (size_t r = 0; r < sizeof recipes / sizeof recipes[0]; r++) {
        const int n = 12;
        char folder[] = "/tmp/detcheck_export_XXXXXX", data[256], command[128];
        struct det_error err = {0};
        cr_assert_not_null(mkdtemp(folder));
        struct det_dataset *recipe = open_recipe(recipes[r], FIXTURE_TRAIN, 0, 3), *back;
        cr_assert_eq(coco_export(recipe, n, folder, "test", &err), DET_OK, "%s", err.message);
        snprintf(data, sizeof data, "coco:%s/annotations.json,%s/images", folder, folder);
        cr_assert_eq(coco_dataset_open(data, recipe->canvas_w, &back, &err), DET_OK, "%s",
                     err.message);
        cr_expect_eq(back->size, n);
        cr_expect_eq(back->n_classes, recipe->n_classes);
        struct det_sample a = new_sample(recipe), b = new_sample(back);
        for (int i = 0; i < n; i++) {
            load(recipe, i, &a);
            load(back, i, &b);
            cr_expect_eq(hash_sample(back, &b), hash_sample(recipe, &a), "%s image %d differs",
                         recipes[r], i);
            cr_expect_eq(a.id, b.id);
            for (int row = 0; row < a.truth.n && row < b.truth.n; row++)
                cr_expect_eq(a.truth.areas[row], b.truth.areas[row], "%s image %d row %d: area",
                             recipes[r], i, row);
        }
        free_sample(&a);
        free_sample(&b);
        recipe->close(recipe);
        back->close(back);
        snprintf(command, sizeof command, "rm -r %s", folder);
        cr_expect_eq(system(command), 0);
    }
}

Test(coco_dataset, export_to_nowhere_is_an_error)
{
    struct det_dataset *recipe = open_recipe("lookalike", FIXTURE_TRAIN, 0, 3);
    struct det_error err = {0};
    cr_expect_eq(coco_export(recipe, 1, "/proc/nowhere", "test", &err), DET_IO);
    cr_expect(strstr(err.message, "/proc/nowhere"), "%s", err.message);
    recipe->close(recipe);
}

static const struct det_dataset *whole;

static enum det_code fail_at_the_third(const struct det_dataset *broken, int64_t index,
                                       struct det_sample *sample, struct det_error *err)
{
    (void)broken;
    if (index == 2)
        return det_fail(err, DET_IO, "image 2 is broken");
    return whole->load(whole, index, sample, err);
}

/* Pictures without annotations would pass for a dataset without objects. */
Test(coco_dataset, a_failed_export_leaves_nothing)
{
    struct temporary_folder folder;
    struct det_error err = {0};
    temporary_folder_make(&folder);
    struct det_dataset *recipe = open_recipe("lookalike", FIXTURE_TRAIN, 0, 3);
    struct det_dataset broken = *recipe;
    broken.load = fail_at_the_third;
    whole = recipe;
    cr_expect_eq(coco_export(&broken, 5, in_folder(&folder, "new"), "test", &err), DET_IO);
    cr_expect_str_eq(err.message, "image 2 is broken");
    cr_expect_eq(access(in_folder(&folder, "new"), F_OK), -1, "the folder is still there");

    cr_assert_eq(det_file_write(in_folder(&folder, "notes.txt"), "kept", 4, &err), DET_OK);
    cr_assert_eq(coco_export(recipe, 3, folder.path, "test", &err), DET_OK, "%s", err.message);
    cr_expect_eq(coco_export(&broken, 5, folder.path, "test", &err), DET_IO);
    cr_expect_eq(access(in_folder(&folder, "notes.txt"), F_OK), 0, "another file is gone");
    cr_expect_eq(access(in_folder(&folder, "annotations.json"), F_OK), -1,
                 "annotations of pictures that are not all there");
    cr_expect_eq(access(in_folder(&folder, "images/000001.png"), F_OK), -1, "a picture is left");
    recipe->close(recipe);
    temporary_folder_remove(&folder);
}

/* Halved, a pixel's centre lies on the corner of four; the lower right one is taken: 2 i + 1. */
Test(coco_dataset, shrunk_masks_take_the_pixel_under_the_centre)
{
    char folder[] = "/tmp/detcheck_shrink_XXXXXX", data[256], command[128];
    struct det_error err = {0};
    cr_assert_not_null(mkdtemp(folder));
    struct det_dataset *large = open_recipe("balanced", FIXTURE_VAL, 0, 3), *small;
    cr_assert_eq(coco_export(large, 4, folder, "test", &err), DET_OK, "%s", err.message);
    snprintf(data, sizeof data, "coco:%s/annotations.json,%s/images", folder, folder);
    cr_assert_eq(coco_dataset_open(data, 32, &small, &err), DET_OK, "%s", err.message);
    struct det_sample a = new_sample(large), b = new_sample(small);
    for (int i = 0; i < 4; i++) {
        load(large, i, &a);
        load(small, i, &b);
        cr_assert_eq(a.truth.n, b.truth.n);
        cr_expect_eq(b.resize, 0.5f);
        for (int row = 0; row < a.truth.n; row++) {
            for (int p = 0; p < 32 * 32; p++) {
                int from = row * 64 * 64 + (2 * (p / 32) + 1) * 64 + 2 * (p % 32) + 1;
                cr_assert_eq(b.truth.masks[row * 32 * 32 + p], a.truth.masks[from],
                             "image %d row %d: pixel %d %d", i, row, p % 32, p / 32);
            }
            for (int k = 0; k < 4; k++)
                cr_expect_eq(2 * b.truth.boxes[row][k], a.truth.boxes[row][k]);
            cr_expect_eq(4 * b.truth.areas[row], a.truth.areas[row]);
        }
    }
    free_sample(&a);
    free_sample(&b);
    large->close(large);
    small->close(small);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}
