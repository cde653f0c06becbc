/* CSV and JSON lines by a mapping file: names, units, steps, and what is wrong with either. */
#include "suites/foreign_logs.h"

TestSuite(foreign_mapped, .init = make_folder, .fini = remove_folder);

#define NEAR(got, want)                                                                            \
    cr_expect(fabs((got) - (want)) < 1e-12, "%s: got %.17g, want %.17g", #got, (double)(got),      \
              (double)(want))

static char map_path[160];

/* Options with this mapping file; `more` as they are. */
static struct foreign_options mapped(const char *yaml)
{
    write_text("map.yaml", yaml);
    snprintf(map_path, sizeof map_path, "%s/map.yaml", folder.path);
    return (struct foreign_options){.mapping = map_path};
}

static const char plain[] = "step: iter\ntraining: {loss: total}\n";

Test(foreign_mapped, csv_units_and_steps)
{
    struct foreign_options options = mapped("step: {column: iter, offset: -1}\n"
                                            "steps: 400\n"
                                            "training:\n"
                                            "  loss: total\n"
                                            "  loss_cls: {column: \"cls, x10\", scale: 0.1}\n"
                                            "  roi_positives: fg\n"
                                            "  skipped: skip\n"
                                            "evaluation:\n"
                                            "  step: iter\n"
                                            "  box_ap: {column: AP%, scale: 0.01, offset: 0.5}\n"
                                            "  max_score: top\n"
                                            "  objects: n\n"
                                            "  detections: {0.05: d05, 0.5: {column: d50}}\n");
    struct logged_run *run = read_log("iter; total;\"cls, x10\";fg;skip; AP% ;top;n;d05;d50\n"
                                      "100;1.5;2;0.5;0;;;;;\n"
                                      "200; nan ;;;1;25;0.75;8;\"9\";0\n",
                                      &options);
    cr_expect_str_eq(run->format, "csv");
    cr_assert_eq(run->n_steps, 2);
    cr_assert_eq(run->n_evals, 1);
    cr_expect_eq(run->steps[0].step, 99);
    NEAR(run->steps[0].loss, 1.5);
    NEAR(run->steps[0].loss_cls, 0.2);
    cr_expect_eq(run->steps[0].roi_positives, 1);
    cr_expect_eq(run->steps[0].skipped, 0);
    cr_expect_eq(run->steps[1].skipped, 1);
    cr_expect(isnan(run->steps[1].loss));
    NEAR(run->steps[1].loss_cls, RUN_LOG_NONE);
    cr_expect_eq(run->evals[0].step, 200);
    NEAR(run->evals[0].box_ap, 0.75);
    NEAR(run->evals[0].max_score, 0.75);
    cr_expect_eq(run->evals[0].objects, 8);
    cr_expect_eq(run->evals[0].detections[0], 9);
    cr_expect_eq(run->evals[0].detections[1], RUN_LOG_UNKNOWN);
    cr_expect_eq(run->evals[0].detections[3], 0);
    cr_expect_eq(run->planned_steps, 400);
    cr_expect_not(run->planned_unknown);
    logged_run_close(run);
}

Test(foreign_mapped, evaluations_follow_their_step)
{
    struct foreign_options options = mapped("step: {column: epoch, scale: 10}\n"
                                            "training: {loss: a}\n"
                                            "evaluation: {box_ap: b}\n");
    struct logged_run *run = read_log("epoch,a,b\n0,1,0.1\n1,1,0.2\n", &options);
    cr_assert(run->n_steps == 2 && run->n_evals == 2);
    cr_expect_eq(run->steps[1].step, 10);
    cr_expect_eq(run->evals[1].step, 11, "one step more is done then");
    logged_run_close(run);
}

