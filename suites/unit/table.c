#include "harness/report/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_text(const struct table *table, const char *want)
{
    char *got = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&got, &size);
    cr_assert_not_null(to);
    table_print(table, to);
    fclose(to);
    cr_expect_str_eq(got, want);
    free(got);
}

Test(table, columns_are_aligned)
{
    struct table table;
    table_begin(&table, 3);
    table_cell(&table, "loss");
    table_cell(&table, "%d", 1);
    table_cell(&table, "%d", 1000);
    table_cell(&table, "é");
    table_cell(&table, "%s", "ab");
    table_end_row(&table);
    expect_text(&table, "loss   1  1000\n"
                        "é     ab      \n");
    table_release(&table);
}

/* A class's name can hold a line break, which would part a row in two. */
Test(table, control_characters_are_blanks)
{
    struct table table;
    table_begin(&table, 2);
    table_cell(&table, "%s", "two\nlines\tand\033more");
    table_cell(&table, "1");
    cr_expect_str_eq(table_at(&table, 0, 0), "two lines and more");
    expect_text(&table, "two lines and more  1\n");
    table_release(&table);
}
