/* Hashes by OpenSSL, with one context a process, and random bytes. HMAC and HKDF are written out
 * over SHA-256 because OpenSSL's take memory at each use and keep the key in it: these neither fail
 * in the middle of a request nor leave a key behind. Without a sound hash there is nothing to
 * continue with: that ends the process. */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHA256_BLOCK_BYTES  64
#define RANDOM_BUFFER_BYTES 4096
#define RANDOM_PIECE_BYTES  512 /* larger wishes go to the kernel directly */

static void require(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "event=openssl_failed what=%s\n", what);
    abort();
}

static EVP_MD_CTX *sha256_context(void)
{
    static EVP_MD_CTX *context;
    if (!context) {
        EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        context = EVP_MD_CTX_new();
        if (context && (!sha256 || EVP_DigestInit_ex2(context, sha256, NULL) != 1)) {
            EVP_MD_CTX_free(context);
            context = NULL;
        }
        EVP_MD_free(sha256); /* the context keeps its own reference */
    }
    return context;
}

/* Of a block, where there is one, and bytes. Takes no memory once there is a context. */
static void hash_parts(const uint8_t *block, const void *bytes, size_t size,
                       uint8_t hash_out[HASH_BYTES])
{
    EVP_MD_CTX *context = sha256_context();
    require(context && EVP_DigestInit_ex2(context, NULL, NULL) == 1 &&
                (!block || EVP_DigestUpdate(context, block, SHA256_BLOCK_BYTES) == 1) &&
                EVP_DigestUpdate(context, bytes, size) == 1 &&
                EVP_DigestFinal_ex(context, hash_out, NULL) == 1,
            "sha256");
}

void hash_sha256(const void *bytes, size_t size, uint8_t hash_out[HASH_BYTES])
{
    hash_parts(NULL, bytes, size, hash_out);
}

bool hash_init(void)
{
    return sha256_context() != NULL;
}

void hash_hmac(const uint8_t key[HASH_BYTES], const void *bytes, size_t size,
               uint8_t hash_out[HASH_BYTES])
{
    uint8_t pad[SHA256_BLOCK_BYTES] = {0}, inner[HASH_BYTES];
    memcpy(pad, key, HASH_BYTES);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    hash_parts(pad, bytes, size, inner);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash_parts(pad, inner, sizeof inner, hash_out);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(inner, sizeof inner);
}

void hash_derive(const uint8_t master[HASH_BYTES], const void *label, size_t label_size,
                 uint8_t key_out[HASH_BYTES])
{
    static const uint8_t no_salt[HASH_BYTES] = {0};
    uint8_t extracted[HASH_BYTES], last[HASH_LABEL_BYTES_MAX + 1];
    assert(label_size <= HASH_LABEL_BYTES_MAX);
    hash_hmac(no_salt, master, HASH_BYTES, extracted);
    memcpy(last, label, label_size);
    last[label_size] = 1; /* the number of the first block, the only one */
    hash_hmac(extracted, last, label_size + 1, key_out);
    OPENSSL_cleanse(extracted, sizeof extracted);
}

/* What is left of the last refill. Parent and child must not draw the same bytes: a fork empties
 * it. */
struct random_buffer {
    uint8_t bytes[RANDOM_BUFFER_BYTES];
    size_t left;
    int registered;
};

static struct random_buffer *random_buffer(void)
{
    static struct random_buffer buffer;
    return &buffer;
}

static void forget_random(void)
{
    random_buffer()->left = 0;
}

/* The kernel's: it needs no memory, and so has no reason to fail. */
static void refill(uint8_t *bytes_out, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(bytes_out, size, 0);
        require(got > 0 || errno == EINTR, "random");
        if (got > 0) {
            bytes_out += got;
            size -= (size_t)got;
        }
    }
}

void hash_random(void *bytes_out, size_t size)
{
    struct random_buffer *buffer = random_buffer();
    if (size > RANDOM_PIECE_BYTES) {
        refill(bytes_out, size);
        return;
    }
    if (!buffer->registered) {
        require(pthread_atfork(NULL, NULL, forget_random) == 0, "atfork");
        buffer->registered = 1;
    }
    if (buffer->left < size) {
        refill(buffer->bytes, sizeof buffer->bytes);
        buffer->left = sizeof buffer->bytes;
    }
    buffer->left -= size;
    memcpy(bytes_out, buffer->bytes + buffer->left, size);
    OPENSSL_cleanse(buffer->bytes + buffer->left, size);
}
