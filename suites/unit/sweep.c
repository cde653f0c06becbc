/* Studies and sweeps: what a study says and may not say, the table, and real runs side by side. */
#include "harness/sweep/sweep.h"
#include "harness/sweep/sweep_table.h"

#include "detector/base/file.h"
#include "suites/temporary_folder.h"

#include <math.h>
#include <string.h>

static struct temporary_folder folder;
static struct study study;

static void set_up(void)
{
    temporary_folder_make(&folder);
}

static void tear_down(void)
{
    temporary_folder_remove(&folder);
}

TestSuite(sweep, .init = set_up, .fini = tear_down);

static enum det_code read_text(const char *text, struct det_error *err)
{
    const char *path = in_folder(&folder, "study.yaml");
    cr_assert_eq(det_file_write(path, text, strlen(text), NULL), DET_OK);
    return study_read(path, NULL, 0, &study, err);
}

/* ---- studies ---- */

Test(sweep, a_study)
{
    static const char text[] = "about: two ways\n"
                               "closed_form_p: 0.25\n"
                               "base:\n"
                               "  schedule.steps: 50\n"
                               "  optimizer: {lr: 0.5}\n"
                               "variants:\n"
                               "  - name: one\n"
                               "    about: the first\n"
                               "    seeds: 2\n"
                               "    expect: healthy\n"
                               "    set: {rpn_cls_pos_weight: 1.5, optimizer: {lr: 0.25}}\n"
                               "  - name: two\n";
    static const char *const settings[] = {"schedule.steps=70", "eval.images=8"};
    struct det_error err = {0};
    cr_assert_eq(read_text(text, &err), DET_OK, "%s", err.message);
    cr_assert_eq(study_read(folder.file, settings, 2, &study, &err), DET_OK, "%s", err.message);
    cr_expect_eq(study.n_variants, 2);
    cr_expect_str_eq(study.about, "two ways");
    cr_expect_eq(study.closed_form_p, 0.25);
    const struct study_variant *one = &study.variants[0], *two = &study.variants[1];
    cr_expect_str_eq(one->name, "one");
    cr_expect_str_eq(one->expect, "healthy");
    cr_expect_eq(one->seeds, 2);
    cr_expect_eq(two->seeds, 2, "the default");
    cr_expect_str_eq(two->expect, "");
    cr_expect_eq(one->config.rpn_cls_pos_weight, 1.5);
    cr_expect_eq(two->config.rpn_cls_pos_weight, 5.0, "variants share their settings");
    cr_expect_eq(one->config.optimizer_lr, 0.25, "a variant's key goes over the base's");
    cr_expect_eq(two->config.optimizer_lr, 0.5);
    cr_expect_eq(two->config.schedule_steps, 70, "--set goes over both");
    cr_expect_eq(one->config.eval_images, 8);
}

