/* detcheck dataset stats: what is imbalanced, and by how much. */
#include "fixtures/imbalance.h"
#include "harness/program/config_file.h"
#include "harness/dataset/dataset_commands.h"
#include "harness/dataset/dataset_options.h"
#include "harness/program/exit_status.h"
#include "harness/report/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_IMAGES 500

/* "12.5 %", or "-" of nothing. */
static void share_cell(struct table *table, int64_t part, int64_t whole)
{
    if (whole)
        table_cell(table, "%.2f %%", 100.0 * (double)part / (double)whole);
    else
        table_cell(table, "-");
}

static void count_row(struct table *table, const char *what, int64_t part, int64_t whole)
{
    table_cell(table, "%s", what);
    table_cell(table, "%" PRId64, part);
    share_cell(table, part, whole);
    table_end_row(table);
}

static void bin_rows(struct table *table, const char *heading, const int64_t *counts,
                     const float *ends, int n, int64_t whole)
{
    char name[40];
    table_heading(table, heading);
    for (int i = 0; i < n; i++) {
        if (i == 0)
            snprintf(name, sizeof name, "below %g", (double)ends[0]);
        else if (i < n - 1)
            snprintf(name, sizeof name, "%g to %g", (double)ends[i - 1], (double)ends[i]);
        else
            snprintf(name, sizeof name, "%g and above", (double)ends[i - 1]);
        count_row(table, name, counts[i], whole);
    }
}

static void print_counts(const struct imbalance *m)
{
    struct table table;
    int64_t anchors = m->positives + m->negatives;
    int64_t sampled = m->sampled_positives + m->sampled_negatives;
    table_begin(&table, 3);
    table_heading(&table, "images");
    count_row(&table, "without an annotated object", m->empty, m->images);
    count_row(&table, "without a positive anchor", m->without_positives, m->images);
    table_heading(&table, "objects");
    count_row(&table, "annotated", m->annotated, m->objects);
    count_row(&table, "not annotated", m->objects - m->annotated, m->objects);
    count_row(&table, "crowd regions (not counted above)", m->crowds, 0);
    table_heading(&table, "anchors: foreground share (of foreground and background)");
    count_row(&table, "before sampling", m->positives, anchors);
    count_row(&table, "after sampling", m->sampled_positives, sampled);
    bin_rows(&table, "annotated objects by size: sqrt(box area), pixels", m->sizes,
             imbalance_size_ends, IMBALANCE_SIZES, m->annotated);
    bin_rows(&table, "annotated objects by anchor coverage: best IoU with any anchor", m->ious,
             imbalance_iou_ends, IMBALANCE_IOUS, m->annotated);
    table_print(&table, stdout);
    table_release(&table);
}

static void print_worst(const struct imbalance *m, double threshold)
{
    printf("\n%" PRId64 " of %" PRId64 " annotated objects have no anchor at IoU %g or above: they "
           "live off the one anchor that is forced on them.\n",
           m->below_threshold, m->annotated, threshold);
    for (int i = 0; i < m->n_worst && (double)m->worst[i].iou < threshold; i++) {
        const struct imbalance_object *object = &m->worst[i];
        printf("  image %" PRId64 ", box %g %g %g %g: best IoU %.3f\n", object->image,
               (double)object->box[0], (double)object->box[1], (double)object->box[2],
               (double)object->box[3], (double)object->iou);
    }
}

/* The posterior and the scores that follow from it. */
static void score_cells(struct table *table, int known, double p)
{
    for (int w = 0; w <= 5; w += w ? 2 : 1) {
        if (!known)
            table_cell(table, "-");
        else if (w == 0)
            table_cell(table, "%.3f", p);
        else
            table_cell(table, "%.2f", imbalance_settled_score(w, p));
    }
}

static void class_rows(struct table *table, const struct det_dataset *dataset,
                       const struct imbalance *m)
{
    for (int k = 1; k <= m->n_classes; k++) {
        const struct imbalance_class *class = &m->classes[k - 1];
        double p = imbalance_posterior(m, k);
        table_cell(table, "%s", dataset->class_names[k - 1]);
        table_cell(table, "%" PRId64, class->objects);
        share_cell(table, class->objects, m->objects);
        table_cell(table, "%" PRId64, class->annotated);
        score_cells(table, m->hidden_objects_known && class->objects, p);
    }
}

static void print_classes(const struct det_dataset *dataset, const struct imbalance *m)
{
    struct table table;
    table_begin(&table, 8);
    table_cell(&table, "class");
    table_cell(&table, "objects");
    table_cell(&table, "share");
    table_cell(&table, "annotated");
    table_cell(&table, "p");
    for (int w = 1; w <= 5; w += 2)
        table_cell(&table, "s(w=%d)", w);
    class_rows(&table, dataset, m);
    printf("\n");
    table_print(&table, stdout);
    table_release(&table);
    if (m->hidden_objects_known)
        printf(
            "\np: share of what looks like the class that is annotated as it. s(w): the score at "
            "which a head settles there,\nw p / (w p + 1 - p) with roi_cls_pos_weight w; below "
            "judge.score all detections are lost.\n");
    else
        printf("\nWhat this dataset leaves un-annotated is not known: no p, no predicted score.\n");
}

static enum det_code print_stats(const struct dataset_options *options,
                                 const struct det_config *config, struct det_error *err)
{
    struct fixture_options fixture = dataset_options_fixture(options);
    struct det_dataset *dataset;
    struct imbalance measured;
    fixture.all_objects = 1;
    enum det_code code = fixture_open(options->source, options->split, &fixture, &dataset, err);
    if (code)
        return code;
    code = imbalance_measure(dataset, config, options->images, &measured, err);
    if (!code) {
        printf("%s, %s split: %" PRId64 " images of %d x %d, %" PRId64 " objects, %d anchors an "
               "image\n",
               dataset->name, options->split == FIXTURE_VAL ? "val" : "train", measured.images,
               dataset->canvas_w, dataset->canvas_h, measured.objects, measured.n_anchors);
        if (dataset->left_out)
            printf("annotations left out because their boxes have no area: %d\n",
                   dataset->left_out);
        printf("\n");
        print_counts(&measured);
        print_worst(&measured, config->rpn_fg_iou);
        print_classes(dataset, &measured);
        imbalance_release(&measured);
    }
    dataset->close(dataset);
    return code;
}

int dataset_stats(int argc, char **argv, struct det_error *err)
{
    struct dataset_options options = {
        .images = DEFAULT_IMAGES,
        .settings = calloc((size_t)argc, sizeof *options.settings),
    };
    struct det_config config;
    if (!options.settings)
        return exit_status_of(det_fail(err, DET_NO_MEMORY, "no memory for the options"));
    dataset_options_parse(
        argc, argv, "nprzcs", "SOURCE",
        "Measure how imbalanced the first images (500) are as training meets them: "
        "empty images, annotated objects, foreground share of anchors, anchor "
        "coverage, and the scores at which a trained head settles. Anchors, matcher "
        "and sampler are those of the configuration.",
        &options);
    enum det_code code =
        config_load(options.config, options.settings, options.n_settings, &config, err);
    if (!code)
        code = print_stats(&options, &config, err);
    free(options.settings);
    return exit_status_of(code);
}
