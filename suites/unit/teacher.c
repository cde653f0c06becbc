/* Teacher-forced steps: the same machine repeats a step with no difference at all; whatever is
 * altered in the teacher's record is found and named; what a tie explains passes. */
#include "harness/teacher/teacher_step.h"

#include "harness/teacher/trace_file.h"
#include "suites/model_suite.h"
#include "suites/temporary_folder.h"

enum { IMAGES = 3, STEP = 4 };

struct lesson { /* one recorded step and who repeats it */
    struct small small;
    struct det_sample samples[IMAGES];
    struct golden_step golden;
    struct tolerances tolerances;
    struct pupil pupil;
    struct step_result result;
};

static struct det_config config_of(const char *precision)
{
    struct det_config config = small_config();
    set(&config, "model.precision", precision);
    set(&config, "clip_grad_norm", "2.0");
    config.schedule_warmup_steps = 0;
    return config;
}

static struct lesson *open_lesson(const char *precision)
{
    static const int objects[IMAGES] = {3, 0, 5};
    struct lesson *l = calloc(1, sizeof *l);
    struct det_config config = config_of(precision);
    struct det_error err = {0};
    cr_assert_not_null(l);
    l->small = small_open(&config, 2);
    images_with(l->samples, IMAGES, objects);
    for (uint32_t step = 0; step < STEP; step++)
        train_step(&l->small, l->samples, IMAGES, step);
    l->golden.batch = batch_hash(l->samples, IMAGES, SMALL_CANVAS, SMALL_CANVAS);
    cr_assert_eq(golden_step_make(&l->golden, l->small.model, l->small.dev, l->samples, IMAGES, STEP,
                                  &err), DET_OK, "%s", err.message);
    cr_assert_eq(tolerances_read(NULL, precision, precision, &l->tolerances, &err), DET_OK, "%s",
                 err.message);
    l->pupil = (struct pupil){.model = l->small.model, .dev = l->small.dev,
                              .config = &l->small.config, .canvas_h = SMALL_CANVAS,
                              .canvas_w = SMALL_CANVAS, .n_classes = SMALL_CLASSES,
                              .scaler_as_teacher = 1};
    return l;
}

static enum det_code repeat(struct lesson *l, struct det_error *err)
{
    return teacher_step(&l->pupil, &l->golden, l->samples, IMAGES, &l->tolerances, &l->result, err);
}

static void close_lesson(struct lesson *l)
{
    flip_log_release(&l->result.log);
    pupil_release(&l->pupil);
    golden_step_release(&l->golden);
    drop_images(l->samples, IMAGES);
    small_close(&l->small);
    free(l);
}

static void expect_exact(const char *what, const struct step_result *r)
{
    const struct worst *errors[] = {&r->loss, &r->value, &r->target, &r->gradient, &r->update};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        cr_expect(errors[i]->name[0] && errors[i]->error == 0.0, "%s: error %zu: got %g of %s, want 0",
                  what, i, errors[i]->error, errors[i]->name);
    for (int k = 0; k < FLIP_KINDS; k++)
        cr_expect(r->log.kind[k].n == 0 && r->log.kind[k].following == 0 && r->log.kind[k].beyond == 0,
                  "%s: %s: %d flips, %d following, %d beyond, want none", what,
                  flip_name((enum flip_kind)k), r->log.kind[k].n, r->log.kind[k].following,
                  r->log.kind[k].beyond);
    cr_expect(step_result_passes(r), "%s: %s", what, r->log.n_findings ? r->log.findings[0].text : "fails");
}

Test(teacher, repeats_a_step_to_the_bit)
{
    static const char *const precisions[] = {"fp32", "bf16"};
    for (int i = 0; i < 2; i++) {
        struct lesson *l = open_lesson(precisions[i]);
        struct det_error err = {0};
        cr_assert_eq(repeat(l, &err), DET_OK, "%s", err.message);
        expect_exact(precisions[i], &l->result);
        cr_expect_gt(decision_ints(&l->golden.decisions, DECISION_ROI_COUNT)[0], 8);
        cr_expect(l->golden.clipped, "the case is meant to clip: norm %g", l->golden.grad_norm);
        close_lesson(l);
    }
}

/* A pupil of another precision has the loss scaler of its own: without it fp16 gradients vanish, and
 * an fp32 model would not unscale what it is given. */
