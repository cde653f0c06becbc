/* One line of a log as a list of keys and values: what JSON lines and CSV have in common. */
#ifndef HARNESS_FOREIGN_ROW_H
#define HARNESS_FOREIGN_ROW_H

#include "detector/base/status.h"

#include <stddef.h>

enum foreign_kind { FOREIGN_NOTHING, FOREIGN_NUMBER, FOREIGN_TEXT };

struct foreign_value {
    const char *key; /* borrowed from the line, or from the header of a CSV */
    enum foreign_kind kind;
    double number;    /* NaN and infinities too */
    const char *text; /* as written, for FOREIGN_TEXT; borrowed from the line */
};

struct foreign_row {
    struct foreign_value *at; /* owned: foreign_row_release; safe on a zeroed row */
    size_t n, room;
};

/* Read a JSON object. NaN and Infinity are read, as words or as Python's json writes them; a list
 * of numbers is their sum (mmdetection sums a list of losses so), of an object the first number
 * counts (a learning rate per group), null is nothing. The line, line[size] == '\0', is written
 * into. DET_INVALID says where in the line. */
enum det_code foreign_row_json(struct foreign_row *row, char *line, size_t size,
                               struct det_error *err);

/* Names of a CSV's columns, blanks around them cut off, as FOREIGN_NOTHING values; and the
 * delimiter, whichever of comma, semicolon and tab the header has most of. The line is written
 * into. */
enum det_code foreign_row_header(struct foreign_row *row, char *line, char *delimiter,
                                 struct det_error *err);

/* A line of a CSV by its header. An empty field is nothing. DET_INVALID where there are more fields
 * than names, or fewer. */
enum det_code foreign_row_csv(struct foreign_row *row, const struct foreign_row *header, char *line,
                              char delimiter, struct det_error *err);

/* The last value of that key; NULL without one. */
const struct foreign_value *foreign_row_find(const struct foreign_row *row, const char *key);

/* Whether the row has a number there, and which. */
int foreign_row_number(const struct foreign_row *row, const char *key, double *out);

/* The text there; NULL where it is none. */
const char *foreign_row_text(const struct foreign_row *row, const char *key);

void foreign_row_release(struct foreign_row *row);

#endif
