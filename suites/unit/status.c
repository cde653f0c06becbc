/* Errors: one line, whole, whoever asks. */
#include "detector/base/edit_distance.h"
#include "detector/base/status.h"
#include "harness/program/exit_status.h"

#include <criterion/criterion.h>
#include <string.h>

Test(status, fail_fills_and_returns)
{
    struct det_error err = {DET_OK, ""};
    cr_expect_eq(det_fail(&err, DET_IO, "%s: %d", "file", 3), DET_IO);
    cr_expect_eq(err.code, DET_IO);
    cr_expect_str_eq(err.message, "file: 3");
    cr_expect_eq(det_fail(NULL, DET_INVALID, "nobody listens"), DET_INVALID);
}

Test(status, a_prefix_goes_before)
{
    struct det_error err;
    det_fail(&err, DET_INVALID, "lr: too high");
    cr_expect_eq(det_fail_in(&err, DET_INVALID, "config.yaml:3"), DET_INVALID);
    cr_expect_str_eq(err.message, "config.yaml:3: lr: too high");
    cr_expect_eq(det_fail_in(NULL, DET_IO, "x"), DET_IO);
}

Test(status, long_messages_are_cut_not_overrun)
{
    struct det_error err;
    char text[2 * DET_ERROR_LENGTH];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    det_fail(&err, DET_INVALID, "%s", text);
    cr_expect_eq(strlen(err.message), DET_ERROR_LENGTH - 1);
    det_fail_in(&err, DET_INVALID, text);
    cr_expect_lt(strlen(err.message), DET_ERROR_LENGTH);
    cr_expect(strstr(err.message, "aaa: aaa"), "prefix or message was lost");
}

Test(status, exit_statuses)
{
    cr_expect_eq(exit_status_of(DET_OK), 0);
    cr_expect_eq(exit_status_of(DET_NOT_FINITE), 1);
    cr_expect_eq(exit_status_of(DET_INVALID), 2);
    cr_expect_eq(exit_status_of(DET_IO), 2);
    cr_expect_eq(exit_status_of(DET_NO_MEMORY), 2);
    cr_expect_eq(exit_status_of(DET_UNAVAILABLE), 77);
}

Test(status, edit_distance)
{
    static const struct {
        const char *a, *b;
        int distance;
    } rows[] = {
        {"", "", 0},        {"lr", "lr", 0},       {"", "abc", 3},
        {"lr", "lrr", 1},   {"lr", "l", 1},        {"lr", "la", 1},
        {"ab", "ba", 1},    /* neighbours swapped are one slip */
        {"optimizr", "optimizer", 1},              {"kitten", "sitting", 3},
        {"trian", "train", 1},                     {"ca", "abc", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int there = det_edit_distance(rows[i].a, rows[i].b);
        int back = det_edit_distance(rows[i].b, rows[i].a);
        cr_expect_eq(there, rows[i].distance, "%s to %s: got %d, want %d", rows[i].a, rows[i].b,
                     there, rows[i].distance);
        cr_expect_eq(there, back, "%s and %s: %d there, %d back", rows[i].a, rows[i].b, there,
                     back);
    }
    char word[200];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    cr_expect_eq(det_edit_distance(word, word), 0);
    cr_expect_eq(det_edit_distance(word, ""), 63);
}
