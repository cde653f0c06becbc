/* The main of suites that need the CUDA backend: without a GPU they are skipped as a whole, status 77,
 * unless DETCHECK_REQUIRE_GPU says that there must be one. */
#include "detector/backend/backend.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own: a CUDA context does not survive the fork that starts each test. */
static int probe(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct det_device *dev;
        struct det_error err = {0};
        enum det_code code = det_cuda_backend()->open(1, &dev, &err);
        if (code == DET_OK)
            dev->ops->close(dev);
        else
            printf(code == DET_UNAVAILABLE ? "1..0 # SKIP %s\n" : "Bail out! %s\n", err.message);
        fflush(stdout);
        _exit(code == DET_OK ? 0 : code == DET_UNAVAILABLE ? 77 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        return 1;
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    int status = probe();
    const char *required = getenv("DETCHECK_REQUIRE_GPU");
    if (status == 77 && required && atoi(required)) {
        puts("Bail out! DETCHECK_REQUIRE_GPU is set");
        return 1;
    }
    if (status != 0)
        return status;
    struct criterion_test_set *tests = criterion_initialize();
    if (criterion_handle_args(argc, argv, true))
        status = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return status;
}
