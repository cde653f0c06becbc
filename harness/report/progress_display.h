/* What progress is drawn with, of trainings (progress.h) and of many runs (tally.h): where to, and a
 * line with a bar. */
#ifndef HARNESS_PROGRESS_DISPLAY_H
#define HARNESS_PROGRESS_DISPLAY_H

#include <stddef.h>
#include <stdio.h>

struct progress_options { /* all zero, or NULL: standard error, whatever it is */
    FILE *to;             /* NULL: stderr */
    enum { PROGRESS_AUTO, PROGRESS_TERMINAL, PROGRESS_LINES, PROGRESS_SILENT } mode;
    int columns;           /* of the terminal; 0: ask it */
    double (*clock)(void); /* seconds; NULL: CLOCK_MONOTONIC */
};

struct progress_display {
    FILE *to;
    int terminal, silent, columns;
    double (*clock)(void);
    int lines; /* on the screen */
};

struct progress_display progress_display_of(const struct progress_options *options);

int progress_display_columns(const struct progress_display *display);

/* To the start of what was drawn, to draw it again. */
void progress_display_rewind(struct progress_display *display);

/* A line "name [###---] numbers more", cut to the terminal's width; the name in name_width columns,
 * share of the bar full. */
void progress_display_line(struct progress_display *display, const char *name, int name_width,
                           double share, const char *numbers, const char *more);

/* "4:05" or "1:04:05"; "-:--" of a negative time, one that is not known. */
void progress_time_text(double seconds, char *out, size_t size);

#endif
