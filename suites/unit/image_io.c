/* Pictures: what PNG and JPEG decode to, and that broken ones are refused. */
#include "fixtures/image_io.h"

#include <criterion/criterion.h>
#include <jpeglib.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 24

/* A picture with detail in it: every pixel another colour. */
static struct image new_picture(int height, int width)
{
    struct image image = {height, width, malloc(3 * (size_t)height * (size_t)width)};
    cr_assert_not_null(image.rgb);
    for (int i = 0; i < 3 * height * width; i++)
        image.rgb[i] = (uint8_t)(i * 7 + i / 11);
    return image;
}

/* PNG of raw pixels in another format than RGB; owned by the caller. */
static void *encode_as(png_uint_32 format, const void *pixels, int side, size_t *size)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)side,
                     .height = (png_uint_32)side,
                     .format = format};
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(png);
    void *data = malloc(bytes);
    cr_assert(png_image_write_to_memory(&png, data, &bytes, 0, pixels, 0, NULL));
    *size = bytes;
    return data;
}

static unsigned char *encode_jpeg(const struct image *image, unsigned long *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, size);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = image->rgb + 3 * (size_t)image->width * jpeg.next_scanline;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return data;
}

Test(image_io, png_round_trip_keeps_every_byte)
{
    struct image image = new_picture(13, SIDE), back;
    void *data;
    size_t size;
    struct det_error err = {0};
    cr_assert_eq(image_encode_png(&image, &data, &size, &err), DET_OK, "%s", err.message);
    cr_assert_eq(image_decode(data, size, "test", &back, &err), DET_OK, "%s", err.message);
    cr_assert(back.height == 13 && back.width == SIDE);
    cr_expect_arr_eq(back.rgb, image.rgb, 3 * 13 * SIDE);
    image_release(&image);
    image_release(&back);
    free(data);
}

