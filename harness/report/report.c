#include "harness/report/report.h"

#include "detector/base/file.h"
#include "harness/compare/compare_config.h"
#include "harness/report/plot.h"
#include "harness/report/report_html.h"
#include "harness/report/run_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char css[] =
#include "report.css.inc"
    ;

struct page {
    FILE *to;
    const struct logged_run *const *runs;
    const struct verdict *verdicts;
    int n;
};

static const struct {
    const char *plot, *caption;
} captions[] = {
    {"losses", "Total and the five losses. A falling loss alone says little: calling everything "
               "background is cheap when the foreground is rare."},
    {"map",
     "COCO mean average precision on the validation images. It ranks detections whatever their "
     "scores are: where all of them fell below the score that counts, it may still be good, "
     "so no verdict rests on it."},
    {"detections", "Detections on the validation images. A collapse is a line that stays on 0 at "
                   "the score that counts while low thresholds still show hundreds."},
    {"fg_bg_ratio", "How much of what the network sees it calls foreground; 0 is nothing."},
    {"foreground",
     "Share of the training batches' foreground that is predicted right: the earliest "
     "and sharpest sign of a collapse."},
    {"scores",
     "Highest score, and mean score at objects, against the score that counts. Dotted: the law "
     "s = w p / (w p + 1 - p) of a trained head, where the recipe has one."},
    {"grad_norm", "Gradient norm before clipping; rings are steps that were clipped."},
};

static const char *caption_of(const char *plot)
{
    for (size_t i = 0; i < sizeof captions / sizeof captions[0]; i++)
        if (strcmp(captions[i].plot, plot) == 0)
            return captions[i].caption;
    return "";
}

static void put_head(const struct page *page)
{
    const struct logged_run *run = page->runs[0];
    fprintf(page->to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<title>detcheck: ");
    html_text(page->to, run->recipe);
    fprintf(page->to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>detcheck report</h1>\n",
            css);
    fputs("<p class=\"lead\">Recipe <code>", page->to);
    html_text(page->to, run->recipe);
    fprintf(page->to,
            "</code>, data checksum <code>%016" PRIx64 "</code>, seed %" PRId64 ", %" PRId64
            " steps, %" PRId64 " parameters.</p>\n",
            run->dataset_checksum, run->seed, run->planned_steps, run->parameters);
}

static void put_untold(const struct page *page, const struct verdict *verdict)
{
    if (!verdict->n_untold)
        return;
    fputs("<p class=\"untold\">Cannot be told from this log: ", page->to);
    for (int i = 0; i < verdict->n_untold; i++) {
        fputs(i ? ", " : "", page->to);
        html_text(page->to, verdict->untold[i]);
    }
    fputs(".</p>\n", page->to);
}

static void put_verdict(const struct page *page, int i)
{
    const struct verdict *verdict = &page->verdicts[i];
    const char *name = verdict_name(verdict->kind);
    fprintf(page->to, "<div class=\"verdict %s\">\n<h3>", name);
    html_text(page->to, page->runs[i]->name);
    fprintf(page->to, ": <span class=\"badge\">%s</span></h3>\n<p>", name);
    if (verdict->rule[0])
        fprintf(page->to, "Rule <code>%s</code>, from step %" PRId64 ": ", verdict->rule,
                verdict->step);
    html_text(page->to, verdict->why);
    fputs(".</p>\n", page->to);
    if (verdict->n_warnings)
        fputs("<ul>\n", page->to);
    for (int w = 0; w < verdict->n_warnings; w++) {
        fprintf(page->to, "<li><code>%s</code>: ", verdict->warnings[w].rule);
        html_text(page->to, verdict->warnings[w].why);
        fputs("</li>\n", page->to);
    }
    if (verdict->n_warnings)
        fputs("</ul>\n", page->to);
    put_untold(page, verdict);
    fputs("</div>\n", page->to);
}

static void put_verdicts(const struct page *page)
{
    fputs("<h2>Verdicts</h2>\n<div class=\"verdicts\">\n", page->to);
    for (int i = 0; i < page->n; i++)
        put_verdict(page, i);
    fputs("</div>\n", page->to);
}

static enum det_code put_table(const struct page *page, struct det_error *err)
{
    struct table table;
    enum det_code code = run_table_fill(&table, page->runs, page->verdicts, page->n, err);
    if (code == DET_OK) {
        fputs("<h2>Side by side</h2>\n", page->to);
        html_table(page->to, &table);
    }
    table_release(&table);
    return code;
}

static enum det_code put_plots(const struct page *page, const char *plots_dir,
                               struct det_error *err)
{
    enum det_code code = DET_OK;
    fputs("<h2>Plots</h2>\n", page->to);
    if (!plots_dir)
        fputs("<p>No plots were drawn.</p>\n", page->to);
    for (int p = 0; code == DET_OK && plots_dir && plot_names[p]; p++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.svg", plots_dir, plot_names[p]);
        fprintf(page->to, "<figure id=\"%s\">\n", plot_names[p]);
        code = html_svg(page->to, path, err);
        fputs("<figcaption>", page->to);
        html_text(page->to, caption_of(plot_names[p]));
        fputs("</figcaption>\n</figure>\n", page->to);
    }
    return code;
}

static int listed(const char *key, const char *const *keys, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return 1;
    return 0;
}

/* A row for each key of the first run, and for those that differ and that it does not have. */
static void put_values(const struct page *page, enum compare_what what, const json_t *object)
{
    const char *differing[COMPARE_KEYS_MAX], *key;
    int n = compare_keys(page->runs, page->n, what, differing);
    fputs("<table class=\"values\">\n<tr><th>key</th>", page->to);
    for (int i = 0; i < page->n; i++) {
        fputs("<th>", page->to);
        html_text(page->to, page->runs[i]->name);
        fputs("</th>", page->to);
    }
    fputs("</tr>\n", page->to);
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        fprintf(page->to, "<tr%s><td><code>",
                listed(key, differing, n) ? " class=\"differs\"" : "");
        html_text(page->to, key);
        fputs("</code></td>", page->to);
        for (int i = 0; i < page->n; i++) {
            char text[1024];
            compare_value(page->runs[i], what, key, text, sizeof text);
            fputs("<td>", page->to);
            html_text(page->to, text);
            fputs("</td>", page->to);
        }
        fputs("</tr>\n", page->to);
    }
    fputs("</table>\n", page->to);
}

