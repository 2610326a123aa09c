/* Makes and opens member refs. Called by the handlers. A ref that is nobody's is no error: what
 * follows runs the same statements as for an unknown identifier (R41). */
#include "session/ref.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16
#define PURCHASES   0 /* in place of a version: the key of purchases' ids */

/* The key used last: most work is for one merchant at a time. In secret memory. */
struct ref_key {
    int32_t merchant_id;
    int version;
    bool is_known;
    uint8_t bytes[HASH_BYTES];
};

/* Between two uses the contexts hold no key. */
struct ref_table {
    const struct keyring *keyring;
    struct ref_key *key;
    EVP_CIPHER_CTX *sealer;
    EVP_CIPHER_CTX *opener;
};

static const uint8_t NO_KEY[HASH_BYTES];

static EVP_CIPHER_CTX *context_new(const EVP_CIPHER *cipher, int seals)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context && cipher && EVP_CipherInit_ex2(context, cipher, NO_KEY, NULL, seals, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(context, 0) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

struct ref_table *ref_table_create(const struct keyring *keyring, struct err *err)
{
    struct ref_table *table = calloc(1, sizeof *table);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    if (table) {
        table->keyring = keyring;
        table->key = OPENSSL_secure_zalloc(sizeof *table->key);
        table->sealer = context_new(cipher, 1);
        table->opener = context_new(cipher, 0);
    }
    EVP_CIPHER_free(cipher);
    if (table && table->key && table->sealer && table->opener)
        return table;
    err_set(err, "no memory, or OpenSSL has no AES-256");
    ref_table_destroy(&table);
    return NULL;
}

void ref_table_destroy(struct ref_table **table)
{
    if (!*table)
        return;
    EVP_CIPHER_CTX_free((*table)->sealer);
    EVP_CIPHER_CTX_free((*table)->opener);
    OPENSSL_secure_clear_free((*table)->key, sizeof *(*table)->key);
    free(*table);
    *table = NULL;
}

/* NULL when the keyring has no such version. */
static const uint8_t *key_of(struct ref_table *table, int32_t merchant_id, int version)
{
    struct ref_key *key = table->key;
    if (key->is_known && key->merchant_id == merchant_id && key->version == version)
        return key->bytes;
    key->is_known = true;
    if (version == PURCHASES)
        keyring_purchase_key(table->keyring, merchant_id, key->bytes);
    else
        key->is_known = keyring_ref_key(table->keyring, version, merchant_id, key->bytes);
    key->merchant_id = merchant_id;
    key->version = version;
    return key->is_known ? key->bytes : NULL;
}

/* One block. Setting a key takes no memory in a context that had one. */
static bool turn(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *from, uint8_t *to)
{
    int size = 0;
    bool done = EVP_CipherInit_ex2(context, NULL, key, NULL, -1, NULL) == 1 &&
                EVP_CipherUpdate(context, to, &size, from, BLOCK_BYTES) == 1 && size == BLOCK_BYTES;
    return EVP_CipherInit_ex2(context, NULL, NO_KEY, NULL, -1, NULL) == 1 && done;
}

bool ref_make(struct ref_table *table, int32_t merchant_id, int64_t member_id,
              uint8_t ref_out[REF_BYTES])
{
    int version = keyring_newest(table->keyring);
    const uint8_t *key = key_of(table, merchant_id, version);
    uint8_t plain[BLOCK_BYTES] = {0};
    if (!key || member_id < 0) /* no member has such a number */
        return false;
    put_u64(plain, (uint64_t)member_id);
    ref_out[0] = (uint8_t)version;
    return turn(table->sealer, key, plain, ref_out + 1);
}

bool ref_make_purchase(struct ref_table *table, int32_t merchant_id, const uint8_t entry[16],
                       uint8_t id_out[REF_BYTES])
{
    id_out[0] = (uint8_t)keyring_oldest(table->keyring);
    return turn(table->sealer, key_of(table, merchant_id, PURCHASES), entry, id_out + 1);
}

int64_t ref_open(struct ref_table *table, int32_t merchant_id, const uint8_t ref[REF_BYTES])
{
    static const uint8_t zeros[BLOCK_BYTES - 8] = {0};
    const uint8_t *key = ref[0] == PURCHASES ? NULL : key_of(table, merchant_id, ref[0]);
    uint8_t plain[BLOCK_BYTES];
    if (!key || !turn(table->opener, key, ref + 1, plain) ||
        CRYPTO_memcmp(plain + 8, zeros, sizeof zeros) != 0)
        return REF_NOBODY;
    uint64_t member_id = get_u64(plain);
    return member_id <= INT64_MAX ? (int64_t)member_id : REF_NOBODY;
}
