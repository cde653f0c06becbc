/* The recipe language: what is read, and what is refused with which words. */
#include "fixtures/recipe.h"
#include "fixtures/fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum det_code read_text(const char *text, struct recipe *recipe, struct det_error *err)
{
    struct yaml_file *file;
    enum det_code code = yaml_file_parse(text, "dir/test.yaml", &file, err);
    if (code)
        return code;
    code = recipe_read(file, recipe, err);
    yaml_file_close(file);
    return code;
}

Test(recipe, reads_every_key)
{
    struct recipe recipe;
    struct det_error err = {0};
    enum det_code code = read_text("about: a test\n"
                                   "image_size: 96\n"
                                   "objects: [1, 3]\n"
                                   "size: 8\n"
                                   "overlap: 0.25\n"
                                   "empty_share: 1/4\n"
                                   "lookalike_ratio: 2.5\n"
                                   "zipf: 1\n"
                                   "missing_labels: 1/2\n"
                                   "crowd:\n  share: 0.125\n  objects: [3, 4]\n"
                                   "background:\n  kind: plain\n  low: 0.1\n  high: 0.9\n"
                                   "noise:\n  block: 0\n  white: 0.5\n"
                                   "colour_jitter: 0\n"
                                   "classes:\n"
                                   "  - name: first\n    shape: ring\n    colour: [1, 2, 3]\n"
                                   "    frequency: 2\n    annotation_probability: 1/3\n"
                                   "  - name: second\n",
                                   &recipe, &err);
    cr_assert_eq(code, DET_OK, "%s", err.message);
    cr_expect_str_eq(recipe.name, "test");
    cr_expect_str_eq(recipe.about, "a test");
    cr_expect_eq(recipe.image_size, 96);
    cr_expect(recipe.objects.low == 1 && recipe.objects.high == 3);
    cr_expect(recipe.size.low == 8 && recipe.size.high == 8);
    cr_expect_eq(recipe.overlap, 0.25);
    cr_expect_eq(recipe.empty_share, 0.25);
    cr_expect_eq(recipe.lookalike_ratio, 2.5);
    cr_expect_eq(recipe.missing_labels, 0.5);
    cr_expect_eq(recipe.crowd_share, 0.125);
    cr_expect(recipe.crowd_objects.low == 3 && recipe.crowd_objects.high == 4);
    cr_expect_eq(recipe.background, RECIPE_PLAIN);
    cr_expect(recipe.background_low == 0.1 && recipe.background_high == 0.9);
    cr_expect(recipe.noise_block == 0 && recipe.noise_white == 0.5 && recipe.colour_jitter == 0);
    cr_expect_eq(recipe.n_classes, 2);
    cr_expect_str_eq(recipe.classes[0].name, "first");
    cr_expect_eq(recipe.classes[0].shape, SHAPE_RING);
    cr_expect(recipe.classes[0].colour[0] == 1 && recipe.classes[0].colour[2] == 3);
    cr_expect_eq(recipe.classes[0].annotation_probability, 1.0 / 3);
    cr_expect_str_eq(recipe.classes[1].name, "second");
    cr_expect_eq(recipe.classes[1].annotation_probability, 1.0);
    /* Zipf 1 and frequencies 2, 1: weights 1 and 1/2 * 1/2 of the largest, in millionths, + 1. */
    cr_expect(recipe.classes[0].weight == 1000001 && recipe.classes[1].weight == 250001, "%u %u",
              recipe.classes[0].weight, recipe.classes[1].weight);
    /* (1/3) * (1 - 1/2) / (1 + 2.5) */
    cr_expect_float_eq(recipe_annotated_share(&recipe, 1), 1.0 / 21, 1e-15);
    /* 3 groups of up to 1 + 3, and a crowd of 4. */
    cr_expect_eq(recipe_most_objects(&recipe), 16);
}

#define ONE_CLASS "classes:\n  - name: a\n"