Test(teacher, another_precision_keeps_its_own_loss_scaler)
{
    static const char *const pairs[][2] = {{"fp32", "fp16"}, {"fp16", "fp32"}};
    for (int i = 0; i < 2; i++) {
        struct lesson *l = open_lesson(pairs[i][0]);
        struct det_config config = config_of(pairs[i][1]);
        struct small own = small_open(&config, 1);
        struct det_error err = {0};
        double scale = det_model_counters(own.model).loss_scale;
        cr_assert_eq(tolerances_read(NULL, "fp32", "fp16", &l->tolerances, &err), DET_OK);
        l->pupil.model = own.model;
        l->pupil.dev = own.dev;
        l->pupil.config = &own.config;
        l->pupil.scaler_as_teacher = 0;
        cr_assert_eq(repeat(l, &err), DET_OK, "%s", err.message);
        struct det_counters after = det_model_counters(own.model);
        cr_expect(after.loss_scale == scale && after.updates == STEP + 1, "%s: scale %g, %lld updates",
                  pairs[i][1], after.loss_scale, (long long)after.updates);
        cr_expect(l->result.gradient.error > 0.0 && l->result.gradient.error <= 0.08,
                  "%s: gradient of %s off by %g", pairs[i][1], l->result.gradient.name,
                  l->result.gradient.error);
        cr_expect_leq(l->result.update.error, 1e-6, "%s: update of %s off by %g", pairs[i][1],
                      l->result.update.name, l->result.update.error);
        close_lesson(l);
        small_close(&own);
    }
}

/* ---- the hook ---- */

static void note_stage(void *arg, enum det_pass_stage stage)
{
    char *order = arg;
    order[strlen(order)] = (char)('0' + stage);
}

Test(teacher, a_hook_is_called_after_each_decision)
{
    static const char *const masks[] = {"true", "false"}, *const want[] = {"012345", "01234"};
    static const int objects[1] = {2};
    for (int i = 0; i < 2; i++) {
        char order[16] = "";
        struct det_sample sample;
        struct det_activation a;
        struct det_config config = config_of("fp32");
        set(&config, "mask.enabled", masks[i]);
        struct small s = small_open(&config, 1);
        images_with(&sample, 1, objects);
        det_model_set_hook(s.model, note_stage, order);
        pass(&s, &sample, 1, 0);
        det_model_set_hook(s.model, NULL, NULL);
        pass(&s, &sample, 1, 0);
        cr_expect_str_eq(order, want[i], "mask.enabled %s: stages %s, want %s", masks[i], order,
                         want[i]);
        for (size_t k = 0; det_model_activation(s.model, k, &a); k++)
            cr_expect((int)a.stage < (int)strlen(want[i]) && a.rows > 0, "%s: stage %d, %d rows",
                      a.name, (int)a.stage, a.rows);
        drop_images(&sample, 1);
        small_close(&s);
    }
}

/* ---- what is altered is found ---- */

static float *gradient_of(struct lesson *l, const char *name, size_t *size)
{
    float *at = l->golden.gradients.at;
    for (size_t i = 0; i < det_model_parameter_count(l->small.model); i++) {
        const struct det_parameter *p = det_model_parameter(l->small.model, i);
        if (!strcmp(p->name, name)) {
            *size = p->size;
            return at;
        }
        at += p->grad ? p->size : 0;
    }
    cr_assert_fail("%s: no such parameter", name);
    return NULL;
}

static void scale_bias(struct lesson *l)
{
    size_t n;
    float *g = gradient_of(l, "rpn.head.conv.0.0.bias", &n);
    for (size_t i = 0; i < n; i++)
        g[i] *= 1.001f;
}

static void scale_gradient(struct lesson *l)
{
    size_t n;
    float *g = gradient_of(l, "rpn.head.conv.0.0.weight", &n);
    for (size_t i = 0; i < n; i++)
        g[i] *= 1.001f;
}

static void one_nan_gradient(struct lesson *l)
{
    size_t n;
    gradient_of(l, "roi_heads.box_head.fc7.weight", &n)[n / 2] = NAN;
}

static void scale_loss(struct lesson *l)
{
    l->golden.losses[2] *= 1.0001;
}

static void nan_loss(struct lesson *l)
{
    l->golden.losses[4] = NAN;
}

static void norm(struct lesson *l)
{
    l->golden.grad_norm *= 1.001;
}

static void clipped(struct lesson *l)
{
    l->golden.clipped = 0;
}

static void skipped(struct lesson *l)
{
    l->golden.skipped = 1;
}

static void one_logit(struct lesson *l)
{
    decision_floats(&l->golden.decisions, DECISION_LOGITS)[17] += 1e-3f;
}

static void nan_delta(struct lesson *l)
{
    decision_floats(&l->golden.decisions, DECISION_DELTAS)[5] = NAN;
}

