/* Hashes by OpenSSL's code for SHA-256 itself, and random bytes of the kernel. OpenSSL's newer
 * calls, and its HMAC and HKDF, take memory at each use and keep keys in it: these here neither
 * fail in the middle of a request nor leave a key behind. */
#define OPENSSL_SUPPRESS_DEPRECATED /* for that reason */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_BUFFER_BYTES 4096
#define RANDOM_PIECE_BYTES  512 /* larger wishes go to the kernel directly */

/* Of a block, where there is one, and bytes. */
static void hash_parts(const uint8_t *block, const void *bytes, size_t size,
                       uint8_t hash_out[HASH_BYTES])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    if (block)
        SHA256_Update(&context, block, SHA256_CBLOCK);
    SHA256_Update(&context, bytes, size);
    SHA256_Final(hash_out, &context);
    OPENSSL_cleanse(&context, sizeof context);
}

void hash_sha256(const void *bytes, size_t size, uint8_t hash_out[HASH_BYTES])
{
    hash_parts(NULL, bytes, size, hash_out);
}

void hash_hmac(const uint8_t key[HASH_BYTES], const void *bytes, size_t size,
               uint8_t hash_out[HASH_BYTES])
{
    uint8_t pad[SHA256_CBLOCK] = {0}, inner[HASH_BYTES];
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
    bool is_registered;
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
        assert(got > 0 || errno == EINTR);
        if (got > 0) {
            bytes_out += got;
            size -= (size_t)got;
        }
    }
}

void hash_random(void *bytes_out, size_t size)
{
    struct random_buffer *buffer = random_buffer();
    if (!buffer->is_registered)
        buffer->is_registered = pthread_atfork(NULL, NULL, forget_random) == 0;
    if (size > RANDOM_PIECE_BYTES || !buffer->is_registered) {
        refill(bytes_out, size);
        return;
    }
    if (buffer->left < size) {
        refill(buffer->bytes, sizeof buffer->bytes);
        buffer->left = sizeof buffer->bytes;
    }
    buffer->left -= size;
    memcpy(bytes_out, buffer->bytes + buffer->left, size);
    OPENSSL_cleanse(buffer->bytes + buffer->left, size);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hash_of_hex(const char *hex, uint8_t hash_out[HASH_BYTES])
{
    for (size_t i = 0; i < HASH_BYTES; i++, hex += 2) {
        int high = digit_of(hex[0]), low = high < 0 ? -1 : digit_of(hex[1]);
        if (low < 0)
            return false;
        hash_out[i] = (uint8_t)(high << 4 | low);
    }
    return *hex == '\0';
}
