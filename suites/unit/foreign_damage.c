/* What is wrong with a log is said in one line; what can be read in spite of it is. */
#include "suites/foreign_logs.h"

TestSuite(foreign_damage, .init = make_folder, .fini = remove_folder);

#define ONE_STEP "{\"iteration\": 19, \"total_loss\": 1.5}\n"

static void refuse_bytes(const char *name, const void *bytes, size_t size, const char *want)
{
    write_bytes("log", bytes, size);
    struct logged_run *run = open_log("log", NULL);
    cr_expect_null(run, "%s: was read", name);
    cr_expect(strstr(why.message, want), "%s: \"%s\" lacks \"%s\"", name, why.message, want);
    logged_run_close(run);
}

Test(foreign_damage, not_plain_text)
{
    refuse_bytes("gzip", "\x1f\x8b\x08\x00rest", 8, "gzip");
    refuse_bytes("zip", "PK\x03\x04rest", 8, "zip");
    refuse_bytes("zstd", "\x28\xb5\x2f\xfdrest", 8, "zstd");
    refuse_bytes("xz",
                 "\xfd"
                 "7zXZ\0rest",
                 9, "xz");
    refuse_bytes("bzip2", "BZh91AY", 7, "bzip2");
    refuse_bytes("UTF-16", "\xff\xfe{\0", 4, "UTF-16");
    refuse_bytes("binary", "ab\0cd", 5, "binary");
}

Test(foreign_damage, nobody_s_log)
{
    refuse("empty", "", NULL, "empty");
    refuse("blank lines", "\n \n\t\n", NULL, "empty");
    refuse("a list", "[1, 2]\n", NULL, "--gt");
    refuse("a CSV", "a,b\n1,2\n", NULL, "--map");
    refuse("other JSON lines", "{\"x\": 1}\n{\"y\": 2}\n", NULL, "\"iteration\" (detectron2)");
    refuse("broken JSON", "{\"x\": \n", NULL, "whose log?");
}

Test(foreign_damage, where_it_is_damaged)
{
    refuse("second line", ONE_STEP "{\"iteration\": 39, \"total_loss\": 1.,}\n" ONE_STEP, NULL,
           "log:2: ");
    refuse("no iteration", ONE_STEP "{\"total_loss\": 1}\n", NULL, "log:2: no \"iteration\"");
    refuse("half a step", "{\"iteration\": 19.5, \"total_loss\": 1}\n", NULL,
           "not a number of steps");
    refuse("negative", "{\"iteration\": -2, \"total_loss\": 1}\n", NULL, "not a number of steps");
    refuse("NaN", "{\"iteration\": NaN, \"total_loss\": 1}\n", NULL, "not a number of steps");
    refuse("two objects", ONE_STEP "{\"iteration\": 29} {\"iteration\": 39}\n", NULL, "log:2: ");
    refuse("not a line of it", "{\"iteration\": 19}\n", NULL, "not a step and not an evaluation");
}

Test(foreign_damage, forced_format)
{
    const struct foreign_options d2 = {.format = "detectron2"}, csv = {.format = "csv"},
                                 coco = {.format = "coco"};
    refuse("not detectron2", "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 1, \"loss\": 1}\n", &d2,
           "no \"iteration\"");
    refuse("no mapping", "a,b\n", &csv, "--map");
    refuse("no truth", "[]\n", &coco, "--gt");
}

Test(foreign_damage, torn_line_is_left_out)
{
    struct logged_run *run = read_log(ONE_STEP "{\"iteration\": 39, \"total_lo", NULL);
    cr_expect_eq(run->n_steps, 1);
    cr_expect(run->torn);
    logged_run_close(run);
    run = read_log(ONE_STEP "{\"iteration\": 39, \"total_loss\": 2}", NULL);
    cr_expect_eq(run->n_steps, 2, "a whole object needs no line end");
    cr_expect_not(run->torn);
    logged_run_close(run);
}

Test(foreign_damage, marks_and_line_ends)
{
    struct logged_run *run = read_log("\xef\xbb\xbf{\"iteration\": 19, \"total_loss\": 1}\r\n\r\n"
                                      "{\"iteration\": 39, \"total_loss\": 2}\r\n",
                                      NULL);
    cr_expect_eq(run->n_steps, 2);
    logged_run_close(run);
}