Test(image_io, other_png_formats_become_rgb)
{
    unsigned char grey[4] = {0, 100, 200, 255};
    unsigned char rgba[16] = {10, 20, 30, 255, 10, 20, 30, 0, 1, 2, 3, 255, 200, 0, 0, 255};
    png_uint_16 linear[4] = {0, 65535, 0, 65535};
    const struct {
        const char *name;
        png_uint_32 format;
        const void *pixels;
        unsigned char want[12];
    } cases[] = {
        {"grey", PNG_FORMAT_GRAY, grey, {0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255}},
        {"alpha", PNG_FORMAT_RGBA, rgba, {10, 20, 30, 0, 0, 0, 1, 2, 3, 200, 0, 0}},
        {"16 bits", PNG_FORMAT_LINEAR_Y, linear, {0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size;
        void *data = encode_as(cases[i].format, cases[i].pixels, 2, &size);
        struct image image;
        struct det_error err = {0};
        cr_assert_eq(image_decode(data, size, cases[i].name, &image, &err), DET_OK, "%s",
                     err.message);
        for (int k = 0; k < 12; k++)
            cr_expect_eq(image.rgb[k], cases[i].want[k], "%s byte %d: got %d, want %d",
                         cases[i].name, k, image.rgb[k], cases[i].want[k]);
        image_release(&image);
        free(data);
    }
}

Test(image_io, jpeg_of_one_colour_keeps_it)
{
    struct image image = {SIDE, SIDE, malloc(3 * SIDE * SIDE)}, back;
    unsigned long size = 0;
    struct det_error err = {0};
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        image.rgb[i] = (uint8_t)(40 + 70 * (i % 3));
    unsigned char *data = encode_jpeg(&image, &size);
    cr_assert_eq(image_decode(data, size, "test", &back, &err), DET_OK, "%s", err.message);
    cr_assert(back.height == SIDE && back.width == SIDE);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        cr_expect_leq(abs(back.rgb[i] - image.rgb[i]), 2, "byte %d: %d, want %d", i, back.rgb[i],
                      image.rgb[i]);
    image_release(&image);
    image_release(&back);
    free(data);
}

static void expect_refused(const void *data, size_t size, const char *what)
{
    /* A copy of exactly this size, so that a sanitizer sees every byte read beyond. */
    unsigned char *copy = malloc(size ? size : 1);
    struct image image;
    struct det_error err = {0};
    memcpy(copy, data, size);
    cr_expect_eq(image_decode(copy, size, "cut", &image, &err), DET_INVALID,
                 "%s of %zu bytes passes", what, size);
    cr_expect_null(image.rgb, "%s of %zu bytes: pixels are left", what, size);
    cr_expect(strncmp(err.message, "cut: ", 5) == 0, "%s: \"%s\"", what, err.message);
    cr_expect_null(strchr(err.message, '\n'), "%s: more than one line", what);
    free(copy);
}

Test(image_io, files_cut_short_are_refused)
{
    struct image image = new_picture(SIDE, SIDE);
    void *png;
    size_t png_size;
    unsigned long jpeg_size = 0;
    cr_assert_eq(image_encode_png(&image, &png, &png_size, NULL), DET_OK);
    unsigned char *jpeg = encode_jpeg(&image, &jpeg_size);
    for (size_t size = 0; size < png_size - 12; size += 7) /* the last chunk carries nothing */
        expect_refused(png, size, "PNG");
    for (size_t size = 0; size < jpeg_size - 2; size += 7)
        expect_refused(jpeg, size, "JPEG");
    image_release(&image);
    free(png);
    free(jpeg);
}

/* Whatever the bytes are: an answer, and no access out of bounds (the sanitizers watch). */
Test(image_io, damaged_files_do_no_harm)
{
    struct image image = new_picture(SIDE, SIDE);
    void *png;
    size_t png_size;
    unsigned long jpeg_size = 0;
    cr_assert_eq(image_encode_png(&image, &png, &png_size, NULL), DET_OK);
    unsigned char *jpeg = encode_jpeg(&image, &jpeg_size);
    unsigned char *const files[2] = {png, jpeg};
    const size_t sizes[2] = {png_size, jpeg_size};
    int refused = 0;
    for (int f = 0; f < 2; f++)
        for (size_t at = 8; at < sizes[f]; at += 5) {
            struct image back;
            struct det_error err = {0};
            files[f][at] ^= 0x5A;
            refused += image_decode(files[f], sizes[f], "damaged", &back, &err) != DET_OK;
            files[f][at] ^= 0x5A;
            image_release(&back);
        }
    cr_expect_gt(refused, 50, "only %d damaged files are refused", refused);
    image_release(&image);
    free(png);
    free(jpeg);
}

Test(image_io, what_is_no_picture_is_refused)
{
    struct image image;
    struct det_error err = {0};
    cr_expect_eq(image_decode("hello", 5, "a.txt", &image, &err), DET_INVALID);
    cr_expect_str_eq(err.message, "a.txt: neither PNG nor JPEG");
    cr_expect_eq(image_read("/no/such/file.png", &image, &err), DET_IO);
    cr_expect(strstr(err.message, "/no/such/file.png"), "%s", err.message);
    unsigned char *wide = calloc(IMAGE_SIDE_MAX + 1, 3);
    struct image too_wide = {1, IMAGE_SIDE_MAX + 1, wide};
    void *data;
    size_t size;
    cr_assert_eq(image_encode_png(&too_wide, &data, &size, &err), DET_OK, "%s", err.message);
    cr_expect_eq(image_decode(data, size, "wide.png", &image, &err), DET_INVALID);
    cr_expect_str_eq(err.message, "wide.png: larger than 16384 pixels a side");
    free(wide);
    free(data);
}

Test(image_io, resize_to_the_same_size_changes_nothing)
{
    struct image image = new_picture(9, 14);
    uint8_t out[3 * 9 * 14];
    image_resize(&image, 9, 14, out);
    cr_expect_arr_eq(out, image.rgb, sizeof out);
    image_release(&image);
}

Test(image_io, resize_is_bilinear_between_pixel_centres)
{
    /* One row, red only. Halving looks midway between two centres: (10 + 20) / 2, (40 + 0) / 2.
     * Doubling 0, 200 looks at -1/4 (nothing further left: 0), 1/4, 3/4 and 5/4 of the way. */
    uint8_t wide[12] = {10, 0, 0, 20, 0, 0, 40, 0, 0, 0, 0, 0};
    uint8_t narrow[6] = {0, 0, 0, 200, 0, 0};
    uint8_t out[12];
    image_resize(&(struct image){1, 4, wide}, 1, 2, out);
    cr_expect(out[0] == 15 && out[3] == 20, "halved: %d %d", out[0], out[3]);
    image_resize(&(struct image){1, 2, narrow}, 1, 4, out);
    cr_expect(out[0] == 0 && out[3] == 50 && out[6] == 150 && out[9] == 200, "doubled: %d %d %d %d",
              out[0], out[3], out[6], out[9]);
    /* The same upright: a column. */
    image_resize(&(struct image){2, 1, narrow}, 4, 1, out);
    cr_expect(out[0] == 0 && out[3] == 50 && out[6] == 150 && out[9] == 200, "upright: %d %d %d %d",
              out[0], out[3], out[6], out[9]);
}
