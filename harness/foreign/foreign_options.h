/* The options about logs of other trainers, for every command that reads logs. */
#ifndef HARNESS_FOREIGN_OPTIONS_H
#define HARNESS_FOREIGN_OPTIONS_H

#include "harness/foreign/foreign.h"

#include <argp.h>

/* Child parsers whose input is a struct foreign_options. What the log is ... */
extern const struct argp foreign_format_parser;
/* ... and, besides, what is needed to judge it: planned steps and rules. */
extern const struct argp foreign_options_parser;

#endif
