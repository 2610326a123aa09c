/* The server's TLS: version 1.3, certificates on both sides, no resumption. */
#pragma once

#include <openssl/ssl.h>

#include "base/err.h"

struct tls_files {
    const char *certificate_file;
    const char *key_file;
    const char *authority_file;
};

/* NULL and *err when a file cannot be read, does not fit the others or is open to all. */
SSL_CTX *tls_context_create(const struct tls_files *files, struct err *err);

/* When certificates stop being good, in microseconds since 1970; 0: unknown. */
struct tls_ends {
    int64_t certificate_us;
    int64_t authority_us; /* of the authorities', the first */
};

struct tls_ends tls_ends(SSL_CTX *context);

/* After the identity has been read: gives the peer's certificates back (about 4.5 KB). From then on
 * the connection knows no peer certificate. */
void tls_forget_peer(SSL *ssl);

/* OpenSSL's oldest queued error as text, and an empty queue; "" when there is none. */
void tls_error_text(char text_out[200]);
