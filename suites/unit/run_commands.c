/* detcheck judge, compare and report: exit statuses and what they print. */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "suites/made_log.h"

#include <criterion/criterion.h>
#include <fcntl.h>

static struct made before, after;
static char output[60000];

static void start(void)
{
    made_start(&before, "before", 1);
    made_start(&after, "after", 3);
    made_write(&before);
    made_write(&after);
}

static void stop(void)
{
    made_remove(&before);
    made_remove(&after);
}

/* Run a command; what it prints is in `output`. */
static int run(int (*command)(int, char **, struct det_error *), const char *const *arguments,
               struct det_error *err)
{
    char *argv[8];
    int argc = 0;
    for (; arguments[argc]; argc++)
        argv[argc] = strdup(arguments[argc]);
    argv[argc] = NULL;
    *err = (struct det_error){0};

    char path[128];
    made_path(&before, "output", path);
    fflush(stdout);
    int saved = dup(1), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(file, 1);
    int status = command(argc, argv, err);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    ssize_t size = pread(file, output, sizeof output - 1, 0);
    output[size > 0 ? size : 0] = '\0';
    close(file);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

Test(run_commands, judge)
{
    struct det_error err;
    start();
    const char *healthy[] = {"detcheck judge", after.folder, NULL};
    cr_expect_eq(run(cmd_judge, healthy, &err), STATUS_GOOD, "%s", output);
    cr_expect(strstr(output, ": healthy: "), "%s", output);
    const char *both[] = {"detcheck judge", after.folder, before.folder, NULL};
    cr_expect_eq(run(cmd_judge, both, &err), STATUS_FAILED, "%s", output);
    cr_expect(strstr(output, ": collapsed (no_detections) at step 25: "), "%s", output);
    const char *missing[] = {"detcheck judge", "/no/such/run", after.folder, NULL};
    cr_expect_eq(run(cmd_judge, missing, &err), STATUS_BAD_INPUT);
    cr_expect(strstr(err.message, "/no/such/run"), "%s", err.message);
    cr_expect(strstr(output, ": healthy: "), "the readable run is judged all the same: %s", output);
    stop();
}

Test(run_commands, judge_for_machines)
{
    struct det_error err;
    start();
    const char *json[] = {"detcheck judge", "--json", after.folder, before.folder, NULL};
    cr_expect_eq(run(cmd_judge, json, &err), STATUS_FAILED);
    json_t *list = json_loads(output, 0, NULL);
    cr_assert_eq(json_array_size(list), 2, "%s", output);
    const json_t *second = json_array_get(list, 1);
    cr_expect_str_eq(json_string_value(json_object_get(second, "verdict")), "collapsed");
    cr_expect_eq(json_integer_value(json_object_get(second, "step")), 25);
    json_decref(list);
    stop();
}

Test(run_commands, compare)
{
    struct det_error err;
    start();
    const char *same[] = {"detcheck compare", after.folder, after.folder, NULL};
    cr_expect_eq(run(cmd_compare, same, &err), STATUS_GOOD, "%s", output);
    cr_expect(strstr(output, "bit for bit"), "%s", output);
    const char *different[] = {"detcheck compare", before.folder, after.folder, NULL};
    cr_expect_eq(run(cmd_compare, different, &err), STATUS_FAILED, "%s", output);
    cr_expect(strstr(output, "different: loss_rpn_cls first, at step 0"), "%s", output);
    const char *missing[] = {"detcheck compare", before.folder, "/no/such/run", NULL};
    cr_expect_eq(run(cmd_compare, missing, &err), STATUS_BAD_INPUT);
    stop();
}

Test(run_commands, report)
{
    struct det_error err;
    start();
    char page[128];
    made_path(&after, "page.html", page);
    const char *arguments[] = {"detcheck report", "--no-plots", "-o",        page,
                               before.folder,     after.folder, (char *)NULL};
    cr_expect_eq(run(cmd_report, arguments, &err), STATUS_GOOD, "%s", err.message);
    cr_expect(strstr(output, "score >= 0.5"), "the table is printed, too: %s", output);
    cr_expect_eq(access(page, R_OK), 0);
    const char *missing[] = {"detcheck report", "-o", page, "/no/such/run", NULL};
    cr_expect_eq(run(cmd_report, missing, &err), STATUS_BAD_INPUT);
    stop();
}