static void weight_before(struct lesson *l)
{
    for (size_t i = 0; i < 36; i++)
        l->golden.before.values.at[i] *= 1.01f;
}

static void weight_after(struct lesson *l)
{
    l->golden.after.values.at[40] += 1e-4f;
}

static void momentum_after(struct lesson *l)
{
    l->golden.after.state1.at[40] *= 1.001f;
}

static void counter_after(struct lesson *l)
{
    l->golden.after.counters.updates++;
}

static void image(struct lesson *l)
{
    l->samples[1].image[77] += 1e-3f;
}

/* The first anchor with that label becomes the other one. */
static void flip_anchor(struct lesson *l, int8_t from, int8_t to)
{
    int8_t *labels = l->golden.decisions.array[DECISION_SAMPLED].at;
    while (*labels != from)
        labels++;
    *labels = to;
}

static void anchor_left_out(struct lesson *l)
{
    flip_anchor(l, 1, -1);
}

static void anchor_of_the_other_kind(struct lesson *l)
{
    flip_anchor(l, 0, 1);
}

static void anchor_target(struct lesson *l)
{
    const int8_t *labels = l->golden.decisions.array[DECISION_SAMPLED].at;
    size_t a = 0;
    while (labels[a] != 1)
        a++;
    decision_floats(&l->golden.decisions, DECISION_ANCHOR_TARGETS)[4 * a + 2] += 1e-3f;
}

static void swap_proposals(struct lesson *l)
{
    float *boxes = decision_floats(&l->golden.decisions, DECISION_PROPOSAL_BOXES);
    float *scores = decision_floats(&l->golden.decisions, DECISION_PROPOSAL_SCORES);
    float box[4], score = scores[1];
    memcpy(box, boxes + 4, sizeof box);
    memcpy(boxes + 4, boxes + 40, sizeof box);
    memcpy(boxes + 40, box, sizeof box);
    scores[1] = scores[10];
    scores[10] = score;
}

static void lose_proposal(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_PROPOSAL_COUNT)[2]--;
}

static void move_proposal(struct lesson *l)
{
    decision_floats(&l->golden.decisions, DECISION_PROPOSAL_BOXES)[4] += 0.5f;
}

static int first_roi(const struct lesson *l, int foreground)
{
    const int32_t *labels = decision_ints(&l->golden.decisions, DECISION_ROI_LABELS);
    int r = 0;
    while ((labels[r] > 0) != foreground)
        r++;
    return r;
}

static void roi_to_background(struct lesson *l)
{
    int r = first_roi(l, 1);
    decision_ints(&l->golden.decisions, DECISION_ROI_LABELS)[r] = 0;
    decision_ints(&l->golden.decisions, DECISION_ROI_MATCHED)[r] = -1;
}

static void roi_of_another_class(struct lesson *l)
{
    int32_t *label = decision_ints(&l->golden.decisions, DECISION_ROI_LABELS) + first_roi(l, 1);
    *label = *label == 1 ? 2 : 1;
}

static void roi_left_out(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_COUNT)[0]--;
}

static void roi_level(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_LEVEL)[first_roi(l, 0)] += 1;
}

static void roi_target(struct lesson *l)
{
    decision_floats(&l->golden.decisions, DECISION_ROI_TARGETS)[4 * first_roi(l, 1)] += 1e-3f;
}

/* The largest unit of the first layer is off, or the first that is off is on and large. */
static void unit_off(struct lesson *l)
{
    size_t largest = 0;
    for (size_t i = 0; i < 4096; i++)
        if (l->golden.kinks.units[i] > l->golden.kinks.units[largest])
            largest = i;
    l->golden.kinks.units[largest] = 0;
}

static void unit_on(struct lesson *l)
{
    size_t i = 0;
    while (l->golden.kinks.units[i])
        i++;
    l->golden.kinks.units[i] = 150; /* 2^0 */
}

static void maximum(struct lesson *l)
{
    for (size_t i = 0; i < 64; i++)
        l->golden.kinks.maxima[i] = 0;
}

