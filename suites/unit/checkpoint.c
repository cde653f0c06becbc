/* Checkpoints: what is saved comes back bit for bit, training goes on as if it had never stopped,
 * and a file that is not this model's changes nothing and is named. */
#include "detector/base/file.h"
#include "detector/base/safetensors.h"
#include "suites/model_suite.h"
#include "suites/temporary_folder.h"

static struct temporary_folder folder;
static struct det_sample samples[SMALL_IMAGES];

static void set_up(void)
{
    static const int objects[SMALL_IMAGES] = {2, 0, 3, 1};
    temporary_folder_make(&folder);
    images_with(samples, SMALL_IMAGES, objects);
}

static void tear_down(void)
{
    drop_images(samples, SMALL_IMAGES);
    temporary_folder_remove(&folder);
}

TestSuite(checkpoint, .init = set_up, .fini = tear_down);

static void save(struct small *s, const char *path, int64_t step)
{
    struct det_error err = {0};
    cr_assert_eq(det_checkpoint_save(s->model, path, step, &err), DET_OK, "%s", err.message);
}

static const struct {
    const char *name, *optimizer, *precision;
} kinds[] = {{"SGD", "sgd", "fp32"}, {"AdamW", "adamw", "fp32"}, {"AdamW, bf16", "adamw", "bf16"}};

static struct det_config config_of(size_t kind)
{
    struct det_config config = small_config();
    set(&config, "optimizer.kind", kinds[kind].optimizer);
    set(&config, "model.precision", kinds[kind].precision);
    return config;
}

/* Wherever the device is lost while it is read: the file of before stays as it was. */
Test(checkpoint, a_lost_device_leaves_the_one_before)
{
    struct det_config config = config_of(0);
    struct small s = small_open(&config, 1);
    const char *path = in_folder(&folder, "kept.safetensors");
    char *want, *got;
    size_t bytes, again;
    save(&s, path, 1);
    cr_assert_eq(det_file_read(path, &want, &bytes, NULL), DET_OK);
    train_step(&s, samples, SMALL_IMAGES, 0);
    for (int reads = 0; reads < 12; reads += 5) {
        struct det_error err = {0};
        downloads_left = reads;
        cr_expect_eq(det_checkpoint_save(s.model, path, 2, &err), DET_IO, "lost after %d reads",
                     reads);
        cr_expect(strstr(err.message, "lost"), "%s", err.message);
        cr_assert_eq(det_file_read(path, &got, &again, NULL), DET_OK);
        cr_expect(again == bytes && memcmp(got, want, bytes) == 0, "lost after %d reads: the file "
                  "has changed", reads);
        free(got);
    }
    free(want);
    small_close(&s);
}

/* Three steps, then three more: in one model, and in another that starts from a checkpoint. */
Test(checkpoint, training_goes_on_with_the_same_bits)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct det_config config = config_of(k);
        struct small whole = small_open(&config, 1);
        struct det_step_stats want, got;
        for (uint32_t step = 0; step < 3; step++)
            train_step(&whole, samples, SMALL_IMAGES, step);
        save(&whole, in_folder(&folder, "half.safetensors"), 3);
        for (uint32_t step = 3; step < 6; step++)
            want = train_step(&whole, samples, SMALL_IMAGES, step);
        float *values = values_of(&whole);
        small_close(&whole);

        config.seed = 99; /* initial weights of its own */
        struct small again = small_open(&config, 2);
        again.model->config.seed = 1;
        struct det_error err = {0};
        int64_t step = -1;
        cr_assert_eq(det_checkpoint_load(again.model, folder.file, 1, &step, &err), DET_OK, "%s",
                     err.message);
        cr_expect_eq(step, 3, "%s: step %lld", kinds[k].name, (long long)step);
        for (; step < 6; step++)
            got = train_step(&again, samples, SMALL_IMAGES, (uint32_t)step);
        expect_same_losses(kinds[k].name, &got.losses, &want.losses);
        cr_expect_eq(got.grad_norm, want.grad_norm);
        expect_same_tensors(kinds[k].name, &again, again.model->params.values, values, 0);
        free(values);
        small_close(&again);
    }
}

