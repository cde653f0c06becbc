/* The run log: what is written is read back bit for bit, a resume leaves every step in it once, and
 * damage is named, never guessed around. */
#include "detector/base/file.h"
#include "harness/log/run_log_fields.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>

static struct made made;

static void expect_field(const struct run_log_field *field, const void *wrote, const void *read,
                         int n_classes)
{
    const char *a = (const char *)wrote + field->offset, *b = (const char *)read + field->offset;
    size_t size = 8;
    if (field->type == RUN_LOG_FLAG)
        size = sizeof(int);
    if (field->type == RUN_LOG_LADDER)
        size = sizeof(int64_t[RUN_LOG_THRESHOLDS]);
    if (field->type >= RUN_LOG_CLASS_COUNTS) {
        a = *(const char *const *)a;
        b = *(const char *const *)b;
        cr_assert_eq(!a, !b, "%s: a list on one side only", field->key);
        if (!a)
            return;
        size = 8 * (size_t)n_classes;
        if (field->type == RUN_LOG_CLASS_LADDERS)
            size *= RUN_LOG_THRESHOLDS;
    }
    cr_expect_eq(memcmp(a, b, size), 0, "%s: read back differently", field->key);
}

Test(run_log, reads_back_every_bit)
{
    static const int64_t ladders[MADE_CLASSES][RUN_LOG_THRESHOLDS] = {{6, 5, 4, 3, 2, 1}, {9}};
    made_start(&made, "before", 3);
    made.evals[2].ladder_per_class = ladders;
    made.evals[3].box_ap = RUN_LOG_NONE;
    made.class_ap[3][1] = RUN_LOG_NONE;
    made.steps[4].fg_accuracy = RUN_LOG_NONE;
    made.steps[5].loss_cls = 0.1f; /* a float widened: 17 digits */
    made.steps[6].loss_cls = 5e-324;
    made_write(&made);
    struct logged_run *run = made_read(&made);

    cr_assert_eq(run->n_steps, MADE_STEPS);
    cr_assert_eq(run->n_evals, MADE_EVALS);
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    for (int i = 0; i < MADE_STEPS; i++)
        for (size_t f = 0; f < n; f++)
            expect_field(&fields[f], &made.steps[i], &run->steps[i], 0);
    fields = run_log_eval_fields(&n);
    for (int e = 0; e < MADE_EVALS; e++)
        for (size_t f = 0; f < n; f++)
            expect_field(&fields[f], &made.evals[e], &run->evals[e], MADE_CLASSES);
    logged_run_close(run);
    made_remove(&made);
}

Test(run_log, reads_back_the_header)
{
    made_start(&made, "a \"quoted\"\tname \\ é", 3);
    made.config.optimizer_lr = 0.1;
    made_write(&made);
    struct logged_run *run = made_read(&made);
    cr_expect_str_eq(run->name, "a \"quoted\"\tname \\ é");
    cr_expect_str_eq(run->recipe, "lookalike");
    cr_expect_eq(run->dataset_checksum, 0xfeedface12345678u);
    cr_expect_eq(run->planned_steps, MADE_STEPS);
    cr_expect_eq(run->n_classes, 2);
    cr_expect_str_eq(logged_class_name(run, 1), "square");
    cr_expect_eq(logged_config_number(run, "optimizer.lr", 0), 0.1);
    cr_expect_eq(logged_config_number(run, "no.such.key", 42), 42);
    char text[64];
    logged_value_text(json_object_get(run->config, "roi_cls_reduction"), text, sizeof text);
    cr_expect_str_eq(text, "mean");
    logged_value_text(json_object_get(run->environment, "cpu"), text, sizeof text);
    cr_expect_str_eq(text, "a <made> & \"quoted\" CPU");
    size_t n_keys;
    det_config_keys(&n_keys);
    cr_expect_eq(json_object_size(run->config), n_keys, "%zu of %zu keys are in the log",
                 json_object_size(run->config), n_keys);
    cr_expect_eq(run->steps_done, MADE_STEPS);
    cr_expect_not(run->torn);
    logged_run_close(run);
    made_remove(&made);
}

