/* The arguments of a command that takes any number of paths: RUN..., PATH... */
#ifndef HARNESS_PATH_LIST_H
#define HARNESS_PATH_LIST_H

#include <argp.h>

#define RUN_MISSING "no run given: a folder, or its log"

struct path_list {
    const char **at; /* owned, the strings are argv's; free it */
    int n;
};

/* Take an argument (ARGP_KEY_ARG). argp ends the program where there is no memory. */
void path_list_add(struct path_list *list, const char *arg, const struct argp_state *state);

/* At the end (ARGP_KEY_END): refuse an empty list; `what` says what is missing. */
void path_list_check(const struct path_list *list, const char *what,
                     const struct argp_state *state);

#endif
