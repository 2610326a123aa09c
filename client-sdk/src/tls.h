/* TLS for a client: its certificate, whom it trusts, and what went wrong.
 *
 * Called by connection.c. TLS 1.3 only, certificates on both sides, the server's name verified. It
 * must never let a SIGPIPE reach the program, nor ask on a terminal for a key's password. */
#ifndef LOYAL_SDK_TLS_H
#define LOYAL_SDK_TLS_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "answer.h"
#include "loyal/loyal.h"

struct tls {
    SSL_CTX *context;
    BIO_METHOD *method; /* a socket that sends without SIGPIPE */
};

/* Reads the three files. False: the cause is in error_out, and *tls holds nothing. */
bool sdk_tls_setup(struct tls *tls, const struct loyal_options *options, char *error_out,
                   size_t error_size) __attribute__((warn_unused_result));
void sdk_tls_free(struct tls *tls);

/* A client's session on a connected socket, which stays the caller's to close. name: what the
 * server's certificate must say, a DNS name or an address. NULL without memory. */
SSL *sdk_tls_open(const struct tls *tls, int fd, const char *name);

/* What a step on a session came to. */
enum tls_step {
    TLS_STEP_DONE,
    TLS_STEP_WANT_READ,
    TLS_STEP_WANT_WRITE,
    TLS_STEP_CLOSED, /* the peer ended the connection, or the socket broke: errno of it, or 0 */
    TLS_STEP_FAILED, /* TLS refused something: OpenSSL's error queue says what */
};

/* Call ERR_clear_error() and errno = 0 before the step; rc is what it returned. */
enum tls_step sdk_tls_judge(const SSL *ssl, int rc);

/* After a step of the handshake: OpenSSL may go on without memory, and have something else refused
 * that it could not do, by itself or by the peer. */
bool sdk_tls_lacks_memory(void);

/* Fills *failure from the error queue after FAILED: REFUSED and LOYAL_CODE_CERTIFICATE where
 * one side refused the other's certificate, else RETRY and LOYAL_CODE_CONNECTION. */
void sdk_tls_explain(const SSL *ssl, struct failure *failure);

#endif
