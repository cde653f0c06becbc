/* Rows picked and put back; RPN maps as rows; and the element-wise layers: add, normalize. */
#include "suites/layers.h"

static struct det_device *device(int threads)
{
    return open_device(threads, (struct scratch){0, 0});
}

Test(gather, rows_there_and_back)
{
    struct det_device *dev = device(2);
    const int32_t index[4] = {1, 3, 4, 99}; /* the last one is beyond the count */
    for (int32_t count = 0; count <= 3; count++) {
        float *x = uniform(6 * 5, 1);
        float *y = filled(4 * 5, SENTINEL);
        float *dx = filled(6 * 5, 2.0f);
        dev->ops->gather_rows(dev, 5, index, &count, x, y);
        for (int r = 0; r < count; r++)
            expect_same_bits("gather", "row", y + 5 * r, x + 5 * index[r], 5);
        expect_all("gather", "rows beyond the count", y + 5 * count, SENTINEL,
                   (size_t)(4 - count) * 5);
        dev->ops->scatter_rows(dev, 5, index, &count, y, dx);
        for (int r = 0; r < 6; r++)
            for (int c = 0; c < 5; c++) {
                int picked =
                    (r == 1 && count > 0) || (r == 3 && count > 1) || (r == 4 && count > 2);
                float want = picked ? 2.0f + x[5 * r + c] : 2.0f;
                cr_expect_eq(dx[5 * r + c], want, "%d rows, dx[%d][%d]: got %g, want %g", count, r,
                             c, (double)dx[5 * r + c], (double)want);
            }
        free(x);
        free(y);
        free(dx);
    }
    close_device(dev);
}

/* Row first + (y w + x) a + anchor holds channels anchor k .. anchor k + k - 1 of the cell; other
 * levels' rows stay; back is the inverse. */
Test(gather, rpn_rows)
{
    static const int shapes[][5] = {
        {2, 3, 4, 5, 4}, {1, 3, 1, 7, 6}, {3, 1, 1, 1, 1}, {2, 9, 4, 8, 8}};
    struct det_device *dev = device(3);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int n = shapes[i][0], a = shapes[i][1], k = shapes[i][2], h = shapes[i][3],
            w = shapes[i][4];
        int first = 2, n_anchors = first + a * h * w + 3;
        size_t size = (size_t)(n * a * k * h * w), n_rows = (size_t)(n * n_anchors * k);
        float *head = uniform(size, 1);
        float *rows = filled(n_rows, SENTINEL);
        float *back = filled(size, SENTINEL);
        dev->ops->rpn_gather(dev, n, a, k, h, w, n_anchors, first, head, rows);
        size_t touched = 0;
        for (size_t j = 0; j < n_rows; j++)
            touched += rows[j] != SENTINEL;
        cr_expect_eq(touched, size, "%zu values written, want %zu", touched, size);
        for (int image = 0; image < n; image++)
            for (int cell = 0; cell < h * w; cell++)
                for (int c = 0; c < a * k; c++) {
                    int row = first + cell * a + c / k;
                    float got = rows[(image * n_anchors + row) * k + c % k];
                    float want = head[(image * a * k + c) * h * w + cell];
                    cr_assert_eq(got, want,
                                 "shape %zu, image %d, cell %d, channel %d: got %g, want %g", i,
                                 image, cell, c, (double)got, (double)want);
                }
        dev->ops->rpn_scatter(dev, n, a, k, h, w, n_anchors, first, rows, back);
        expect_same_bits("rpn_scatter", "head", back, head, size);
        free(head);
        free(rows);
        free(back);
    }
    close_device(dev);
}

/* Around the size of a block, with and without relu, for 1 to 3 threads. */
Test(gather, add)
{
    static const size_t sizes[] = {0, 1, 5, 16384, 16385, 40000};
    for (int threads = 1; threads <= 3; threads++)
        for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++)
            for (int relu = 0; relu < 2; relu++) {
                size_t n = sizes[t];
                struct det_device *dev = device(threads);
                float *a = uniform(n, 1), *b = uniform(n, 2), *y = filled(n, SENTINEL);
                float *dy = uniform(n, 3), *raw = copied(dy, n);
                float *da = filled(n, SENTINEL), *db = filled(n, 2.0f);
                dev->ops->add_forward(dev, n, relu, a, b, y);
                dev->ops->add_backward(dev, n, relu, y, dy, da, 0, db, 1);
                for (size_t i = 0; i < n; i++) {
                    float sum = a[i] + b[i];
                    float want = relu && sum < 0.0f ? 0.0f : sum;
                    float gradient = relu && sum <= 0.0f ? 0.0f : raw[i];
                    cr_assert_eq(y[i], want, "n %zu: y[%zu]: got %g, want %g", n, i, (double)y[i],
                                 (double)want);
                    cr_assert(da[i] == gradient && dy[i] == gradient && db[i] == 2.0f + gradient,
                              "n %zu: gradients at %zu: got %g, %g, %g, want %g", n, i,
                              (double)da[i], (double)dy[i], (double)db[i], (double)gradient);
                }
                dev->ops->add_backward(dev, n, 0, y, dy, NULL, 0, NULL, 0);
                dev->ops->add_backward(dev, n, 0, y, dy, dy, 0, da, 0);
                expect_same_bits("add", "db from dy in place", da, dy, n);
                float *const blocks[] = {a, b, y, dy, raw, da, db};
                for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
                    free(blocks[i]);
                close_device(dev);
            }
}

/* ImageNet's mean becomes 0, one deviation above it 1; in place as well. */
Test(gather, normalize)
{
    const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    float x[2 * 3 * 2], y[12];
    double want[12];
    for (int i = 0; i < 12; i++) {
        x[i] = mean[i / 2 % 3] + (float)(i % 2) * std[i / 2 % 3];
        want[i] = i % 2;
    }
    const float heights[2] = {1, 1}, widths[2] = {2, 2};
    struct det_device *dev = device(2);
    dev->ops->normalize(dev, 2, 1, 2, heights, widths, x, y);
    expect_near("normalize", "y", y, want, 12, 1e-6);
    dev->ops->normalize(dev, 2, 1, 2, heights, widths, x, x);
    expect_same_bits("normalize", "in place", x, y, 12);
    close_device(dev);
}

/* The canvas beyond an image is 0 after normalising, whatever stood there: torchvision pads
 * normalised images. Image 0 fills its 2 x 3 canvas, image 1 only 1 x 2 of it. */
Test(gather, normalize_leaves_the_padding_zero)
{
    const float heights[2] = {2, 1}, widths[2] = {3, 2};
    float x[2 * 3 * 6], y[2 * 3 * 6];
    for (int i = 0; i < 36; i++)
        x[i] = 0.75f;
    struct det_device *dev = device(1);
    dev->ops->normalize(dev, 2, 2, 3, heights, widths, x, y);
    for (int i = 0; i < 36; i++) {
        int inside = i < 18 || i % 6 < 2;
        cr_expect((y[i] != 0.0f) == inside, "element %d: got %g, %s the image", i, (double)y[i],
                  inside ? "inside" : "outside");
    }
    close_device(dev);
}
