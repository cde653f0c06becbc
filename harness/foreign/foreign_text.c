#include "harness/foreign/foreign_text.h"

#include "detector/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKED_AT 512 /* bytes at the start that tell binary from text */

/* What kind of file begins with these bytes; NULL for text. */
static const char *not_text(const char *data, size_t size)
{
    static const struct {
        const char *start;
        size_t length;
        const char *what;
    } kinds[] = {
        {"\x1f\x8b", 2, "compressed (gzip)"},
        {"PK\x03\x04", 4, "compressed (zip)"},
        {"\x28\xb5\x2f\xfd", 4, "compressed (zstd)"},
        {"\xfd"
         "7zXZ",
         5, "compressed (xz)"},
        {"BZh", 3, "compressed (bzip2)"},
        {"\xff\xfe", 2, "UTF-16"},
        {"\xfe\xff", 2, "UTF-16"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (size >= kinds[i].length && memcmp(data, kinds[i].start, kinds[i].length) == 0)
            return kinds[i].what;
    return memchr(data, '\0', size < LOOKED_AT ? size : LOOKED_AT) ? "binary" : NULL;
}

enum det_code foreign_text_open(const char *path, struct foreign_text *text, struct det_error *err)
{
    size_t size;
    *text = (struct foreign_text){.path = path};
    enum det_code code = det_file_read(path, &text->data, &size, err);
    if (code != DET_OK)
        return code;
    const char *what = not_text(text->data, size);
    if (what) {
        foreign_text_close(text);
        return det_fail(err, DET_INVALID, "%s: %s, not plain text: unpack it first", path, what);
    }
    text->next = text->data;
    text->end = text->data + size;
    if (size >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0)
        text->next += 3;
    return DET_OK;
}

int foreign_text_next(struct foreign_text *text)
{
    while (text->next < text->end) {
        char *newline = memchr(text->next, '\n', (size_t)(text->end - text->next));
        char *stop = newline ? newline : text->end;
        text->line = text->next;
        text->next = newline ? newline + 1 : text->end;
        text->whole = newline != NULL;
        text->number++;
        while (stop > text->line && strchr(" \t\r", stop[-1]))
            stop--;
        *stop = '\0';
        text->length = (size_t)(stop - text->line);
        if (text->length)
            return 1;
    }
    return 0;
}

char foreign_text_first(const struct foreign_text *text)
{
    return text->next[strspn(text->next, " \t\r\n")];
}

enum det_code foreign_text_fail(const struct foreign_text *text, enum det_code code,
                                struct det_error *err)
{
    char place[300];
    snprintf(place, sizeof place, "%.280s:%d", text->path, text->number);
    return det_fail_in(err, code, place);
}

void foreign_text_close(struct foreign_text *text)
{
    free(text->data);
    text->data = NULL;
}
