/* Memory for keys: OpenSSL's secure heap, locked so that it never reaches swap, left out of core
 * dumps, between guard pages, wiped when it is freed. What is allocated there by
 * OPENSSL_secure_zalloc and its kin, by us and by OpenSSL (private keys, random state), lies in it.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct secret_memory {
    void *at; /* NULL: none; such allocations come from ordinary memory */
    size_t size;
};

/* Once, before OpenSSL is used: what it frees of ordinary memory is wiped as well. False when the
 * memory is not locked, with the remedy; everything works then, less protected. */
bool secret_memory_open(struct secret_memory *memory, struct err *err) must_check;

/* In each child: a fork inherits the memory, not the lock on it. */
bool secret_memory_lock(const struct secret_memory *memory, struct err *err) must_check;

/* A file of secrets, read without a buffer that would keep them. NULL and errno. */
FILE *secret_file_open(int fd);