Test(checkpoint, scaler_and_counters_come_back)
{
    struct det_config config = config_of(2);
    struct small a = small_open(&config, 1);
    a.model->scaler.scale = 0x1.8p+7;
    a.model->scaler.clean = 1234;
    a.model->updates = 77;
    save(&a, in_folder(&folder, "a.safetensors"), 80);
    small_close(&a);
    struct small b = small_open(&config, 1);
    cr_assert_eq(det_checkpoint_load(b.model, folder.file, 1, NULL, NULL), DET_OK);
    cr_expect_eq(b.model->scaler.scale, 0x1.8p+7);
    cr_expect_eq(b.model->scaler.clean, 1234);
    cr_expect_eq(b.model->updates, 77);
    small_close(&b);
}

Test(checkpoint, weights_alone)
{
    struct det_config config = config_of(1);
    struct small a = small_open(&config, 1);
    train_step(&a, samples, SMALL_IMAGES, 0);
    uint64_t hash = det_model_hash(a.model);
    save(&a, in_folder(&folder, "a.safetensors"), 1);
    small_close(&a);
    config.seed = 5;
    struct small b = small_open(&config, 1);
    int64_t step = -1;
    cr_assert_eq(det_checkpoint_load(b.model, folder.file, 0, &step, NULL), DET_OK);
    cr_expect_eq(det_model_hash(b.model), hash);
    cr_expect_eq(b.model->updates, 0, "weights alone bring no counters");
    cr_expect_eq(step, 0);
    small_close(&b);
}

/* Special values are bits like any others. */
Test(checkpoint, every_bit_pattern_survives)
{
    struct det_config config = config_of(0);
    struct small a = small_open(&config, 1);
    static const uint32_t patterns[] = {0x80000000, 0x00000001, 0x7f800000, 0xff800000,
                                        0x7fc12345, 0xffbfffff, 0x7f7fffff};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        memcpy(a.model->params.values + 10 + i, &patterns[i], 4);
    uint64_t hash = det_model_hash(a.model);
    save(&a, in_folder(&folder, "a.safetensors"), 0);
    memcpy(a.model->params.values, a.model->params.values + 100, 100 * sizeof(float));
    cr_assert_neq(det_model_hash(a.model), hash);
    cr_assert_eq(det_checkpoint_load(a.model, folder.file, 1, NULL, NULL), DET_OK);
    cr_expect_eq(det_model_hash(a.model), hash);
    small_close(&a);
}

/* Running statistics of frozen norms too: no tensor is rewritten on the way. */
Test(checkpoint, every_tensor_of_frozen_norms_comes_back)
{
    struct det_config config = config_of(0);
    set(&config, "model.norm", "frozen_bn");
    struct small a = small_open(&config, 1);
    for (size_t i = 0; i < a.model->params.value_floats; i++)
        a.model->params.values[i] = number((uint32_t)i, 0, 0, 0.5f, 2.0f);
    float *values = values_of(&a);
    save(&a, in_folder(&folder, "a.safetensors"), 1);
    small_close(&a);
    for (int with_optimizer = 0; with_optimizer < 2; with_optimizer++) {
        struct small b = small_open(&config, 1);
        cr_assert_eq(det_checkpoint_load(b.model, folder.file, with_optimizer, NULL, NULL), DET_OK);
        expect_same_tensors("frozen norms", &b, b.model->params.values, values, 0);
        small_close(&b);
    }
    free(values);
}

/* ---- refusals ---- */

/* Load fails, names the file and `named`, and leaves weights, optimiser, counters as they were. */
static void expect_refused(struct small *s, const char *path, int with_optimizer, const char *named)
{
    size_t floats = s->model->params.grad_floats;
    float *state = copy_of(s->model->params.states, floats);
    uint64_t hash = det_model_hash(s->model);
    int64_t step = -7, updates = s->model->updates;
    struct det_error err = {0};
    enum det_code code = det_checkpoint_load(s->model, path, with_optimizer, &step, &err);
    cr_expect(code == DET_INVALID || code == DET_IO, "%s: code %d", named, code);
    cr_expect(strstr(err.message, path), "'%s' does not name %s", err.message, path);
    cr_expect(strstr(err.message, named), "'%s' does not say '%s'", err.message, named);
    cr_expect_eq(det_model_hash(s->model), hash, "%s: weights changed", named);
    cr_expect(memcmp(state, s->model->params.states, floats * sizeof *state) == 0,
              "%s: the optimiser's state changed", named);
    cr_expect_eq(s->model->updates, updates);
    cr_expect_eq(step, -7);
    free(state);
}

