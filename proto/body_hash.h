/* The body hash of R32: whether two requests under one key ask for the same.
 *
 * Called by the server's sessions. It is over the decoded fields, never over wire bytes, so that
 * clients whose encoders differ agree; the key itself is left out.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define BODY_HASH_BYTES   16
#define BODY_HASH_VERSION 1

/* The first 16 bytes of SHA-256 over version 1 of this encoding:
 *   version (1 byte), the message's full name with its length, then its fields and a 0.
 *   A field: its number, a type tag, its value. Numbers and lengths are 4 bytes, most significant
 *   first. Tags and values: 1 an integer of 8 bytes, 2 length and bytes, 3 the fields of a
 *   sub-message and a 0.
 * Fields come in order of their numbers, elements in their order. Skipped are absent fields and
 * those that hold their default, but not members of oneofs; and the top message's field `key`. */
void body_hash(const ProtobufCMessage *message, uint8_t hash_out[BODY_HASH_BYTES]);
