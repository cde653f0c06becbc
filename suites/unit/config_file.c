/* Configuration files: what is saved is loaded again to the same bits, whole or not at all. */
#include "harness/program/config_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
    strcpy(path, "/tmp/config_file_XXXXXX");
    cr_assert_geq(mkstemp(path), 0);
}

static void remove_path(void)
{
    unlink(path);
}

TestSuite(config_file, .init = make_path, .fini = remove_path);

static void expect_round_trip(const struct det_config *config, const char *what)
{
    struct det_config again;
    struct det_error err = {DET_OK, ""};
    cr_assert_eq(config_save(config, path, &err), DET_OK, "%s: %s", what, err.message);
    cr_assert_eq(config_load(path, NULL, 0, &again, &err), DET_OK, "%s: %s", what, err.message);
    cr_expect_eq(memcmp(config, &again, sizeof again), 0, "%s: not the same bits", what);
}

Test(config_file, what_is_saved_is_loaded)
{
    static const char *const presets[] = {"model.preset=tiny", "model.preset=r18",
                                          "model.preset=r50", "model.preset=custom"};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        struct det_config config;
        cr_assert_eq(config_load(NULL, &presets[i], 1, &config, NULL), DET_OK);
        expect_round_trip(&config, presets[i]);
    }
    static const char *const settings[] = {
        "model.preset=r50", "model.width=32",         "optimizer.lr=0.30000000000000004",
        "seed=9007199254740991", "schedule.milestones=[]", "mask.enabled=false",
        "focal_alpha=-1"};
    struct det_config config;
    cr_assert_eq(config_load(NULL, settings, 7, &config, NULL), DET_OK);
    expect_round_trip(&config, "single keys over a preset");
}

/* Words that mean something else in YAML. */
Test(config_file, any_text_survives)
{
    static const char *const texts[] = {
        "a b",    "a: b",   "a #b",   "\"q\"", "it's", "c:\\d",  "[1, 2]", "{a: b}", "- a", "-",
        "&a",     "*a",     "!x",     "%x",    "@x",   "`x`",    "|",      ">",      "?",   " lead",
        "trail ", "true",   "1e3",    "~",     "é",    "a,b",    "coco:/x/y.json,/z w",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct det_config config;
        det_config_defaults(&config);
        cr_assert_eq(det_config_set(&config, "data", texts[i], NULL), DET_OK, "%s", texts[i]);
        expect_round_trip(&config, texts[i]);
    }
}

Test(config_file, settings_override_in_order)
{
    static const char *const settings[] = {"seed=2", "seed=3"};
    struct det_config config;
    struct det_error err;
    det_config_defaults(&config);
    cr_expect_eq(config_override(&config, "--set", settings, 2, &err), DET_OK, "%s", err.message);
    cr_expect_eq(config.seed, 3);
    cr_expect_eq(config_override(&config, "--set", NULL, 0, &err), DET_OK, "%s", err.message);
    cr_expect_eq(config.seed, 3);
}

Test(config_file, long_settings_are_refused_not_cut)
{
    char setting[2000];
    const char *settings[] = {setting};
    struct det_config config;
    struct det_error err;
    memset(setting, 'a', sizeof setting);
    setting[sizeof setting - 1] = '\0';
    setting[1500] = '=';
    cr_expect_eq(config_load(NULL, settings, 1, &config, &err), DET_INVALID);
    memcpy(setting, "data=", 5);
    cr_expect_eq(config_load(NULL, settings, 1, &config, &err), DET_INVALID);
    cr_expect(strstr(err.message, "longer than"), "%s", err.message);
}

Test(config_file, a_folder_that_is_not_there)
{
    struct det_config config;
    struct det_error err;
    det_config_defaults(&config);
    cr_expect_eq(config_save(&config, "/no/such/folder/config.yaml", &err), DET_IO);
    cr_expect(strstr(err.message, "/no/such/folder/config.yaml"), "%s", err.message);
}
