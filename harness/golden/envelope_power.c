#include "harness/golden/envelope_power.h"

#include "detector/bodies/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A new order of the runs in every round (Fisher and Yates). */
static void shuffle(struct envelope_run *runs, int n, int round)
{
    for (int i = n - 1; i > 0; i--) {
        struct det_philox draw = det_philox((uint32_t)round, (uint32_t)i, 0, 0, 1);
        int j = (int)(draw.word[0] % (uint32_t)(i + 1));
        struct envelope_run swapped = runs[i];
        runs[i] = runs[j];
        runs[j] = swapped;
    }
}

enum det_code envelope_resample(const struct envelope *envelope, const struct envelope_run *runs,
                                int n, int size, int *alarms, int *tried, struct det_error *err)
{
    struct envelope_run *order = malloc((size_t)n * sizeof *order);
    struct envelope *made = malloc(sizeof *made);
    *alarms = *tried = 0;
    if (order && made) {
        memcpy(order, runs, (size_t)n * sizeof *order);
        *made = *envelope;
        for (int round = 0; round < ENVELOPE_ROUNDS; round++) {
            shuffle(order, n, round);
            if (envelope_fit(made, order, size, NULL) != DET_OK)
                continue;
            *alarms += envelope_alarms(made, order + size, n - size);
            *tried += n - size;
        }
    }
    enum det_code code =
        order && made ? DET_OK : det_fail(err, DET_NO_MEMORY, "no memory for %d runs", n);
    free(order);
    free(made);
    return code;
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
