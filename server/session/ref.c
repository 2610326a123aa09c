/* Makes and opens member refs. Called by the handlers. A ref that is nobody's is no error: what
 * follows runs the same statements as for an unknown identifier (R41). */
#include "session/ref.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define BLOCK_BYTES 16
#define PURCHASES   0

struct ref_key_name {
    int32_t merchant_id;
    int32_t version; /* PURCHASES: not of refs */
};

struct ref_key {
    struct ref_key_name name;
    EVP_CIPHER_CTX *sealer;
    EVP_CIPHER_CTX *opener;
    UT_hash_handle hh;
};

struct ref_table {
    const struct keyring *keyring;
    EVP_CIPHER *cipher;
    struct ref_key *keys; /* at most merchants x versions */
};

struct ref_table *ref_table_create(const struct keyring *keyring, struct err *err)
{
    struct ref_table *table = calloc(1, sizeof *table);
    if (table) {
        table->keyring = keyring;
        table->cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    }
    if (table && table->cipher)
        return table;
    err_set(err, "no memory, or OpenSSL has no AES-256");
    ref_table_destroy(&table);
    return NULL;
}

static void key_free(struct ref_key *key)
{
    EVP_CIPHER_CTX_free(key->sealer);
    EVP_CIPHER_CTX_free(key->opener);
    free(key);
}

void ref_table_destroy(struct ref_table **table)
{
    if (!*table)
        return;
    struct ref_key *key, *next;
    HASH_ITER (hh, (*table)->keys, key, next) {
        HASH_DEL((*table)->keys, key);
        key_free(key);
    }
    EVP_CIPHER_free((*table)->cipher);
    free(*table);
    *table = NULL;
}

static EVP_CIPHER_CTX *context_new(const EVP_CIPHER *cipher, const uint8_t *key, int seals)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context && EVP_CipherInit_ex2(context, cipher, key, NULL, seals, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(context, 0) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

/* NULL when the keyring has no such version, or without memory. */
static struct ref_key *key_of(struct ref_table *table, int32_t merchant_id, int version)
{
    struct ref_key_name name = {.merchant_id = merchant_id, .version = version};
    struct ref_key *key;
    HASH_FIND(hh, table->keys, &name, sizeof name, key);
    if (key)
        return key;
    uint8_t bytes[HASH_BYTES];
    if (version == PURCHASES)
        keyring_purchase_key(table->keyring, merchant_id, bytes);
    else if (!keyring_ref_key(table->keyring, version, merchant_id, bytes))
        return NULL;
    key = calloc(1, sizeof *key);
    if (key) {
        key->name = name;
        key->sealer = context_new(table->cipher, bytes, 1);
        key->opener = context_new(table->cipher, bytes, 0);
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    if (key && key->sealer && key->opener) {
        HASH_ADD(hh, table->keys, name, sizeof key->name, key);
        return key;
    }
    if (key)
        key_free(key);
    return NULL;
}

bool ref_make(struct ref_table *table, int32_t merchant_id, int64_t member_id,
              uint8_t ref_out[REF_BYTES])
{
    int version = keyring_newest(table->keyring);
    struct ref_key *key = key_of(table, merchant_id, version);
    uint8_t plain[BLOCK_BYTES] = {0};
    int size = 0;
    assert(member_id >= 0);
    if (!key)
        return false;
    put_u64(plain, (uint64_t)member_id);
    ref_out[0] = (uint8_t)version;
    return EVP_CipherUpdate(key->sealer, ref_out + 1, &size, plain, BLOCK_BYTES) == 1 &&
           size == BLOCK_BYTES;
}

bool ref_make_purchase(struct ref_table *table, int32_t merchant_id, const uint8_t entry[16],
                       uint8_t id_out[REF_BYTES])
{
    struct ref_key *key = key_of(table, merchant_id, PURCHASES);
    int size = 0;
    id_out[0] = (uint8_t)keyring_oldest(table->keyring);
    return key && EVP_CipherUpdate(key->sealer, id_out + 1, &size, entry, BLOCK_BYTES) == 1 &&
           size == BLOCK_BYTES;
}

int64_t ref_open(struct ref_table *table, int32_t merchant_id, const uint8_t ref[REF_BYTES])
{
    static const uint8_t zeros[BLOCK_BYTES - 8] = {0};
    struct ref_key *key = ref[0] == PURCHASES ? NULL : key_of(table, merchant_id, ref[0]);
    uint8_t plain[BLOCK_BYTES];
    int size = 0;
    if (!key || EVP_CipherUpdate(key->opener, plain, &size, ref + 1, BLOCK_BYTES) != 1 ||
        size != BLOCK_BYTES || CRYPTO_memcmp(plain + 8, zeros, sizeof zeros) != 0)
        return REF_NOBODY;
    uint64_t member_id = get_u64(plain);
    return member_id <= INT64_MAX ? (int64_t)member_id : REF_NOBODY;
}