/* What Python's json writes for what JSON has no word for. */
Test(foreign_damage, not_finite_is_diverged)
{
    static const struct {
        const char *text, *rule;
        int64_t step;
    } cases[] = {
        {ONE_STEP "{\"iteration\": 39, \"total_loss\": NaN, \"loss_cls\": NaN}\n",
         "loss_not_finite", 39},
        {ONE_STEP "{\"iteration\": 39, \"total_loss\": Infinity}\n", "loss_not_finite", 39},
        {ONE_STEP "{\"iteration\": 39, \"total_loss\": -Infinity}\n", "loss_not_finite", 39},
        {ONE_STEP "{\"iteration\": 39, \"total_loss\": \"nan\"}\n", "loss_not_finite", 39},
        {ONE_STEP "{\"iteration\": 39, \"total_loss\": 1e999}\n", "loss_not_finite", 39},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct logged_run *run = read_log(cases[i].text, NULL);
        expect_verdict(cases[i].text, run, VERDICT_DIVERGED, cases[i].rule, cases[i].step);
        logged_run_close(run);
    }
}

Test(foreign_damage, odd_values_are_not_read_as_zero)
{
    struct logged_run *run = read_log(
        "{\"iteration\": 19, \"total_loss\": null, \"loss_cls\": \"much\", \"loss_mask\": {}, "
        "\"loss_rpn_cls\": [], \"lr\": {\"a\": 0.5, \"b\": 1}, \"loss_box_reg\": [1, 2], "
        "\"fast_rcnn/fg_cls_accuracy\": NaN, \"roi_head/num_fg_samples\": NaN}\n",
        NULL);
    const struct run_log_step *step = &run->steps[0];
    cr_expect(step->loss == RUN_LOG_NONE && step->loss_cls == RUN_LOG_NONE &&
              step->loss_mask == RUN_LOG_NONE && step->loss_rpn_cls == RUN_LOG_NONE);
    cr_expect(step->lr == 0.5 && step->loss_bbox == 3);
    cr_expect(step->fg_accuracy == RUN_LOG_NONE, "a mean over nothing is none");
    cr_expect_eq(step->roi_positives, RUN_LOG_UNKNOWN);
    logged_run_close(run);
}

Test(foreign_damage, very_long_line)
{
    size_t size = 1 << 21;
    char *text = malloc(size + 200);
    cr_assert_not_null(text);
    int start = sprintf(text, "{\"env_info\": \"");
    memset(text + start, 'x', size);
    sprintf(text + (size_t)start + size,
            "\"}\n{\"mode\": \"train\", \"epoch\": 1, \"iter\": 1, \"loss\": 1}\n");
    struct logged_run *run = read_log(text, NULL);
    cr_expect_eq(run->n_steps, 1);
    logged_run_close(run);
    free(text);
}

/* Cut anywhere, a log is read as far as it goes or refused: never a crash, never a longer run. */
Test(foreign_damage, cut_anywhere)
{
    static const char whole[] =
        "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 50, \"lr\": 0.1, \"loss\": [1, NaN]}\n"
        "{\"mode\": \"val\", \"epoch\": 1, \"iter\": 7, \"bbox_mAP\": 0.5}\n"
        "{\"mode\": \"train\", \"epoch\": 2, \"iter\": 50, \"s\\u00e9\": {\"a\": [1]}, \"loss\": "
        "1}\n";
    for (size_t size = 0; size < sizeof whole; size++) {
        write_bytes("log", whole, size);
        struct logged_run *run = open_log("log", NULL);
        cr_expect(!run || (run->n_steps <= 2 && run->n_evals <= 1), "cut at %zu", size);
        logged_run_close(run);
    }
}

Test(foreign_damage, folders_of_other_trainers)
{
    char command[400];
    snprintf(command, sizeof command,
             "cd %s && mkdir -p d2 m3/20260101_1/vis_data m3/20260102_1/vis_data m2 none && "
             "echo '{\"iteration\": 1, \"total_loss\": 1}' > d2/metrics.json && "
             "for d in 1 2; do echo \"{\\\"step\\\": $d, \\\"iter\\\": $d, \\\"loss\\\": 1}\" > "
             "m3/2026010${d}_1/vis_data/scalars.json; done",
             folder.path);
    cr_assert_eq(system(command), 0);
    struct logged_run *run = open_log("d2", NULL);
    cr_expect(run && strcmp(run->format, "detectron2") == 0, "%s", why.message);
    logged_run_close(run);
    run = open_log("m3", NULL);
    cr_expect(run && run->steps[0].step == 1, "the latest of two: %s", why.message);
    logged_run_close(run);
    run = open_log("none", NULL);
    cr_expect_null(run);
    cr_expect(strstr(why.message, "log.jsonl"), "%s", why.message);
}
