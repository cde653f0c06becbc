/* The bits of every shipped recipe against the recorded ones: golden/fixtures/checksums.txt. */
#include "fixtures/fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 100
#define ACCEPT "`detcheck dataset checksum > golden/fixtures/checksums.txt` records what there is"

struct row {
    char recipe[64], split[8];
    uint64_t checksum;
};

static const char *root(void)
{
    const char *folder = getenv("DETCHECK_ROOT");
    return folder ? folder : ".";
}

static int read_rows(struct row rows[ROWS_MAX])
{
    char path[4096], line[256];
    snprintf(path, sizeof path, "%s/golden/fixtures/checksums.txt", root());
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s: missing; " ACCEPT, path);
    int n = 0;
    while (n < ROWS_MAX && fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        int fields =
            sscanf(line, "%63s %7s %" SCNx64, rows[n].recipe, rows[n].split, &rows[n].checksum);
        cr_assert_eq(fields, 3, "%s: not a row: %s", path, line);
        n++;
    }
    fclose(file);
    return n;
}

static uint64_t checksum_of(const char *recipe, enum fixture_split split)
{
    struct fixture_options options = {.seed = 1};
    struct det_dataset *dataset;
    struct det_error err = {0};
    cr_assert_eq(fixture_open(recipe, split, &options, &dataset, &err), DET_OK, "%s", err.message);
    uint64_t checksum = dataset->checksum;
    dataset->close(dataset);
    return checksum;
}

Test(dataset_checksum, recorded_bits)
{
    struct row rows[ROWS_MAX];
    int n = read_rows(rows);
    cr_assert_gt(n, 0, "no rows; " ACCEPT);
    for (int i = 0; i < n; i++) {
        int val = strcmp(rows[i].split, "val") == 0;
        uint64_t got = checksum_of(rows[i].recipe, val ? FIXTURE_VAL : FIXTURE_TRAIN);
        cr_expect_eq(got, rows[i].checksum,
                     "%s %s: got %016" PRIx64 ", recorded %016" PRIx64 "; " ACCEPT, rows[i].recipe,
                     rows[i].split, got, rows[i].checksum);
    }
}

static int has_row(const struct row *rows, int n, const char *recipe, const char *split)
{
    for (int i = 0; i < n; i++)
        if (strcmp(rows[i].recipe, recipe) == 0 && strcmp(rows[i].split, split) == 0)
            return 1;
    return 0;
}

Test(dataset_checksum, every_recipe_has_both_rows)
{
    struct row rows[ROWS_MAX];
    int n = read_rows(rows), recipes = 0;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/fixtures", root());
    DIR *entries = opendir(folder);
    cr_assert_not_null(entries, "%s", folder);
    for (struct dirent *entry; (entry = readdir(entries));) {
        char *dot = strstr(entry->d_name, ".yaml");
        if (!dot || dot[5])
            continue;
        *dot = '\0';
        recipes++;
        cr_expect(has_row(rows, n, entry->d_name, "train"), "%s train: no row; " ACCEPT,
                  entry->d_name);
        cr_expect(has_row(rows, n, entry->d_name, "val"), "%s val: no row; " ACCEPT, entry->d_name);
    }
    closedir(entries);
    cr_expect_eq(n, 2 * recipes, "%d rows for %d recipes", n, recipes);
}
