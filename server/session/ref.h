/* Member refs: a member's pseudonym towards one merchant. A version byte, then one block of AES-256
 * over the member's number and 8 zero bytes, under a key of that version and merchant. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/keyring.h"

#define REF_BYTES  17
#define REF_NOBODY INT64_C(-1)

/* What a worker needs for them; takes no memory once it is made. */
struct ref_table;

struct ref_table *ref_table_create(const struct keyring *keyring, struct err *err);
void ref_table_destroy(struct ref_table **table);

/* The member's ref under the newest version. merchant_id 0: operators'. False when OpenSSL fails.
 */
bool ref_make(struct ref_table *table, int32_t merchant_id, int64_t member_id,
              uint8_t ref_out[REF_BYTES]) must_check;

/* The id under which a merchant sees a purchase at another, made of its entry's: a version byte and
 * one block. Never taken back. */
bool ref_make_purchase(struct ref_table *table, int32_t merchant_id, const uint8_t entry[16],
                       uint8_t id_out[REF_BYTES]) must_check;

/* The member's number, or REF_NOBODY when this ref was not issued to this merchant. */
int64_t ref_open(struct ref_table *table, int32_t merchant_id, const uint8_t ref[REF_BYTES]);
