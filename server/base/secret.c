/* See secret.h. Called by main, and by whoever reads a file of keys. Knows no key. */
#include "base/secret.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Keyring, private key and random state take little; a TLS handshake under way takes 64 bytes. */
#define HEAP_BYTES  ((size_t)2 * 1024 * 1024)
#define PIECE_BYTES 32
/* Larger pieces are buffers of traffic. */
#define WIPED_BYTES_MAX 4096

bool secret_memory_lock(const struct secret_memory *memory, struct err *err)
{
    if (!memory->at)
        return true;
    return mlock(memory->at, memory->size) == 0 ||
           err_set_errno(err, errno,
                         "%zu KiB for keys are not locked and may reach swap: raise "
                         "LimitMEMLOCK (ulimit -l)",
                         memory->size / 1024);
}

/* ---- what OpenSSL frees of its ordinary memory may have held a piece of a key ---- */

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(size);
}

static void wipe_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    size_t size = memory ? malloc_usable_size(memory) : 0;
    if (size > 0 && size <= WIPED_BYTES_MAX)
        OPENSSL_cleanse(memory, size);
    free(memory);
}

static void *take_more(void *memory, size_t size, const char *file, int line)
{
    size_t before = memory ? malloc_usable_size(memory) : 0;
    if (size == 0) {
        wipe_free(memory, file, line);
        return NULL;
    }
    if (before == 0 || before > WIPED_BYTES_MAX)
        return realloc(memory, size);
    void *more = malloc(size);
    if (!more)
        return NULL;
    memcpy(more, memory, before < size ? before : size);
    wipe_free(memory, file, line);
    return more;
}

/* The heap does not tell where it lies, but its largest piece is the whole of it. */
bool secret_memory_open(struct secret_memory *memory, struct err *err)
{
    struct rlimit limit;
    *memory = (struct secret_memory){.size = HEAP_BYTES};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    if (CRYPTO_set_mem_functions(take, take_more, wipe_free) != 1)
        return err_set(err, "what OpenSSL frees is not wiped: it is in use already");
    if (CRYPTO_secure_malloc_init(HEAP_BYTES, PIECE_BYTES) == 0)
        return err_set(err, "no memory of their own for keys: they may reach swap and dumps");
    memory->at = OPENSSL_secure_malloc(HEAP_BYTES);
    OPENSSL_secure_free(memory->at);
    return secret_memory_lock(memory, err);
}

FILE *secret_file_open(int fd)
{
    FILE *file = fdopen(fd, "r");
    if (file)
        setvbuf(file, NULL, _IONBF, 0);
    return file;
}
