#include "harness/program/path_list.h"

#include <errno.h>
#include <stdlib.h>

void path_list_add(struct path_list *list, const char *arg, const struct argp_state *state)
{
    /* argc bounds the number of arguments, so that one allocation holds them all. */
    if (!list->at && !(list->at = calloc((size_t)state->argc, sizeof *list->at)))
        argp_failure(state, argp_err_exit_status, ENOMEM, "no memory for the arguments");
    list->at[list->n++] = arg;
}

void path_list_check(const struct path_list *list, const char *what, const struct argp_state *state)
{
    if (list->n == 0)
        argp_error(state, "%s", what);
}