Test(run_log, what_is_not_finite_stays)
{
    made_start(&made, "nan", 3);
    made.steps[3].loss_cls = (double)NAN;
    made.steps[4].grad_norm = (double)INFINITY;
    made.steps[5].loss = -(double)INFINITY;
    made.steps[6].fg_accuracy = (double)NAN; /* not null: null is "nothing to average" */
    made.evals[0].max_score = (double)NAN;
    made_write(&made);
    struct logged_run *run = made_read(&made);
    cr_expect(isnan(run->steps[3].loss_cls));
    cr_expect_eq(run->steps[4].grad_norm, (double)INFINITY);
    cr_expect_eq(run->steps[5].loss, -(double)INFINITY);
    cr_expect(isnan(run->steps[6].fg_accuracy));
    cr_expect(isnan(run->evals[0].max_score));
    logged_run_close(run);
    made_remove(&made);
}

Test(run_log, statistics_of_a_step)
{
    struct det_step_stats stats = {
        .losses = {.rpn_cls = 1, .rpn_bbox = 2, .cls = 3, .bbox = 4, .mask = 5, .total = 15},
        .rpn = {.positives = 4,
                .negatives = 12,
                .positives_right = 3,
                .positives_missed = 1,
                .predicted_positive = 8,
                .max_foreground = 0.5f},
        .roi = {.negatives = 10}, /* no foreground: shares over nothing */
        .objects = 6,
        .proposals = 60,
        .grad_norm = 12,
        .clipped = 1,
        .lr = 0.5,
    };
    struct run_log_step step;
    run_log_step_from_stats(9, &stats, &step);
    cr_expect_eq(step.step, 9);
    cr_expect_eq(step.loss_mask, 5);
    cr_expect_eq(step.loss, 15);
    cr_expect_eq(step.rpn_fg_accuracy, 0.75);
    cr_expect_eq(step.rpn_false_negative, 0.25);
    cr_expect_eq(step.rpn_fg_share, 0.5);
    cr_expect_eq(step.max_objectness, 0.5);
    cr_expect_eq(step.fg_accuracy, RUN_LOG_NONE);
    cr_expect_eq(step.false_negative, RUN_LOG_NONE);
    cr_expect_eq(step.fg_share, 0.0);
}

Test(run_log, a_resume_cuts_back_to_the_checkpoint)
{
    made_start(&made, "resumed", 3);
    made_write(&made);
    char path[128];
    made_path(&made, "log.jsonl", path);
    struct det_error err = {0};
    struct run_log *log;
    cr_assert_eq(run_log_open_at(path, 100, &log, &err), DET_OK, "%s", err.message);
    cr_assert_eq(run_log_write_resume(log, 100, &err), DET_OK);
    for (int i = 100; i < 110; i++)
        cr_assert_eq(run_log_write_step(log, &made.steps[i], &err), DET_OK);
    run_log_close(log);

    struct logged_run *run = made_read(&made);
    cr_expect_eq(run->n_steps, 110, "%zu steps after cutting to 100 and adding 10", run->n_steps);
    cr_expect_eq(run->n_evals, 4, "evaluations at 25, 50, 75 and 100 stay, got %zu", run->n_evals);
    cr_expect_eq(run->n_resumes, 1);
    cr_expect_eq(run->steps_done, 110);
    logged_run_close(run);
    made_remove(&made);
}

/* Write `text` behind the first `lines` lines of a good log, and open that. */
static enum det_code open_with(int lines, const char *text, struct logged_run **run,
                               struct det_error *err)
{
    char path[128], *whole;
    size_t size, keep = 0;
    made_path(&made, "log.jsonl", path);
    cr_assert_eq(det_file_read(path, &whole, &size, err), DET_OK);
    for (int i = 0; i < lines; i++)
        keep = (size_t)(strchr(whole + keep, '\n') + 1 - whole);
    char bent[128];
    made_path(&made, "bent.jsonl", bent);
    FILE *file = fopen(bent, "w");
    fwrite(whole, 1, keep, file);
    fputs(text, file);
    fclose(file);
    free(whole);
    *run = NULL;
    return logged_run_open(bent, run, err);
}

