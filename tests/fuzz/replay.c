/* The main of a harness without libFuzzer: gives it each file that is named, or each file of a
 * folder, and says how many. For compilers that have no libFuzzer, and for make test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/input.h"

#define INPUT_BYTES_MAX (1 << 20)

static int replay_file(const char *path)
{
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    FILE *file = bytes ? fopen(path, "rb") : NULL;
    if (!file) {
        perror(path);
        exit(2);
    }
    size_t size = fread(bytes, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    if (size && exact)
        memcpy(exact, bytes, size);
    free(bytes);
    if (getenv("REPLAY_VERBOSE"))
        fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int replay(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return replay_file(path);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char name[1024];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += replay_file(name);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%d inputs\n", count);
    return count == 0;
}
