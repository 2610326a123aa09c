/* Hashes and random bytes by OpenSSL. The algorithms are fetched once a process, since a fetch
 * costs more than a hash; a failure of OpenSSL here leaves nothing sound to continue with and ends
 * the process. */
#include "base/hash.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_BUFFER_BYTES 4096
#define RANDOM_PIECE_BYTES  512 /* larger wishes go to OpenSSL directly */

static void require(int done, const char *what)
{
    if (done == 1)
        return;
    fprintf(stderr, "event=openssl_failed what=%s\n", what);
    abort();
}

static EVP_MD_CTX *sha256_context(void)
{
    static EVP_MD_CTX *context;
    if (!context) {
        context = EVP_MD_CTX_new();
        EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        require(context && sha256 && EVP_DigestInit_ex2(context, sha256, NULL), "sha256");
        EVP_MD_free(sha256); /* the context keeps its own reference */
    }
    return context;
}

void hash_sha256(const void *bytes, size_t size, uint8_t hash_out[HASH_BYTES])
{
    EVP_MD_CTX *context = sha256_context();
    require(EVP_DigestInit_ex2(context, NULL, NULL) == 1 &&
                EVP_DigestUpdate(context, bytes, size) == 1 &&
                EVP_DigestFinal_ex(context, hash_out, NULL) == 1,
            "sha256");
}

static EVP_MAC_CTX *hmac_context(void)
{
    static EVP_MAC_CTX *context;
    if (!context) {
        EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
        char digest[] = "SHA256";
        OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_end(),
        };
        require(context && EVP_MAC_CTX_set_params(context, parameters), "hmac");
        EVP_MAC_free(hmac);
    }
    return context;
}

void hash_hmac(const uint8_t key[HASH_BYTES], const void *bytes, size_t size,
               uint8_t hash_out[HASH_BYTES])
{
    EVP_MAC_CTX *context = hmac_context();
    size_t written = 0;
    require(EVP_MAC_init(context, key, HASH_BYTES, NULL) == 1 &&
                EVP_MAC_update(context, bytes, size) == 1 &&
                EVP_MAC_final(context, hash_out, &written, HASH_BYTES) == 1,
            "hmac");
    assert(written == HASH_BYTES);
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

void hash_random(void *bytes_out, size_t size)
{
    if (size > RANDOM_PIECE_BYTES) {
        require(size <= INT32_MAX && RAND_bytes(bytes_out, (int)size) == 1, "random");
        return;
    }
    struct random_buffer *buffer = random_buffer();
    if (!buffer->registered) {
        require(pthread_atfork(NULL, NULL, forget_random) == 0, "atfork");
        buffer->registered = 1;
    }
    if (buffer->left < size) {
        require(RAND_bytes(buffer->bytes, sizeof buffer->bytes), "random");
        buffer->left = sizeof buffer->bytes;
    }
    buffer->left -= size;
    memcpy(bytes_out, buffer->bytes + buffer->left, size);
    OPENSSL_cleanse(buffer->bytes + buffer->left, size);
}