static const struct alteration {
    const char *name;
    void (*alter)(struct lesson *);
    const char *said; /* part of a finding that fails */
} alterations[] = {
    {"a gradient times 1.001", scale_gradient, "gradient of rpn.head.conv.0.0.weight differs"},
    {"a bias's gradient times 1.001", scale_bias, "gradient of rpn.head.conv.0.0.bias differs"},
    {"one NaN in a gradient", one_nan_gradient, "gradient of roi_heads.box_head.fc7.weight differs"},
    {"a loss times 1.0001", scale_loss, "loss_cls: "},
    {"a NaN loss", nan_loss, "loss_mask: "},
    {"the norm times 1.001", norm, "norm: grad_norm differs"},
    {"clipped turned", clipped, "gradients clipped: 0 there, 1 here"},
    {"skipped turned", skipped, "step skipped: 1 there"},
    {"one logit", one_logit, "value: rpn_logits differs"},
    {"a NaN delta", nan_delta, "value: rpn_deltas differs"},
    {"weights before", weight_before, "gradient of backbone.body.conv1.weight differs"},
    {"one weight after", weight_after, "value of backbone.body.conv1.weight after the update"},
    {"one momentum after", momentum_after, "state1 of backbone.body.conv1.weight after the update"},
    {"updates made", counter_after, "after the update: "},
    {"one pixel", image, "the batch is another one"},
    {"an anchor left out", anchor_left_out, "anchor "},
    {"an anchor of the other kind", anchor_of_the_other_kind, "sampled as 1 there, 0 here"},
    {"an anchor's target", anchor_target, "target: rpn_targets differs"},
    {"proposals swapped", swap_proposals, "proposal 10 there, 1 here"},
    {"a proposal lost", lose_proposal, "image 2, anchor "},
    {"a proposal moved", move_proposal, "image 0: proposal 1 there is no anchor's"},
    {"a RoI to background", roi_to_background, "drawn as 0 there, 1 here"},
    {"a RoI of another class", roi_of_another_class, "RoI candidate"},
    {"a RoI left out", roi_left_out, "RoI candidate"},
    {"a RoI's level", roi_level, "level 1 there, 0 here"},
    {"a RoI's target", roi_target, "target: roi_targets differs"},
    {"a unit off", unit_off, "ReLU units after backbone.body.bn1.weight"},
    {"a unit on", unit_on, "ReLU units after backbone.body.bn1.weight"},
    {"maxima", maximum, "maxima after backbone.body.bn1.weight"},
};
#define ALTERATIONS (sizeof alterations / sizeof *alterations)

static int says(const struct step_result *r, const char *text)
{
    for (size_t i = 0; i < r->log.n_findings; i++)
        if (r->log.findings[i].fails && strstr(r->log.findings[i].text, text))
            return 1;
    return 0;
}

static void expect_found(const struct alteration *a)
{
    struct lesson *l = open_lesson("fp32");
    struct det_error err = {0};
    a->alter(l);
    cr_expect_eq(repeat(l, &err), DET_OK, "%s: %s", a->name, err.message);
    cr_expect(!step_result_passes(&l->result), "%s: passes", a->name);
    cr_expect(says(&l->result, a->said), "%s: want '%s', got '%s'", a->name, a->said,
              l->result.log.n_findings ? l->result.log.findings[0].text : "nothing");
    close_lesson(l);
}

Test(teacher, names_what_was_altered)
{
    for (size_t i = 0; i < ALTERATIONS; i++)
        expect_found(&alterations[i]);
}

/* A unit that is hardly on, taken as off: within its limit, and the gradients of the layers below are
 * those of a net in which it is off. */
Test(teacher, a_tie_passes_and_its_outcome_is_the_teachers)
{
    struct lesson *l = open_lesson("fp32");
    struct det_error err = {0};
    size_t least = 0, units = l->golden.kinks.n_units;
    while (!l->golden.kinks.units[least])
        least++;
    for (size_t i = least; i < units; i++)
        if (l->golden.kinks.units[i] && l->golden.kinks.units[i] < l->golden.kinks.units[least])
            least = i;
    l->golden.kinks.units[least] = 0;
    l->tolerances.kink = 1e-2;
    cr_assert_eq(repeat(l, &err), DET_OK, "%s", err.message);
    const struct flips *relu = &l->result.log.kind[FLIP_RELU];
    cr_expect(relu->n == 1 && relu->beyond == 0 && relu->worst.margin > 0.0,
              "%d flips, %d beyond, margin %g", relu->n, relu->beyond, relu->worst.margin);
    cr_expect_gt(l->result.gradient.error, 0.0, "the gradients are those of the unit being on");
    close_lesson(l);
}

/* ---- a record that does not fit ---- */

static void roi_beyond(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_IMAGE)[0] = IMAGES;
}

static void too_many_rois(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_COUNT)[0] = 100000;
}

static void matched_beyond(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_MATCHED)[0] = 1000;
}

static void rois_unsorted(struct lesson *l)
{
    decision_ints(&l->golden.decisions, DECISION_ROI_INDEX)[1] =
        decision_ints(&l->golden.decisions, DECISION_ROI_INDEX)[0];
}