Test(sweep, bad_studies_are_refused_by_name)
{
    static const struct {
        const char *text, *named;
    } bad[] = {
        {"about: none\n", "no variants"},
        {"variants: []\n", "variants"},
        {"variants:\n  - about: nameless\n", "has no name"},
        {"variants:\n  - name: a\n    expects: healthy\n", "expects"},
        {"variants:\n  - name: a\n    expect: helthy\n", "helthy"},
        {"variants:\n  - name: a\n    seeds: 0\n", "seeds"},
        {"variants:\n  - name: a\n    seeds: 3x\n", "seeds"},
        {"variants:\n  - name: a\n    set: {rpn_cls_pos_wait: 1}\n", "rpn_cls_pos_weight"},
        {"variants:\n  - name: a\n    set: {rpn_cls_pos_weight: heavy}\n", "heavy"},
        {"variants:\n  - name: a\n  - name: b\n  - name: a\n", "a"},
        {"variants:\n  - name: ../a\n", "../a"},
        {"closed_form_p: 1.5\nvariants:\n  - name: a\n", "closed_form_p"},
        {"closed_form_p: 0.3x\nvariants:\n  - name: a\n", "closed_form_p"},
        {"colour: red\nvariants:\n  - name: a\n", "colour"},
        {"base: {data_: x}\nvariants:\n  - name: a\n", "data"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct det_error err = {0};
        cr_expect_eq(read_text(bad[i].text, &err), DET_INVALID, "accepted:\n%s", bad[i].text);
        cr_expect(strstr(err.message, bad[i].named), "'%s' does not say '%s'", err.message,
                  bad[i].named);
    }
    struct det_error err = {0};
    cr_expect_eq(study_read("/no/such/study.yaml", NULL, 0, &study, &err), DET_IO);
    cr_expect(strstr(err.message, "/no/such/study.yaml"), "%s", err.message);
}

/* The studies that are shipped can be read. */
Test(sweep, shipped_studies)
{
    static const char *const names[] = {"collapse", "per_class"};
    for (int i = 0; i < 2; i++) {
        char path[4096];
        struct det_error err = {0};
        snprintf(path, sizeof path, "%s/harness/studies/%s.yaml", getenv("DETCHECK_ROOT"),
                 names[i]);
        cr_expect_eq(study_read(path, NULL, 0, &study, &err), DET_OK, "%s", err.message);
        cr_expect_str_eq(study.name, names[i]);
        cr_expect_gt(study.n_variants, 2);
    }
}

/* ---- tables ---- */

static const struct sweep_result made[] = {
    {.variant = 0,
     .seed = 1,
     .verdict = VERDICT_COLLAPSED,
     .step = 240,
     .detections = 0,
     .objects = 160,
     .mean_object_score = 0.30,
     .last_eval = 300,
     .max_score = 0.4},
    {.variant = 0,
     .seed = 2,
     .verdict = VERDICT_HEALTHY,
     .step = -1,
     .detections = 7,
     .objects = 160,
     .mean_object_score = 0.40,
     .last_eval = 300,
     .max_score = 0.6},
    {.variant = 0,
     .seed = 3,
     .verdict = VERDICT_COLLAPSED,
     .step = 250,
     .detections = 1,
     .objects = 160,
     .mean_object_score = 0.35,
     .last_eval = 300,
     .max_score = 0.5},
    {.variant = 1, .seed = 1, .verdict = VERDICT_DIVERGED, .step = 3, .last_eval = -1},
};

static void read_made(void)
{
    struct det_error err = {0};
    cr_assert_eq(read_text("closed_form_p: 0.25\n"
                           "variants:\n"
                           "  - {name: plain, about: nothing, expect: collapsed, seeds: 3,"
                           " set: {roi_cls_pos_weight: 3.0}}\n"
                           "  - {name: wild, about: too much, seeds: 1}\n",
                           &err),
                 DET_OK, "%s", err.message);
}

/* Median and range of 0 1 7 and of 0.30 0.35 0.40; s = 3 * 0.25 / (3 * 0.25 + 0.75) = 0.5. */
Test(sweep, table)
{
    char *text = NULL;
    read_made();
    cr_assert_eq(sweep_table(&study, made, 4, &text, NULL), DET_OK);
    cr_expect(strstr(text, "| plain | nothing | 1 healthy, 2 collapsed | 1 (0 to 7) | 160 | "
                           "0.350 (0.300 to 0.400) | 0.500 |"),
              "%s", text);
    cr_expect(strstr(text, "| wild | too much | 1 diverged | none |"), "%s", text);
    int columns[3] = {0}, line = 0;
    for (const char *c = text; *c && line < 3; c++) {
        columns[line] += *c == '|';
        line += *c == '\n';
    }
    cr_expect_eq(columns[0], columns[1], "head and rule differ:\n%s", text);
    cr_expect_eq(columns[1], columns[2], "rule and row differ:\n%s", text);
    free(text);
}

Test(sweep, expectations)
{
    char *said = NULL;
    size_t size;
    FILE *to = open_memstream(&said, &size);
    read_made();
    cr_expect_not(sweep_as_expected(&study, made, 4, to));
    fclose(to);
    cr_expect_str_eq(said, "plain seed 2: expected collapsed, got healthy at step -1\n");
    free(said);
    cr_expect(sweep_as_expected(&study, made, 1, NULL));
    cr_expect(sweep_as_expected(&study, made + 3, 1, NULL), "no expectation, yet one failed");
}

Test(sweep, table_into_a_document)
{
    char *text;
    size_t size;
    struct det_error err = {0};
    static const char before[] = "# Title\n<!-- sweep other -->\nkept\n<!-- /sweep other -->\n"
                                 "<!-- sweep mine -->\nold\nlines\n<!-- /sweep mine -->\nend\n";
    const char *path = in_folder(&folder, "document.md");
    cr_assert_eq(det_file_write(path, before, strlen(before), NULL), DET_OK);
    for (int again = 0; again < 2; again++)
        cr_assert_eq(sweep_write_document(path, "mine", "| new |\n", &err), DET_OK, "%s",
                     err.message);
    cr_assert_eq(det_file_read(path, &text, &size, NULL), DET_OK);
    cr_expect_str_eq(text, "# Title\n<!-- sweep other -->\nkept\n<!-- /sweep other -->\n"
                           "<!-- sweep mine -->\n| new |\n<!-- /sweep mine -->\nend\n");
    free(text);
    cr_assert_eq(det_file_write(path, "no marks\n", 9, NULL), DET_OK);
    cr_expect_eq(sweep_write_document(path, "mine", "x", &err), DET_INVALID);
    cr_expect(strstr(err.message, path), "%s", err.message);
    cr_assert_eq(det_file_read(path, &text, &size, NULL), DET_OK);
    cr_expect_str_eq(text, "no marks\n");
    free(text);
}

/* ---- runs ---- */

static const char small_study[] =
    "base:\n"
    "  schedule: {steps: 4, warmup_steps: 0}\n"
    "  eval: {every: 2, images: 2, batch_size: 2}\n"
    "  train: {batch_size: 1}\n"
    "  model: {width: 4, groups: 4, fpn_channels: 8, fc_dim: 16, mask_convs: 1, mask_channels: 4}\n"
    "variants:\n"
    "  - {name: plain, seeds: 2}\n"
    "  - {name: wild, seeds: 2, set: {optimizer: {lr: 1000}, clip_grad_norm: 0}}\n";

static void run_small(const char *name, int jobs, struct sweep_result *results)
{
    char path[128];
    struct det_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    struct sweep_options options = {
        .study = &study, .folder = path, .backend = "cpu", .first_seed = 5, .jobs = jobs};
    cr_assert_eq(sweep_count(&options), 4);
    cr_assert_eq(sweep_run(&options, results, &err), DET_OK, "%s", err.message);
}

/* Side by side or one after the other: the same results in the same order. */
Test(sweep, runs)
{
    struct sweep_result one[4], two[4];
    struct det_error err = {0};
    cr_assert_eq(read_text(small_study, &err), DET_OK, "%s", err.message);
    run_small("one", 1, one);
    run_small("two", 2, two);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(one[i].variant, i / 2);
        cr_expect_eq(one[i].seed, 5 + i % 2);
        cr_expect_eq(one[i].verdict, two[i].verdict);
        cr_expect_eq(one[i].last_eval, two[i].last_eval);
        cr_expect_eq(one[i].max_score, two[i].max_score, "run %d differs side by side", i);
        cr_expect_eq(one[i].mean_object_score, two[i].mean_object_score);
    }
    cr_expect_eq(one[0].last_eval, 4);
    cr_expect_neq(one[0].max_score, one[1].max_score, "the seed does not matter");
    cr_expect_eq(one[2].verdict, VERDICT_DIVERGED);
    static const char *const files[] = {"one/plain/seed-5/log.jsonl", "one/wild/seed-6/log.jsonl"};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(in_folder(&folder, files[i]), "r");
        cr_expect_not_null(file, "%s", files[i]);
        if (file)
            fclose(file);
    }
}

