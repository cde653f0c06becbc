/* detcheck config */
#include "harness/commands.h"
#include "harness/exit_status.h"

int cmd_config(int argc, char **argv, struct det_error *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    return STATUS_GOOD;
}