Test(run_log, a_torn_last_line_is_left_out)
{
    struct det_error err = {0};
    struct logged_run *run;
    made_start(&made, "torn", 3);
    made_write(&made);
    cr_assert_eq(open_with(6, "{\"event\":\"step\",\"step\":5,\"lo", &run, &err), DET_OK, "%s",
                 err.message);
    cr_expect(run->torn);
    cr_expect_eq(run->n_steps, 5);
    logged_run_close(run);

    char bent[128];
    made_path(&made, "bent.jsonl", bent);
    struct run_log *log;
    cr_assert_eq(run_log_open_at(bent, 5, &log, &err), DET_OK, "%s", err.message);
    cr_assert_eq(run_log_write_step(log, &made.steps[5], &err), DET_OK);
    run_log_close(log);
    cr_assert_eq(logged_run_open(bent, &run, &err), DET_OK, "%s", err.message);
    cr_expect_not(run->torn);
    cr_expect_eq(run->n_steps, 6);
    logged_run_close(run);
    made_remove(&made);
}

Test(run_log, damage_is_named)
{
    static const struct {
        const char *what;
        int lines;
        const char *text, *message;
    } cases[] = {
        {"a broken line in the middle", 3, "{\"event\":\"step\",\"st\n{}\n", "bent.jsonl:4: not a"},
        {"a line of zeros", 3, "[]\n", "bent.jsonl:4: not an object"},
        {"no run line", 0, "{\"event\":\"step\"}\n",
         "bent.jsonl:1: a log begins with its run line"},
        {"nothing", 0, "", "no run line"},
        {"a torn first line", 0, "{\"event\":\"ru", "no run line"},
        {"a step without its losses", 2, "{\"event\":\"step\",\"step\":7,\"lr\":0.1}\n",
         "bent.jsonl:3: \"loss_rpn_cls\" is missing"},
        {"a word for a number", 2, "{\"event\":\"step\",\"step\":7,\"lr\":\"fast\"}\n",
         "bent.jsonl:3: \"lr\" must be a number"},
        {"a real for a count", 2, "{\"event\":\"step\",\"step\":7.5}\n",
         "\"step\" must be a count"},
        {"a step before the first", 2, "{\"event\":\"step\",\"step\":-1}\n",
         "\"step\" must be a count"},
        {"a step whose successor overflows", 2,
         "{\"event\":\"step\",\"step\":9223372036854775807}\n", "\"step\" must be a count"},
        {"a checkpoint of no step", 2, "{\"event\":\"checkpoint\"}\n",
         "bent.jsonl:3: \"step\" must be a count"},
        {"a key twice", 2, "{\"event\":\"step\",\"event\":\"eval\"}\n", "bent.jsonl:3: not a line"},
        {"another version", 0, "{\"event\":\"run\",\"version\":2}\n", "version 2"},
        {"a second run line", 1,
         "{\"event\":\"run\",\"version\":1,\"name\":\"x\",\"recipe\":\"x\",\"steps\":1,"
         "\"classes\":[],\"config\":{},\"environment\":{}}\n",
         "bent.jsonl:2: a second run line"},
        {"a negative number of steps", 0,
         "{\"event\":\"run\",\"version\":1,\"name\":\"x\",\"recipe\":\"x\",\"steps\":-5,"
         "\"classes\":[],\"config\":{},\"environment\":{}}\n",
         "bent.jsonl:1: run line: \"steps\" must be a count"},
        {"a rule out of its range", 0,
         "{\"event\":\"run\",\"version\":1,\"name\":\"x\",\"recipe\":\"x\",\"steps\":9,"
         "\"classes\":[],\"config\":{\"judge.after\":1e300},\"environment\":{}}\n",
         "bent.jsonl:1: run line: config: judge.after must be a number, 0 to 1"},
        {"a rule that is no number", 0,
         "{\"event\":\"run\",\"version\":1,\"name\":\"x\",\"recipe\":\"x\",\"steps\":9,"
         "\"classes\":[],\"config\":{\"judge.stall_steps\":\"nan\"},\"environment\":{}}\n",
         "bent.jsonl:1: run line: config: judge.stall_steps must be a number"},
    };
    made_start(&made, "damaged", 3);
    made_write(&made);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct det_error err = {0};
        struct logged_run *run;
        enum det_code code = open_with(cases[i].lines, cases[i].text, &run, &err);
        cr_expect_eq(code, DET_INVALID, "%s: code %d", cases[i].what, code);
        cr_expect(strstr(err.message, cases[i].message), "%s: got \"%s\", want \"%s\"",
                  cases[i].what, err.message, cases[i].message);
        logged_run_close(run);
    }
    made_remove(&made);
}

