#include "harness/judge/verdict.h"

#include <inttypes.h>

const char *verdict_name(enum verdict_kind kind)
{
    static const char *const names[] = {
        [VERDICT_HEALTHY] = "healthy",       [VERDICT_COLLAPSED] = "collapsed",
        [VERDICT_DIVERGED] = "diverged",     [VERDICT_STALLED] = "stalled",
        [VERDICT_OFF_GOLDEN] = "off_golden", [VERDICT_INCOMPLETE] = "incomplete",
    };
    return names[kind];
}

int verdict_status(enum verdict_kind kind)
{
    return kind == VERDICT_HEALTHY ? 0 : 1;
}

void verdict_print(FILE *to, const char *run, const struct verdict *verdict)
{
    fprintf(to, "%s: %s", run, verdict_name(verdict->kind));
    if (verdict->rule[0])
        fprintf(to, " (%s) at step %" PRId64, verdict->rule, verdict->step);
    fprintf(to, ": %s\n", verdict->why);
}

void verdict_print_warnings(FILE *to, const char *run, const struct verdict *verdict)
{
    for (int i = 0; i < verdict->n_warnings; i++)
        fprintf(to, "%s: warning (%s) at step %" PRId64 ": %s\n", run, verdict->warnings[i].rule,
                verdict->warnings[i].step, verdict->warnings[i].why);
    if (!verdict->n_untold)
        return;
    fprintf(to, "%s: cannot be told from this log: ", run);
    for (int i = 0; i < verdict->n_untold; i++)
        fprintf(to, "%s%s", i ? ", " : "", verdict->untold[i]);
    fputc('\n', to);
}

static void put_untold(struct json_text *text, const struct verdict *verdict)
{
    if (!verdict->n_untold)
        return;
    json_text_open(text, "untold", '[');
    for (int i = 0; i < verdict->n_untold; i++)
        json_text_string(text, NULL, verdict->untold[i]);
    json_text_close(text, ']');
}

void verdict_put_json(struct json_text *text, const struct verdict *verdict)
{
    json_text_string(text, "verdict", verdict_name(verdict->kind));
    json_text_string(text, "rule", verdict->rule);
    json_text_int(text, "step", verdict->step);
    json_text_string(text, "why", verdict->why);
    json_text_open(text, "warnings", '[');
    for (int i = 0; i < verdict->n_warnings; i++) {
        const struct verdict_warning *warning = &verdict->warnings[i];
        json_text_open(text, NULL, '{');
        json_text_string(text, "rule", warning->rule);
        json_text_int(text, "step", warning->step);
        json_text_string(text, "why", warning->why);
        json_text_close(text, '}');
    }
    json_text_close(text, ']');
    put_untold(text, verdict);
}
