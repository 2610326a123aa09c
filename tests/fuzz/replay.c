/* The main of a harness without libFuzzer: gives it each file that is named, and says how many. For
 * compilers that have no libFuzzer, and for make test. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/input.h"

#define INPUT_BYTES_MAX (1 << 20)

/* In memory of its own size, so that who reads past its end is seen. */
static void replay(const char *path)
{
    static uint8_t room[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(room, 1, sizeof room, file) : 0;
    uint8_t *exact = malloc(size ? size : 1);
    if (!file || !exact) {
        perror(path);
        exit(2);
    }
    fclose(file);
    if (size)
        memcpy(exact, room, size);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d inputs\n", argc - 1);
    return argc < 2;
}