static const struct {
    const char *text, *says;
} refused[] = {
    {"objects: 4\n", "dir/test.yaml:1: classes: none given"},
    {"classes: []\n", "dir/test.yaml:1: classes: want a list of classes"},
    {"classes: 3\n", "dir/test.yaml:1: classes: want a list of classes"},
    {"classes:\n  name: a\n", "dir/test.yaml:2: classes: want a list of classes"},
    {ONE_CLASS "objcts: 4\n",
     "dir/test.yaml:3: objcts: unknown key; the nearest one is \"objects\""},
    {ONE_CLASS "    shpe: ring\n",
     "dir/test.yaml:3: classes.0.shpe: unknown key; the nearest one is \"shape\""},
    {ONE_CLASS "    shape: rings\n",
     "dir/test.yaml:3: classes.0.shape: unknown value \"rings\"; the nearest one is \"ring\""},
    {ONE_CLASS "    colour: red\n", "dir/test.yaml:3: classes.0.colour: want a colour"},
    {ONE_CLASS "    colour: [1, 2]\n", "dir/test.yaml:3: classes.0.colour: want a colour"},
    {ONE_CLASS "    colour: [1, 2, 3, 4]\n", "dir/test.yaml:3: classes.0.colour: want a colour"},
    {ONE_CLASS "    colour: [1, 2, 256]\n", "dir/test.yaml:3: classes.0.colour: want a colour"},
    {ONE_CLASS "    annotation_probability: 1.5\n",
     "dir/test.yaml:3: classes.0.annotation_probability: want a number, 0 to 1, got \"1.5\""},
    {ONE_CLASS "    annotation_probability: -0.1\n", "want a number, 0 to 1"},
    {ONE_CLASS "    annotation_probability: nan\n", "want a number, 0 to 1"},
    {ONE_CLASS "    annotation_probability: 1/0\n", "want a number, 0 to 1"},
    {ONE_CLASS "    annotation_probability: 1/3x\n", "want a number, 0 to 1"},
    {ONE_CLASS "    annotation_probability:\n", "want a number, 0 to 1"},
    {ONE_CLASS "    frequency: 0\n", "dir/test.yaml:1: classes: every frequency is 0"},
    {ONE_CLASS "  - name: a\n", "dir/test.yaml:3: classes.1.name: \"a\" is taken"},
    {ONE_CLASS "image_size: 16\n", "dir/test.yaml:3: image_size: want a whole number, 32 to 4096"},
    {ONE_CLASS "image_size: 64.5\n", "image_size: want a whole number"},
    {ONE_CLASS "image_size: 99999999999999999999\n", "image_size: want a whole number"},
    {ONE_CLASS "objects: [4, 2]\n",
     "dir/test.yaml:3: objects: want a whole number or [least, most]"},
    {ONE_CLASS "objects: [1, 2, 3]\n", "objects: want a whole number or [least, most]"},
    {ONE_CLASS "objects: [1 2]\n", "objects: want a whole number or [least, most]"},
    {ONE_CLASS "objects: []\n", "objects: want a whole number or [least, most]"},
    {ONE_CLASS "size: [2, 8]\n", "dir/test.yaml:3: size: want a whole number or [least, most]"},
    {ONE_CLASS "size: 65\n", "dir/test.yaml:3: size: larger than image_size"},
    {ONE_CLASS "objects: 8\n", "dir/test.yaml:3: objects: up to 8 of 16 px do not fit on 64 px"},
    {ONE_CLASS "lookalike_ratio: 2\n", "dir/test.yaml:1: objects: up to 12 of 16 px do not fit"},
    {ONE_CLASS "image_size: 4096\nobjects: 150\nlookalike_ratio: 1\n",
     "dir/test.yaml:4: objects: up to 300 with twins and crowds; at most 200"},
    {ONE_CLASS "crowd:\n  share: 0.5\n", "dir/test.yaml:4: crowd.share: a crowd region"},
    {ONE_CLASS "background:\n  low: 0.7\n  high: 0.2\n",
     "dir/test.yaml:4: background.low: above background.high"},
    {ONE_CLASS "noise: 0.1\n", "dir/test.yaml:3: noise: unknown key"},
    {ONE_CLASS "objects: 4\nobjects: 5\n", "dir/test.yaml:4: objects: set before"},
    {ONE_CLASS "\tobjects: 4\n", "dir/test.yaml:3: "},
    {"", "dir/test.yaml:1: classes: none given"},
};

Test(recipe, refuses_what_is_wrong_and_says_where)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct recipe recipe;
        struct det_error err = {0};
        enum det_code code = read_text(refused[i].text, &recipe, &err);
        cr_expect_eq(code, DET_INVALID, "case %zu (%s): code %d", i, refused[i].says, (int)code);
        cr_expect(strstr(err.message, refused[i].says), "case %zu: got \"%s\", want \"%s\"", i,
                  err.message, refused[i].says);
        cr_expect_null(strchr(err.message, '\n'), "case %zu: more than one line", i);
    }
}

Test(recipe, refuses_too_many_classes)
{
    struct recipe recipe;
    struct det_error err = {0};
    char text[4096] = "classes:\n";
    for (int i = 0; i <= RECIPE_CLASSES_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "  - name: c%d\n", i);
    cr_expect_eq(read_text(text, &recipe, &err), DET_INVALID);
    cr_expect_str_eq(err.message, "dir/test.yaml:66: classes: more than 64");
}

Test(recipe, default_classes_differ_in_shape_and_colour)
{
    struct recipe recipe;
    struct det_error err = {0};
    cr_assert_eq(read_text("classes: [{name: a}, {name: b}, {name: c}]\n", &recipe, &err), DET_OK,
                 "%s", err.message);
    for (int i = 1; i < 3; i++) {
        const struct recipe_class *a = &recipe.classes[i - 1], *b = &recipe.classes[i];
        cr_expect_neq(a->shape, b->shape);
        cr_expect(memcmp(a->colour, b->colour, sizeof a->colour) != 0);
    }
}

static void expect_open_fails(const char *data, int image_size, enum det_code want,
                              const char *says)
{
    struct fixture_options options = {.seed = 1, .image_size = image_size};
    struct det_dataset *dataset;
    struct det_error err = {0};
    enum det_code code = fixture_open(data, FIXTURE_TRAIN, &options, &dataset, &err);
    cr_expect_eq(code, want, "%s: code %d (%s)", data, (int)code, err.message);
    cr_expect(strstr(err.message, says), "%s: got \"%s\", want \"%s\"", data, err.message, says);
}

Test(recipe, unknown_names_and_files_are_refused)
{
    expect_open_fails("lookalik", 0, DET_INVALID, "the nearest one is \"lookalike\"");
    expect_open_fails("", 0, DET_INVALID, "no recipe \"\"");
    expect_open_fails("no/such/file.yaml", 0, DET_IO, "no/such/file.yaml");
    expect_open_fails("lookalike", 8, DET_INVALID, "lookalike: image_size 8 is out of range");
    expect_open_fails("tiny_objects", 32, DET_INVALID, "objects shrink to 2 px");
    char longest[6000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    expect_open_fails(longest, 0, DET_INVALID, "too long");
}
