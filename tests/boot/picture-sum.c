/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture-sum.c - "WIDTHxHEIGHT SUM" of a PNG's or a binary PPM's pixels, whatever compressed them: FNV-1a of R, G, B.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_PNG
#include <png.h>
#endif

static void print_sum(unsigned width, unsigned height, const unsigned char *rgb)
{
        unsigned sum = 2166136261u;

        for (size_t i = 0; i < (size_t)width * height * 3; i++)
                sum = (sum ^ rgb[i]) * 16777619u;
        printf("%ux%u %08x\n", width, height, sum);
}

static int sum_ppm(const char *bytes, size_t size)
{
        unsigned width, height;
        int head = 0;

        if (sscanf(bytes, "P6 %u %u 255%n", &width, &height, &head) != 2 || !head || !width || !height || width > 8192 || height > 8192 ||
            size < (size_t)head + 1 + (size_t)width * height * 3)
                return 1;
        print_sum(width, height, (const unsigned char *)bytes + head + 1);
        return 0;
}

static int sum_png(const char *bytes, size_t size)
{
#ifdef HAVE_PNG
        png_image image = { .version = PNG_IMAGE_VERSION };
        unsigned char *rgb;

        if (!png_image_begin_read_from_memory(&image, bytes, size))
                return 1;
        image.format = PNG_FORMAT_RGB;
        rgb = g_malloc(PNG_IMAGE_SIZE(image));
        if (!png_image_finish_read(&image, NULL, rgb, 0, NULL))
                return 1;
        print_sum(image.width, image.height, rgb);
        g_free(rgb);
        return 0;
#else
        (void)bytes;
        (void)size;
        return 77;
#endif
}

int main(int argc, char **argv)
{
        char *bytes;
        gsize size;
        int status;

        if (argc != 2 || !g_file_get_contents(argv[1], &bytes, &size, NULL)) {
                fprintf(stderr, "usage: picture-sum FILE.png|FILE.ppm\n");
                return 2;
        }
        status = g_str_has_prefix(bytes, "P6") ? sum_ppm(bytes, size) : sum_png(bytes, size);
        if (status == 1)
                fprintf(stderr, "%s: not a picture\n", argv[1]);
        g_free(bytes);
        return status;
}