/* A line a metric, as some loggers have it. */
Test(foreign_mapped, lines_of_one_step_complete_each_other)
{
    struct foreign_options options = mapped("step: i\ntraining: {loss: a, loss_cls: b}\n"
                                            "evaluation: {step: i, box_ap: c, max_score: d}\n");
    struct logged_run *run = read_log("{\"i\": 1, \"a\": 1}\n{\"i\": 1, \"b\": 2}\n"
                                      "{\"i\": 1, \"c\": 0.5}\n{\"other\": 1}\n"
                                      "{\"i\": 1, \"d\": 0.25, \"c\": NaN}\n",
                                      &options);
    cr_expect_str_eq(run->format, "jsonl");
    cr_assert(run->n_steps == 1 && run->n_evals == 1);
    NEAR(run->steps[0].loss, 1);
    NEAR(run->steps[0].loss_cls, 2);
    NEAR(run->evals[0].box_ap, 0.5);
    NEAR(run->evals[0].max_score, 0.25);
    cr_expect_eq(run->n_resumes, 0);
    logged_run_close(run);
}

static void refuse_map(const char *yaml, const char *want)
{
    struct foreign_options options = mapped(yaml);
    refuse(yaml, "iter,total\n1,2\n", &options, want);
}

Test(foreign_mapped, mapping_that_is_wrong)
{
    refuse_map("training: {loss: total}\n", "no `step`");
    refuse_map("step: iter\n", "neither `training` nor `evaluation`");
    refuse_map("step: iter\ntraining: {los: total}\n",
               "map.yaml:2: training.los: no such name; nearest is loss");
    refuse_map("step: iter\nevaluation: {detections: total}\n", "want {T: COLUMN}");
    refuse_map("step: iter\nevaluation: {detections: {0.4: total}}\n", "want {T: COLUMN}");
    refuse_map("step: iter\nevaluation: {weights_hash: total}\n", "no such name");
    refuse_map("step: iter\ntraining: {loss: {column: total, scale: much}}\n", "want a number");
    refuse_map("step: iter\ntraining: {loss: {column: total, unit: 1}}\n", "{column: NAME");
    refuse_map("step: iter\ntraining: {loss: {scale: 2}}\n", "loss: no `column`");
    refuse_map("step: iter\nsteps: -3\ntraining: {loss: total}\n", "planned steps");
    refuse_map("step: iter\ntrain: {loss: total}\n", "want step, steps, training or evaluation");
    refuse_map("step: iter\ntraining: {loss: totl}\n", "no column \"totl\", which");
    refuse_map("step: [a, b]\ntraining: {loss: total}\n", "no column \"[a, b]\"");
    refuse_map(": :\n", "map.yaml:1");
    struct foreign_options none = {.mapping = "/nowhere/map.yaml"};
    refuse("no mapping", "a\n", &none, "/nowhere/map.yaml");
}

Test(foreign_mapped, csv_that_is_damaged)
{
    struct foreign_options options = mapped(plain);
    refuse("too few", "iter,total\n1,2\n3\n5,6\n", &options, "log:3: 1 fields, the header has 2");
    refuse("too many", "iter,total\n1,2,3\n", &options, "log:2: more fields");
    refuse("no number", "iter,total\none,2\n", &options, "no step in column \"iter\"");
    refuse("no step", "iter,total\n,2\n", &options, "no step in column \"iter\"");
    refuse("half a step", "iter,total\n1.5,2\n", &options, "not a number of steps");
    refuse("only a header", "iter,total\n", &options, "not a step and not an evaluation");
    options = mapped("step: i\ntraining: {loss: a, loss_cls: never}\n");
    refuse("a key that never comes", "{\"i\": 1, \"a\": 1}\n", &options,
           "no line has a number \"never\"");
}

Test(foreign_mapped, last_line_may_be_cut_while_it_grows)
{
    struct foreign_options options = mapped(plain);
    struct logged_run *run = read_log("iter,total\n1,2\n2,0.12", &options);
    cr_expect_eq(run->n_steps, 2, "the file is all there is");
    logged_run_close(run);
    options.growing = 1;
    run = read_log("iter,total\n1,2\n2,0.12", &options);
    cr_expect_eq(run->n_steps, 1, "more digits may follow");
    cr_expect(run->torn);
    logged_run_close(run);
}
