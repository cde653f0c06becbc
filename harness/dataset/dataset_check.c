/* detcheck dataset check: is this fit to train on? */
#include "fixtures/data_check.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/dataset/dataset_options.h"
#include "harness/program/exit_status.h"

#include <inttypes.h>
#include <stdio.h>

static void print_line(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

int dataset_check(int argc, char **argv, struct det_error *err)
{
    struct dataset_options options = {0};
    struct findings findings = {.each = print_line};
    int64_t images = 0;
    dataset_options_parse(argc, argv, "npzr", "SOURCE",
                          "Check that a dataset can be trained on; one line a finding. Exit status "
                          "0 without findings, 1 with, 2 where it cannot be read.",
                          &options);
    struct fixture_options fixture = dataset_options_fixture(&options);
    enum det_code code = data_check(options.source, options.split, &fixture, options.images,
                                    &findings, &images, err);
    if (code)
        return exit_status_of(code);
    printf("%s: %" PRId64 " images checked, %" PRId64 " finding%s\n", options.source, images,
           findings.n, findings.n == 1 ? "" : "s");
    return findings.n ? STATUS_FAILED : STATUS_GOOD;
}
