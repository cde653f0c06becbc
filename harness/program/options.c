#include "harness/program/options.h"

#include "harness/program/exit_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct parse {
    void *input;  /* the command's own */
    FILE *errors; /* where argp writes its messages; NULL: straight to stderr */
    int has_spoken;
};

/* Passes a message's first line on to stderr; argp's hint is not one. The rest is dropped. */
static ssize_t write_first_line(void *cookie, const char *text, size_t size)
{
    struct parse *parse = cookie;
    const char *end = memchr(text, '\n', size);
    size_t length = end ? (size_t)(end - text) + 1 : size;
    if (!parse->has_spoken && strncmp(text, "Try ", size < 4 ? size : 4) != 0)
        fwrite(text, 1, length, stderr);
    parse->has_spoken |= end != NULL;
    return (ssize_t)size;
}

/* The parser above the command's: hands the input down and takes argp's errors over. */
static error_t prepare(int key, char *arg, struct argp_state *state)
{
    const struct parse *parse = state->input;
    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = parse->input;
    if (parse->errors)
        state->err_stream = parse->errors;
    return 0;
}

static int parsing;

/* argp ends the program by itself after --help, where main cannot look whether it reached anybody. */
static void check_output(void)
{
    if (!parsing || (fflush(stdout) == 0 && !ferror(stdout)))
        return;
    fprintf(stderr, "detcheck: standard output: %s\n", strerror(errno));
    _exit(STATUS_BAD_INPUT);
}

void options_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    const struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
    const struct argp with_errors = {.parser = prepare, .children = children};
    struct parse parse = {.input = input};

    parse.errors = fopencookie(&parse, "w", (cookie_io_functions_t){.write = write_first_line});
    argp_err_exit_status = STATUS_BAD_INPUT;
    parsing = 1;
    atexit(check_output);
    if (argp_parse(&with_errors, argc, argv, 0, NULL, &parse) != 0)
        exit(STATUS_BAD_INPUT);
    parsing = 0;
    if (parse.errors)
        fclose(parse.errors);
}

const char *options_folder(const struct argp_state *state, const char *arg)
{
    if (!arg[0])
        argp_error(state, "the folder to write to has an empty name");
    return arg;
}

int64_t options_number(const struct argp_state *state, const char *option, const char *arg,
                       int64_t low, int64_t high)
{
    char *end;
    errno = 0;
    long long value = strtoll(arg, &end, 10);
    if (errno || end == arg || *end || value < low || value > high)
        argp_error(state, "--%s %s: want a whole number, %lld to %lld", option, arg, (long long)low,
                   (long long)high);
    return value;
}
