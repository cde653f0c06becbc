/* Text and tables as HTML. */
#ifndef HARNESS_REPORT_HTML_H
#define HARNESS_REPORT_HTML_H

#include "harness/report/table.h"

/* With &, <, > and quotes escaped: safe between tags and in attributes. */
void html_text(FILE *to, const char *text);

/* First row as column headings. */
void html_table(FILE *to, const struct table *table);

/* The <svg> element of a file: without XML prolog, which has no place inside a page. */
enum det_code html_svg(FILE *to, const char *path, struct det_error *err);

#endif
