#include "harness/report/progress_display.h"

#include "harness/statistics/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_MIN 8
#define BAR_MAX 30
#define LINE_SIZE 512

/* A terminal that cannot move its cursor gets plain lines, too. */
static int is_terminal(FILE *to)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(to)) && kind && strcmp(kind, "dumb") != 0;
}

struct progress_display progress_display_of(const struct progress_options *options)
{
    static const struct progress_options as_it_is = {0};
    options = options ? options : &as_it_is;
    FILE *to = options->to ? options->to : stderr;
    return (struct progress_display){
        .to = to,
        .silent = options->mode == PROGRESS_SILENT,
        .terminal = options->mode == PROGRESS_TERMINAL ||
                    (options->mode == PROGRESS_AUTO && is_terminal(to)),
        .columns = options->columns,
        .clock = options->clock ? options->clock : clock_seconds,
    };
}

int progress_display_columns(const struct progress_display *display)
{
    struct winsize size;
    if (display->columns > 0)
        return display->columns;
    if (ioctl(fileno(display->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void progress_display_rewind(struct progress_display *display)
{
    if (display->lines)
        fprintf(display->to, "\033[%dA", display->lines);
    display->lines = 0;
}

static void print_bar(double share, int width, char *out)
{
    int filled = (int)(width * share);
    for (int i = 0; i < width; i++)
        out[i] = i < filled ? '#' : '-';
    out[width] = '\0';
}

/* At most columns - 1 characters: a full line would wrap on some terminals. */
void progress_display_line(struct progress_display *display, const char *name, int name_width,
                           double share, const char *numbers, const char *more)
{
    char bar[BAR_MAX + 1], line[LINE_SIZE];
    int columns = progress_display_columns(display);
    int width = columns - 1 - name_width - (int)strlen(numbers) - 5;
    width = width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
    print_bar(share, width, bar);
    snprintf(line, sizeof line, "%-*s [%s] %s%s", name_width, name, bar, numbers, more);
    fprintf(display->to, "\r%.*s\033[K\n", columns - 1, line);
    display->lines++;
}

void progress_time_text(double seconds, char *out, size_t size)
{
    long s = (long)(seconds + 0.5);
    if (seconds < 0)
        snprintf(out, size, "-:--");
    else if (s < 3600)
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}
