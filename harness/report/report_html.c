#include "harness/report/report_html.h"

#include "detector/base/file.h"

#include <stdlib.h>
#include <string.h>

void html_text(FILE *to, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            fputc(*text, to);
        }
}

static void html_row(FILE *to, const struct table *table, int row)
{
    const char *tag = row == 0 ? "th" : "td";
    fputs("<tr>", to);
    for (int c = 0; c < table->n_columns; c++) {
        fprintf(to, "<%s>", tag);
        html_text(to, table_at(table, row, c));
        fprintf(to, "</%s>", tag);
    }
    fputs("</tr>\n", to);
}

void html_table(FILE *to, const struct table *table)
{
    fputs("<table>\n", to);
    for (int row = 0; row < table_rows(table); row++) {
        if (!table_is_heading(table, row)) {
            html_row(to, table, row);
            continue;
        }
        fprintf(to, "<tr class=\"heading\"><td colspan=\"%d\">", table->n_columns);
        html_text(to, table_at(table, row, 0));
        fputs("</td></tr>\n", to);
    }
    fputs("</table>\n", to);
}

enum det_code html_svg(FILE *to, const char *path, struct det_error *err)
{
    char *text;
    size_t size;
    enum det_code code = det_file_read(path, &text, &size, err);
    if (code != DET_OK)
        return code;
    const char *svg = strstr(text, "<svg");
    if (svg)
        fputs(svg, to);
    else
        code = det_fail(err, DET_INVALID, "%s: not an SVG picture", path);
    free(text);
    return code;
}
