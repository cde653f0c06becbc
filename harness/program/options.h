/* Command-line options by argp, with errors of one line.
 *
 * argp_parse ends a bad command line with a message and a second and third line, "Try ... --help";
 * here the message stands alone, as every other error of the program does. */
#ifndef HARNESS_OPTIONS_H
#define HARNESS_OPTIONS_H

#include <argp.h>
#include <stdint.h>

/* argp_parse(argp, argc, argv, 0, NULL, input). Ends the program by itself: with status 0 after
 * --help, with STATUS_BAD_INPUT after a bad option. Returns only when all is well; parsers refuse
 * values with argp_error. */
void options_parse(const struct argp *argp, int argc, char **argv, void *input);

/* The name of a folder to write to, for a parser. Refuses an empty one: DIR/file would be /file. */
const char *options_folder(const struct argp_state *state, const char *arg);

/* A whole number from low to high, for a parser; refuses any other by the option's name. */
int64_t options_number(const struct argp_state *state, const char *option, const char *arg,
                       int64_t low, int64_t high);

#endif
