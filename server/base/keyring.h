/* The keyring: versioned master keys from one file outside the database, and the keys derived from
 * them by HKDF-SHA256. Read once before the fork into secret memory, immutable afterwards.
 *
 * The file holds a line `version 64-hex [announced]` for each version (1..255), '#' begins a
 * comment. An announced version is opened and not made with, until all daemons of the network know
 * it. It is the network's only secret that the database does not hold: whoever has both can link
 * members.
 *
 * Refs and cursors are made with the newest version and opened with the version they name.
 * Identifier hashes and members' numbers are looked up by equality, so they stay with the oldest
 * version in the file: a newer one added would hide every member known so far. Never remove a
 * version that was in use.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define KEYRING_VERSIONS_MAX 255

struct keyring;

/* NULL and *err when the file cannot be read, is open to group or others, or is not a keyring. */
struct keyring *keyring_create(const char *path, struct err *err);
void keyring_destroy(struct keyring **keyring);

/* Writes a keyring of one random key of version 1 to a file that must not exist yet. */
bool keyring_file_make(const char *path, struct err *err) must_check;

int keyring_newest(const struct keyring *keyring);
int keyring_oldest(const struct keyring *keyring);

/* Keys of the oldest version: of identifiers' hashes, and of the numbers of new members (R32). */
const uint8_t *keyring_identifier_key(const struct keyring *keyring);
const uint8_t *keyring_enrol_key(const struct keyring *keyring);

/* Of the hashes of requests' bodies (R32): without it a hash could be tried out against guessed
 * facts, also of members who were erased (R29). Of the oldest version. */
const uint8_t *keyring_body_key(const struct keyring *keyring);
/* Of the places that members have in merchants' lists: of the oldest version, so that no rotation
 * moves them. */
const uint8_t *keyring_place_key(const struct keyring *keyring);

/* The key of a merchant's refs. False when the keyring has no such version. */
bool keyring_ref_key(const struct keyring *keyring, int version, int32_t merchant_id,
                     uint8_t key_out[HASH_BYTES]) must_check;
/* The key of the ids that a merchant sees of others' purchases: of the oldest version, so that they
 * stay. */
void keyring_purchase_key(const struct keyring *keyring, int32_t merchant_id,
                          uint8_t key_out[HASH_BYTES]);
/* The key of cursors. False when the keyring has no such version. */
bool keyring_cursor_key(const struct keyring *keyring, int version,
                        uint8_t key_out[HASH_BYTES]) must_check;
