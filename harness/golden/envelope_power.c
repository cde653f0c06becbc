#include "harness/golden/envelope_power.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int envelope_alarms(const struct envelope *envelope, const struct envelope_run *runs, int n)
{
    int alarms = 0;
    for (int i = 0; i < n; i++) {
        struct envelope_distance distance = envelope_distance_of(envelope, runs[i].values);
        alarms += !envelope_inside(envelope, &distance);
    }
    return alarms;
}

/* Metrics whose name holds `part`: times `factor`, then the share `towards_one` of the way to 1. */
static const struct bend {
    const char *what, *part;
    double factor, towards_one;
} bends[] = {
    {"losses x 1.3", "loss", 1.3, 0},
    {"losses x 1.5", "loss", 1.5, 0},
    {"losses x 0.7", "loss", 0.7, 0},
    {"losses x 0.5", "loss", 0.5, 0},
    {"loss_cls x 1.5", "loss_cls", 1.5, 0},
    {"loss_mask x 0.5", "loss_mask", 0.5, 0},
    {"detections halved", "detections", 0.5, 0},
    {"detections doubled", "detections", 2, 0},
    {"AP halved", "_ap", 0.5, 0},
    {"AP four fifths of the way to 1", "_ap", 1, 0.8},
    {"scores half of the way to 1", "_score", 1, 0.5},
};

static void bend_run(const struct bend *bend, const struct envelope_run *run,
                     struct envelope_run *out)
{
    *out = *run;
    for (int m = 0; m < run->n; m++) {
        double *value = &out->values[m];
        if (!strstr(run->metrics[m].name, bend->part))
            continue;
        *value *= bend->factor;
        *value += bend->towards_one * (1 - *value);
        if (run->metrics[m].measure == ENVELOPE_COUNT)
            *value = floor(*value);
    }
}

enum det_code envelope_put_catches(struct envelope *envelope, const struct envelope_run *runs, int n,
                                   struct det_error *err)
{
    enum det_code code = DET_OK;
    golden_file_drop(&envelope->file, "catches");
    for (size_t b = 0; b < sizeof bends / sizeof bends[0] && code == DET_OK; b++) {
        char line[120];
        int caught = 0;
        for (int i = 0; i < n; i++) {
            struct envelope_run bent;
            bend_run(&bends[b], &runs[i], &bent);
            caught += envelope_alarms(envelope, &bent, 1);
        }
        snprintf(line, sizeof line, "%s: %d of %d", bends[b].what, caught, n);
        code = golden_file_add(&envelope->file, "catches", line, err);
    }
    return code;
}
