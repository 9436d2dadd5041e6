/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - runs saved inputs through a fuzz target: the files and directories named on the command line, else
 * the target's own corpus, tests/fuzz/corpus/NAME for a program fuzz_NAME.
 *
 * Besides each input itself, some variants of it with changed bytes are run, always the same ones, so that
 * `make check` looks a little around the corpus.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 4096, VARIANTS = 2000 };

static unsigned inputs;

static void replay_variants(const uint8_t *data, size_t size)
{
        uint8_t variant[INPUT_MAX];
        uint64_t state = UINT64_C(88172645463325252);
        unsigned variants = &fuzz_variants ? fuzz_variants : VARIANTS;

        for (unsigned i = 0; i < variants && size; i++) {
                memcpy(variant, data, size);
                for (unsigned change = 0; change <= i % 3; change++) {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        variant[(state >> 32) % size] = state >> 16;
                }
                LLVMFuzzerTestOneInput(variant, size);
        }
}

static int replay_file(const char *path)
{
        uint8_t data[INPUT_MAX];
        FILE *file = fopen(path, "rb");
        size_t size;

        if (!file) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return 1;
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
        replay_variants(data, size);
        inputs++;
        return 0;
}

static int replay_path(const char *path)
{
        struct stat status;
        struct dirent *entry;
        DIR *directory;
        int failed = 0;

        if (stat(path, &status) || !S_ISDIR(status.st_mode))
                return replay_file(path);
        directory = opendir(path);
        if (!directory) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return 1;
        }
        while ((entry = readdir(directory))) {
                char inner[4096];

                if (entry->d_name[0] == '.')
                        continue;
                snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
                failed |= replay_path(inner);
        }
        closedir(directory);
        return failed;
}

int main(int argc, char **argv)
{
        const char *top = getenv("top_srcdir"), *name = strstr(argv[0], "fuzz_");
        char corpus[4096];
        int failed = 0;

        /* The last one: the path may have a directory of that name. */
        for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
                name = next;
        if (argc == 1 && name) {
                snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", top ? top : ".", name + strlen("fuzz_"));
                failed = replay_path(corpus);
        }
        for (int i = 1; i < argc; i++)
                failed |= replay_path(argv[i]);
        printf("%u inputs\n", inputs);
        return failed || !inputs;
}