Test(sweep, a_run_that_cannot_be_made_ends_it)
{
    struct sweep_result results[4];
    struct det_error err = {0};
    cr_assert_eq(read_text(small_study, &err), DET_OK, "%s", err.message);
    struct sweep_options options = {
        .study = &study, .folder = "/proc/nowhere", .backend = "cpu", .jobs = 1};
    cr_expect_eq(sweep_run(&options, results, &err), DET_IO);
    cr_expect(strstr(err.message, "/proc/nowhere"), "%s", err.message);
}

/* With `reuse` a finished run of the same configuration is read, not made: its files keep their
 * bytes (a run made again would leave out the line added here). Another configuration is made anew. */
Test(sweep, finished_runs_are_reused)
{
    struct sweep_result first[4], second[4];
    struct det_error err = {0};
    char path[128], log[256];
    cr_assert_eq(read_text(small_study, &err), DET_OK, "%s", err.message);
    run_small("kept", 2, first);
    snprintf(path, sizeof path, "%s/kept", folder.path);
    snprintf(log, sizeof log, "%s/plain/seed-5/log.jsonl", path);
    FILE *file = fopen(log, "a");
    cr_assert(file);
    fputs("{\"event\":\"mark\"}\n", file);
    fclose(file);
    struct sweep_options options = {.study = &study, .folder = path, .backend = "cpu",
                                    .first_seed = 5, .jobs = 2, .reuse = 1};
    cr_assert_eq(sweep_run(&options, second, &err), DET_OK, "%s", err.message);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(second[i].verdict, first[i].verdict, "run %d", i);
        cr_expect_eq(second[i].detections, first[i].detections, "run %d", i);
    }
    char *text = NULL;
    size_t size;
    cr_assert_eq(det_file_read(log, &text, &size, &err), DET_OK, "%s", err.message);
    cr_expect(strstr(text, "\"mark\""), "the run was made again");
    free(text);
    study.variants[0].config.optimizer_lr *= 2;
    cr_assert_eq(sweep_run(&options, second, &err), DET_OK, "%s", err.message);
    cr_assert_eq(det_file_read(log, &text, &size, &err), DET_OK, "%s", err.message);
    cr_expect(!strstr(text, "\"mark\""), "a run of another configuration was taken for this one's");
    free(text);
}
