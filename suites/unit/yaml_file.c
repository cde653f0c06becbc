/* YAML flattened: paths, values and lines; what is refused, and where. */
#include "fixtures/yaml_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct yaml_file *parse(const char *text)
{
    struct yaml_file *file = NULL;
    struct det_error err = {DET_OK, ""};
    cr_assert_eq(yaml_file_parse(text, "t.yaml", &file, &err), DET_OK, "%s", err.message);
    return file;
}

static void expect_entries(const char *text, const struct yaml_entry *want, size_t n)
{
    struct yaml_file *file = parse(text);
    cr_assert_eq(yaml_file_count(file), n, "%s: got %zu entries, want %zu", text,
                 yaml_file_count(file), n);
    for (size_t i = 0; i < n; i++) {
        const struct yaml_entry *got = yaml_file_at(file, i);
        cr_expect_str_eq(got->path, want[i].path, "entry %zu: got %s, want %s", i, got->path,
                         want[i].path);
        cr_expect_str_eq(got->value, want[i].value, "%s: got %s, want %s", got->path, got->value,
                         want[i].value);
        cr_expect_eq(got->line, want[i].line, "%s: got line %d, want %d", got->path, got->line,
                     want[i].line);
    }
    yaml_file_close(file);
}

Test(yaml_file, maps_become_dotted_paths)
{
    static const struct yaml_entry want[] = {
        {"seed", "1", 2}, {"optimizer.lr", "0.02", 4}, {"optimizer.deep.er", "x", 6}, {"a.b", "c", 7},
    };
    expect_entries("# a comment\nseed: 1\noptimizer:\n  lr: 0.02  # behind\n  deep:\n    er: x\n"
                   "a.b: c\n",
                   want, 4);
}

Test(yaml_file, lists_of_scalars_are_one_entry)
{
    static const struct yaml_entry want[] = {
        {"flow", "[8, 16]", 1}, {"block", "[a, b]", 3}, {"none", "[]", 5}, {"one", "[1]", 6},
    };
    expect_entries("flow: [8,16]\nblock:\n- a\n- b\nnone: []\none: [1]\n", want, 4);
}

Test(yaml_file, lists_of_maps_are_numbered)
{
    static const struct yaml_entry want[] = {
        {"classes.0.name", "disc", 2}, {"classes.0.size", "[8, 16]", 3},
        {"classes.1.name", "ring", 4}, {"rows.0", "[1, 2]", 5},
        {"rows.1", "[3]", 5},
    };
    expect_entries("classes:\n  - name: disc\n    size: [8, 16]\n  - name: ring\n"
                   "rows: [[1, 2], [3]]\n",
                   want, 5);
}

Test(yaml_file, empty_values_are_kept)
{
    static const struct yaml_entry want[] = {
        {"nothing", "", 1}, {"quoted", "", 2}, {"map", "{}", 3}, {"text", "a # b: c", 4},
    };
    expect_entries("nothing:\nquoted: \"\"\nmap: {}\ntext: 'a # b: c'\n", want, 4);
}

Test(yaml_file, an_empty_file_has_no_entries)
{
    static const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n", "{}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_entries(texts[i], NULL, 0);
}

Test(yaml_file, refuses_with_a_line)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3: a: set before, in line 1"},
        {"m:\n  a: 1\n  a: 1\n", "t.yaml:3: m.a: set before, in line 2"},
        {"m: {a: 1}\nn: 0\nm: {b: 2}\n", "t.yaml:3: m: set before, in line 1"},
        {"m: {a: 1}\nm.a: 2\n", "t.yaml:2: m.a: set before, in line 1"},
        {"a: 1\n b: 2\n", "t.yaml:2: "},
        {"a: [1, 2\nb: 3\n", "t.yaml:"},
        {"a: \"open\n", "t.yaml:"},
        {"\ta: 1\n", "t.yaml:1: "},
        {"- 1\n- 2\n", "t.yaml:1: expected `key: value`"},
        {"\njust words\n", "t.yaml:2: expected `key: value`"},
        {"a: &x 1\nb: *x\n", "t.yaml:1: anchors and aliases"},
        {"a: &x [1]\n", "anchors and aliases"},
        {"a: &x {b: 1}\n", "anchors and aliases"},
        {"a: *x\n", "anchors and aliases"},
        {"a: 1\n---\nb: 2\n", "t.yaml:2: a second document"},
        {"? [a]\n: 1\n", "t.yaml:1: a key must be a word"},
        {"\"\": 1\n", "a key must be a word"},
        {"a: [\"b, c\"]\n", "t.yaml:1: a: no comma or bracket"},
        {"a: \"x\\0y\"\n", "t.yaml:1: a: a NUL byte"},
        {"a: \xff\xfe\n", "t.yaml:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct yaml_file *file = NULL;
        struct det_error err = {DET_OK, ""};
        cr_expect_eq(yaml_file_parse(rows[i].text, "t.yaml", &file, &err), DET_INVALID,
                     "taken: %s", rows[i].text);
        cr_expect(strncmp(err.message, "t.yaml:", 7) == 0 && strstr(err.message, rows[i].said),
                  "%s: got \"%s\", want \"%s\"", rows[i].text, err.message, rows[i].said);
        cr_expect_null(file);
    }
}

/* Deep nesting must neither overflow the stack nor be silently cut. */
Test(yaml_file, nesting_has_a_limit)
{
    char text[20001];
    struct yaml_file *file;
    struct det_error err;
    snprintf(text, sizeof text, "a: ");
    memset(text + 3, '[', sizeof text - 4);
    text[sizeof text - 1] = '\0';
    cr_expect_eq(yaml_file_parse(text, "t.yaml", &file, &err), DET_INVALID);
    cr_expect(strstr(err.message, "nested deeper"), "%s", err.message);
}

Test(yaml_file, opens_files)
{
    char path[] = "/tmp/yaml_file_XXXXXX";
    struct yaml_file *file;
    struct det_error err;
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, "a: 1\nb: [\n", 10) == 10);
    cr_expect_eq(yaml_file_open(path, &file, &err), DET_INVALID);
    cr_expect(strstr(err.message, path) == err.message, "%s", err.message);

    cr_assert_eq(ftruncate(fd, 5), 0);
    cr_assert_eq(yaml_file_open(path, &file, &err), DET_OK, "%s", err.message);
    cr_expect_str_eq(yaml_file_name(file), path);
    cr_expect_eq(yaml_file_count(file), 1);
    yaml_file_close(file);
    close(fd);
    unlink(path);

    cr_expect_eq(yaml_file_open("/no/such/file.yaml", &file, &err), DET_IO);
    cr_expect(strstr(err.message, "/no/such/file.yaml: No such file"), "%s", err.message);
    cr_expect_eq(yaml_file_open("/tmp", &file, &err), DET_IO);
    yaml_file_close(NULL);
}