static void maximum_beyond(struct lesson *l)
{
    l->golden.kinks.maxima[3] = 1 << 20;
}

static void fewer_units(struct lesson *l)
{
    l->golden.kinks.n_units--;
}

static void other_proposals(struct lesson *l)
{
    l->golden.decisions.array[DECISION_PROPOSAL_SCORES].columns++;
}

Test(teacher, refuses_what_does_not_fit)
{
    static const struct {
        void (*alter)(struct lesson *);
        const char *said;
    } cases[] = {
        {roi_beyond, "roi_image[0]: 3 is not in 0..2"},
        {too_many_rois, "roi_count[0]: 100000"},
        {matched_beyond, "roi_matched[0]: 1000"},
        {rois_unsorted, "roi_index[1]: not in ascending order"},
        {maximum_beyond, "maximum after backbone.body.bn1.weight: element 1048576"},
        {fewer_units, "units"},
        {other_proposals, "proposal_scores: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lesson *l = open_lesson("fp32");
        struct det_error err = {0};
        cases[i].alter(l);
        cr_expect_eq(repeat(l, &err), DET_INVALID, "%s: accepted", cases[i].said);
        cr_expect(strstr(err.message, cases[i].said), "want '%s', got '%s'", cases[i].said,
                  err.message);
        close_lesson(l);
    }
}

/* ---- a trace keeps every bit ---- */

Test(teacher, a_trace_gives_back_the_step)
{
    struct lesson *l = open_lesson("fp32");
    struct temporary_folder folder;
    struct trace_origin origin = {.dataset = 7, .precision = "fp32", .made_by = "a test"}, back;
    struct trace trace;
    struct det_error err = {0};
    temporary_folder_make(&folder);
    cr_assert_eq(trace_step_write(folder.path, &origin, &l->golden, l->small.model, &err), DET_OK,
                 "%s", err.message);
    golden_step_release(&l->golden);
    cr_assert_eq(trace_open(folder.path, &trace, &err), DET_OK, "%s", err.message);
    cr_assert(trace.n_steps == 1 && trace.steps[0] == STEP);
    cr_expect_eq(trace_step_read(&trace, STEP, 8, l->small.model, &back, &l->golden, &err),
                 DET_INVALID, "another dataset: accepted");
    cr_assert_eq(trace_step_read(&trace, STEP, 7, l->small.model, &back, &l->golden, &err), DET_OK,
                 "%s", err.message);
    cr_expect(back.dataset == 7 && !strcmp(back.precision, "fp32") &&
              !strcmp(back.made_by, "a test"));
    cr_assert_eq(repeat(l, &err), DET_OK, "%s", err.message);
    expect_exact("from a file", &l->result);
    trace_close(&trace);
    temporary_folder_remove(&folder);
    close_lesson(l);
}

/* ---- the table of tolerances ---- */

Test(teacher, tolerances_are_complete_and_have_reasons)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"fp32 fp32 loss 1e-5 why\n", "no tolerance of value"},
        {"fp32 fp32 loss 1e-5\n", ":1: not `TEACHER PUPIL"},
        {"fp32 fp32 lost 1e-5 why\n", ":1: lost: no such quantity"},
        {"\n# x\nfp32 fp32 loss nan why\n", ":3: not `TEACHER PUPIL"},
        {"fp32 fp32 loss -1 why\n", ":1: not `TEACHER PUPIL"},
        {"fp32 fp32 loss 1 why\nfp32 fp32 loss 2 why\n", ":2: loss: a second time"},
    };
    struct temporary_folder folder;
    struct tolerances t;
    temporary_folder_make(&folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct det_error err = {0};
        FILE *file = fopen(in_folder(&folder, "table"), "w");
        fputs(cases[i].text, file);
        fclose(file);
        cr_expect_eq(tolerances_read(folder.file, "fp32", "fp32", &t, &err), DET_INVALID);
        cr_expect(strstr(err.message, cases[i].said), "want '%s', got '%s'", cases[i].said,
                  err.message);
    }
    static const char *const pairs[][2] = {{"fp32", "fp32"}, {"fp32", "bf16"}, {"bf16", "bf16"},
                                            {"fp32", "fp16"}, {"fp16", "fp16"}, {"fp32", "tf32"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        cr_expect_eq(tolerances_read(NULL, pairs[i][0], pairs[i][1], &t, NULL), DET_OK, "%s %s",
                     pairs[i][0], pairs[i][1]);
    cr_expect_eq(tolerances_read(NULL, "fp32", "fp64", &t, NULL), DET_INVALID);
    temporary_folder_remove(&folder);
}
