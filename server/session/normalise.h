/* The one form of an identifier, so that what a till types today finds what a shop enrolled. What
 * is stored is a keyed hash of it: a change here would hide the members known so far. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define NORMALISED_BYTES_MAX 254

/* Values of loyal.v1.IdentifierKind. */
enum identifier_kind { IDENTIFIER_CARD = 1, IDENTIFIER_PHONE = 2, IDENTIFIER_EMAIL = 3 };

/* Writes the normal form and returns NULL; or says what is wrong and what would be right.
 * country_code: digits, completes national phone numbers; "": they are refused. */
const char *normalise(enum identifier_kind kind, const char *value, const char *country_code,
                      char normal_out[NORMALISED_BYTES_MAX + 1]);

/* HMAC-SHA256(key, kind as one byte || normal form). */
void normalise_hash(const uint8_t key[HASH_BYTES], enum identifier_kind kind, const char *normal,
                    uint8_t hash_out[HASH_BYTES]);
