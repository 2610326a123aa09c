/* SHA-256, HMAC and HKDF over it, random bytes, and a byte writer in network order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES           32
#define HASH_LABEL_BYTES_MAX 32

void hash_sha256(const void *bytes, size_t size, uint8_t hash_out[HASH_BYTES]);
void hash_hmac(const uint8_t key[HASH_BYTES], const void *bytes, size_t size,
               uint8_t hash_out[HASH_BYTES]);

/* HKDF-SHA256 (RFC 5869) without salt: the key that a label derives from a master key. */
void hash_derive(const uint8_t master[HASH_BYTES], const void *label, size_t label_size,
                 uint8_t key_out[HASH_BYTES]);

/* Cryptographic randomness, cheap in small pieces (buffered per process, refilled after a fork). */
void hash_random(void *bytes_out, size_t size);

/* The bytes of 64 hexadecimal digits; false when it is anything else. */
bool hash_of_hex(const char *hex, uint8_t hash_out[HASH_BYTES]);

static inline uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    value = __builtin_bswap16(value);
    __builtin_memcpy(at, &value, 2);
    return at + 2;
}
static inline uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    __builtin_memcpy(at, &value, 4);
    return at + 4;
}
static inline uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    __builtin_memcpy(at, &value, 8);
    return at + 8;
}
static inline uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    __builtin_memcpy(at, bytes, size);
    return at + size;
}
static inline uint32_t get_u32(const uint8_t *at)
{
    uint32_t value;
    __builtin_memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}
static inline uint64_t get_u64(const uint8_t *at)
{
    uint64_t value;
    __builtin_memcpy(&value, at, 8);
    return __builtin_bswap64(value);
}
