/* The box head's opinion of given boxes: it does not depend on how many boxes are asked about at once,
 * nor on how many of them the model has room for. */
#include "suites/model_suite.h"

enum { IMAGES = 3, BOXES = 17 };

static const int32_t first[IMAGES + 1] = {0, 11, 11, BOXES}; /* the second image has none */

static void make_boxes(float boxes[BOXES][4], int32_t labels[BOXES])
{
    for (int i = 0; i < BOXES; i++) {
        boxes[i][0] = number((uint32_t)i, 0, 7, 0.0f, 30.0f);
        boxes[i][1] = number((uint32_t)i, 1, 7, 0.0f, 30.0f);
        boxes[i][2] = boxes[i][0] + number((uint32_t)i, 2, 7, 4.0f, 30.0f);
        boxes[i][3] = boxes[i][1] + number((uint32_t)i, 3, 7, 4.0f, 30.0f);
        labels[i] = 1 + i % SMALL_CLASSES;
    }
}

static void infer(struct small *s, const struct det_sample *samples)
{
    struct det_detection found[IMAGES][12];
    struct det_image_detections out[IMAGES] = {{.at = found[0]}, {.at = found[1]},
                                               {.at = found[2]}};
    struct det_infer_stats stats;
    cr_assert_eq(det_model_infer(s->model, samples, IMAGES, out, &stats, NULL), DET_OK);
}

/* Scores of all boxes from a model with room for `room` boxes of an image. */
static void score(const char *room, const struct det_sample *samples, float scores[BOXES])
{
    float boxes[BOXES][4];
    int32_t labels[BOXES];
    struct det_error err = {0};
    struct det_config config = small_config();
    set(&config, "rpn.post_nms_test", room);
    struct small s = small_open(&config, 2);
    make_boxes(boxes, labels);
    for (int i = 0; i < BOXES; i++)
        scores[i] = -1.0f;
    infer(&s, samples);
    cr_assert_eq(det_model_score_boxes(s.model, IMAGES, first, boxes[0], labels, scores, &err),
                 DET_OK, "room for %s: %s", room, err.message);
    small_close(&s);
}

Test(score_boxes, any_number_of_boxes)
{
    static const int objects[IMAGES] = {2, 0, 3};
    static const char *const rooms[] = {"1", "2", "6", "11"};
    struct det_sample samples[IMAGES];
    float want[BOXES], got[BOXES];
    images_with(samples, IMAGES, objects);
    score("24", samples, want);
    float least = 1.0f, most = 0.0f;
    for (int i = 0; i < BOXES; i++) {
        least = fminf(least, want[i]);
        most = fmaxf(most, want[i]);
    }
    cr_assert(least > 0.0f && most < 1.0f && most - least > 1e-3f,
              "scores %g to %g: this case could not tell one box from another", (double)least,
              (double)most);
    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        score(rooms[r], samples, got);
        for (int i = 0; i < BOXES; i++)
            cr_expect(fabsf(got[i] - want[i]) <= 1e-5f, "room for %s: box %d: got %.9g, want %.9g",
                      rooms[r], i, (double)got[i], (double)want[i]);
    }
    drop_images(samples, IMAGES);
}

Test(score_boxes, no_boxes_and_other_images)
{
    static const int objects[IMAGES] = {1, 1, 1};
    static const int32_t none[IMAGES + 1] = {0, 0, 0, 0};
    struct det_sample samples[IMAGES];
    struct det_error err = {0};
    struct det_config config = small_config();
    struct small s = small_open(&config, 1);
    images_with(samples, IMAGES, objects);
    infer(&s, samples);
    cr_expect_eq(det_model_score_boxes(s.model, IMAGES, none, NULL, NULL, NULL, &err), DET_OK);
    cr_expect_eq(det_model_score_boxes(s.model, 2, none, NULL, NULL, NULL, &err), DET_INVALID);
    cr_expect(strstr(err.message, "the last pass had 3"), "%s", err.message);
    small_close(&s);
    drop_images(samples, IMAGES);
}