static void put_tail(const struct page *page)
{
    fputs("<h2>Configuration</h2>\n<p>Keys that differ are marked.</p>\n"
          "<details><summary>Every key</summary>\n",
          page->to);
    put_values(page, COMPARE_CONFIG, page->runs[0]->config);
    fputs("</details>\n<h2>Environment</h2>\n", page->to);
    put_values(page, COMPARE_ENVIRONMENT, page->runs[0]->environment);
    fputs("<h2>Logs</h2>\n<ul>\n", page->to);
    for (int i = 0; i < page->n; i++) {
        const struct logged_run *run = page->runs[i];
        fputs("<li>", page->to);
        html_text(page->to, run->name);
        fputs(": <code>", page->to);
        html_text(page->to, run->path);
        fprintf(page->to, "</code>, %zu steps and %zu evaluations", run->n_steps, run->n_evals);
        if (run->n_resumes)
            fprintf(page->to, ", resumed %d times", run->n_resumes);
        fputs(run->torn ? ", the last line was cut short</li>\n" : "</li>\n", page->to);
    }
    fputs("</ul>\n</body>\n</html>\n", page->to);
}

enum det_code report_write(const struct logged_run *const *runs, const struct verdict *verdicts,
                           int n, const char *plots_dir, const char *path, struct det_error *err)
{
    char *text = NULL;
    size_t size;
    struct page page = {open_memstream(&text, &size), runs, verdicts, n};
    if (!page.to)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory for the report", path);
    put_head(&page);
    put_verdicts(&page);
    enum det_code code = put_table(&page, err);
    if (code == DET_OK)
        code = put_plots(&page, plots_dir, err);
    if (code == DET_OK)
        put_tail(&page);
    int lost = ferror(page.to);
    if (fclose(page.to) != 0)
        lost = 1;
    if (code == DET_OK && lost)
        code = det_fail(err, DET_NO_MEMORY, "%s: no memory for the report", path);
    if (code == DET_OK)
        code = det_file_write(path, text, size, err);
    free(text);
    return code;
}
