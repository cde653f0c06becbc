/* A log file as text, line by line. */
#ifndef HARNESS_FOREIGN_TEXT_H
#define HARNESS_FOREIGN_TEXT_H

#include "detector/base/status.h"

#include <stddef.h>

struct foreign_text {
    const char *path; /* borrowed */
    char *data;       /* owned: foreign_text_close; safe on a zeroed struct */
    char *next, *end;
    char *line; /* the one at hand, without its end, followed by a NUL; never blank */
    size_t length;
    int number; /* its number, from 1 */
    int whole;  /* whether it had its end: a last line without may be cut short */
};

/* Read the file. A byte order mark is left out. DET_INVALID for what is not plain text: compressed,
 * UTF-16, binary. */
enum det_code foreign_text_open(const char *path, struct foreign_text *text, struct det_error *err);

/* Move to the next line that is not blank; 0 at the end. */
int foreign_text_next(struct foreign_text *text);

/* The first character that is not blank, 0 where there is none. */
char foreign_text_first(const struct foreign_text *text);

/* Put `file:line: ` before err's message. */
enum det_code foreign_text_fail(const struct foreign_text *text, enum det_code code,
                                struct det_error *err);

void foreign_text_close(struct foreign_text *text);

#endif