Test(checkpoint, another_model_is_refused)
{
    static const char *const others[][3] = {
        {"model.fc_dim", "17", "roi_heads.box_head.fc6"},
        {"model.width", "8", "backbone.body.conv1.weight"},
        {"model.mask_convs", "2", "roi_heads.mask_head.1.0.weight"},
        {"model.norm", "frozen_bn", "running_mean"},
        {"optimizer.kind", "adamw", "optimizer.state2"},
    };
    struct det_config config = config_of(0);
    struct small a = small_open(&config, 1);
    train_step(&a, samples, SMALL_IMAGES, 0);
    save(&a, in_folder(&folder, "a.safetensors"), 1);
    small_close(&a);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct det_config other = config;
        set(&other, others[i][0], others[i][1]);
        struct small b = small_open(&other, 1);
        expect_refused(&b, folder.file, 1, others[i][2]);
        small_close(&b);
    }
    /* the other way round: a file with more than the model has */
    config.model_mask_convs = 2;
    struct small deep = small_open(&config, 1);
    char path[160];
    snprintf(path, sizeof path, "%s", in_folder(&folder, "deep.safetensors"));
    save(&deep, path, 1);
    small_close(&deep);
    config.model_mask_convs = 1;
    struct small b = small_open(&config, 1);
    expect_refused(&b, path, 0, "roi_heads.mask_head.1.0");
    small_close(&b);
}

/* The file's tensors, one of them replaced, renamed or left out, under `path`. */
static void write_changed(const char *from, const char *path, const char *tensor,
                          const struct det_named_tensor *instead, int metadata)
{
    struct det_safetensors *file;
    static struct det_named_tensor tensors[1024];
    static const char *const keys[] = {"step", "updates", "loss_scale", "loss_scale_clean"};
    const char *values[4];
    size_t n = 0;
    cr_assert_eq(det_safetensors_open(from, &file, NULL), DET_OK);
    for (size_t i = 0; i < det_safetensors_count(file); i++) {
        const struct det_named_tensor *t = det_safetensors_at(file, i);
        int hit = tensor && strcmp(t->name, tensor) == 0;
        if (!hit)
            tensors[n++] = *t;
        else if (instead)
            tensors[n++] = *instead;
    }
    for (int k = 0; k < 4; k++)
        values[k] = det_safetensors_metadata(file, keys[k]);
    if (metadata == 2)
        values[0] = "three";
    if (metadata == 3)
        values[2] = "-1";
    cr_assert_eq(det_safetensors_write(path, tensors, n, keys, values, metadata ? 4 : 0, NULL),
                 DET_OK);
    det_safetensors_close(file);
}