Test(run_log, steps_out_of_order_are_damage)
{
    made_start(&made, "order", 3);
    made.steps[8].step = 4;
    made_write(&made);
    struct det_error err = {0};
    struct logged_run *run = NULL;
    cr_expect_eq(logged_run_open(made.folder, &run, &err), DET_INVALID);
    cr_expect(strstr(err.message, "step 4 comes after step 7"), "%s", err.message);
    made_remove(&made);
}

Test(run_log, unknown_keys_and_events_are_ignored)
{
    struct det_error err = {0};
    struct logged_run *run;
    made_start(&made, "future", 3);
    made_write(&made);
    cr_assert_eq(open_with(2, "{\"event\":\"dream\",\"of\":\"sheep\"}\n", &run, &err), DET_OK, "%s",
                 err.message);
    cr_expect_eq(run->n_steps, 1);
    logged_run_close(run);
    made_remove(&made);
}

Test(run_log, a_full_disk_is_an_error)
{
    struct det_error err = {0};
    struct run_log *log;
    made_start(&made, "full", 3);
    cr_assert_eq(run_log_create("/dev/full", &log, &err), DET_OK, "%s", err.message);
    cr_expect_eq(run_log_write_step(log, &made.steps[0], &err), DET_IO);
    cr_expect(strstr(err.message, "/dev/full"), "%s", err.message);
    run_log_close(log);
    cr_expect_eq(run_log_create("/no/such/folder/log.jsonl", &log, &err), DET_IO);
    made_remove(&made);
}

Test(run_log, nothing_to_resume)
{
    struct det_error err = {0};
    struct run_log *log;
    made_start(&made, "empty", 3);
    char path[128];
    made_path(&made, "log.jsonl", path);
    cr_expect_eq(run_log_open_at(path, 10, &log, &err), DET_IO, "no file");
    cr_assert_eq(det_file_write(path, "", 0, &err), DET_OK);
    cr_expect_eq(run_log_open_at(path, 10, &log, &err), DET_INVALID, "an empty file");
    made_remove(&made);
}

Test(run_log, shortest_numbers)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {5, "5"},
        {1e-8, "1e-08"},
        {1.0 / 3, "0.333333333333333"},
        {(double)0.1f, "0.100000001490116"},
        {(double)NAN, "nan"},
        {-(double)INFINITY, "-inf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        json_text_print_number(cases[i].value, text);
        if (isfinite(cases[i].value))
            cr_expect_eq(strtod(text, NULL), cases[i].value, "%s does not read back", text);
        cr_expect_eq(strncmp(text, cases[i].text, strlen(cases[i].text)), 0, "got %s, want %s...",
                     text, cases[i].text);
        cr_expect(strlen(cases[i].text) > 8 || strlen(text) == strlen(cases[i].text),
                  "%s is longer than %s", text, cases[i].text);
    }
}
