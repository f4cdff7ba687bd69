/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - runs a fuzz target once over each file of a folder, as an ordinary test. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    /* exactly as large as the input, so that a sanitizer sees one byte too many */
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    int result = -1;
    if (bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size) {
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
        result = 0;
    }
    free(bytes);
    fclose(file);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    unsigned count = 0;
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed |= replay(path) < 0;
        count++;
    }
    closedir(folder);
    printf("%u seeds replayed\n", count);
    return failed || count == 0 ? 1 : 0;
}