Test(checkpoint, changed_files_are_refused)
{
    static const float zeros[4096];
    struct det_config config = config_of(0);
    struct small s = small_open(&config, 1);
    char good[160], bad[160];
    const char *name = "roi_heads.box_predictor.cls_score.bias";
    struct det_named_tensor t = {.name = name,
                                 .dtype = DET_F32,
                                 .n_dims = 1,
                                 .dims = {SMALL_CLASSES + 1},
                                 .data = zeros,
                                 .bytes = 12};
    train_step(&s, samples, SMALL_IMAGES, 0);
    snprintf(good, sizeof good, "%s", in_folder(&folder, "good.safetensors"));
    snprintf(bad, sizeof bad, "%s", in_folder(&folder, "bad.safetensors"));
    save(&s, good, 1);

    write_changed(good, bad, name, NULL, 1);
    expect_refused(&s, bad, 1, name);
    write_changed(good, bad, "optimizer.state1.roi_heads.box_predictor.cls_score.bias", NULL, 1);
    expect_refused(&s, bad, 1, "optimizer.state1.roi_heads.box_predictor.cls_score.bias");
    cr_expect_eq(det_checkpoint_load(s.model, bad, 0, NULL, NULL), DET_OK,
                 "weights alone are whole");
    t.dims[0] = SMALL_CLASSES;
    t.bytes = 8;
    write_changed(good, bad, name, &t, 1);
    expect_refused(&s, bad, 0, name);
    t = (struct det_named_tensor){
        .name = name, .dtype = DET_F32, .n_dims = 2, .dims = {3, 1}, .data = zeros, .bytes = 12};
    write_changed(good, bad, name, &t, 1);
    expect_refused(&s, bad, 0, name);
    t = (struct det_named_tensor){
        .name = name, .dtype = DET_I32, .n_dims = 1, .dims = {3}, .data = zeros, .bytes = 12};
    write_changed(good, bad, name, &t, 1);
    expect_refused(&s, bad, 0, name);
    t = (struct det_named_tensor){.name = "unknown.weight",
                                  .dtype = DET_F32,
                                  .n_dims = 1,
                                  .dims = {3},
                                  .data = zeros,
                                  .bytes = 12};
    write_changed(good, bad, name, &t, 1);
    expect_refused(&s, bad, 0, name);
    write_changed(good, bad, NULL, NULL, 0);
    expect_refused(&s, bad, 1, "step");
    write_changed(good, bad, NULL, NULL, 2);
    expect_refused(&s, bad, 1, "three");
    write_changed(good, bad, NULL, NULL, 3);
    expect_refused(&s, bad, 1, "loss_scale");
    write_changed(good, bad, NULL, NULL, 1);
    cr_expect_eq(det_checkpoint_load(s.model, bad, 1, NULL, NULL), DET_OK, "nothing was changed");
    small_close(&s);
}

/* Cut at every place that a kill, a full disk or a bad download could cut it: the header, its edges
 * and places all over the data. */
Test(checkpoint, truncated_files_are_refused)
{
    struct det_config config = config_of(0);
    struct small s = small_open(&config, 1);
    char good[160], cut[160], *data;
    size_t size;
    snprintf(good, sizeof good, "%s", in_folder(&folder, "good.safetensors"));
    snprintf(cut, sizeof cut, "%s", in_folder(&folder, "cut.safetensors"));
    save(&s, good, 1);
    cr_assert_eq(det_file_read(good, &data, &size, NULL), DET_OK);
    size_t header;
    memcpy(&header, data, sizeof header);
    for (size_t length = 0; length < size; length += length < 16            ? 1
                                                     : length < header + 16 ? header / 37 + 1
                                                                            : size / 61 + 1) {
        cr_assert_eq(det_file_write(cut, data, length, NULL), DET_OK);
        expect_refused(&s, cut, 1, "");
    }
    cr_assert_eq(det_file_write(cut, data, size - 1, NULL), DET_OK);
    expect_refused(&s, cut, 1, "");
    for (size_t i = 0; i < 200; i++) { /* garbage in the header */
        char *at = data + (i * 7919) % (header + 8), kept = *at;
        *at = (char)(kept ^ (1 << i % 8));
        cr_assert_eq(det_file_write(cut, data, size, NULL), DET_OK);
        struct det_error err = {0};
        enum det_code code = det_checkpoint_load(s.model, cut, 1, NULL, &err);
        cr_expect(code == DET_OK || strstr(err.message, cut), "bit %zu: '%s'", i, err.message);
        *at = kept;
    }
    free(data);
    expect_refused(&s, in_folder(&folder, "absent.safetensors"), 1, "absent.safetensors");
    cr_assert_eq(det_file_write(in_folder(&folder, "text"), "step: 3\nnot tensors\n", 20, NULL),
                 DET_OK);
    expect_refused(&s, folder.file, 1, "");
    small_close(&s);
}

/* A folder that is not there: an error, nothing written, the model as it was. */
Test(checkpoint, unwritable_places_are_named)
{
    struct det_config config = config_of(0);
    struct small s = small_open(&config, 1);
    struct det_error err = {0};
    const char *path = in_folder(&folder, "no/such/place.safetensors");
    cr_expect_eq(det_checkpoint_save(s.model, path, 0, &err), DET_IO);
    cr_expect(strstr(err.message, "no/such"), "%s", err.message);
    small_close(&s);
}
