/* A server of the wire protocol that a test scripts: one thread, TLS with certificates made on the
 * spot, one connection at a time.
 *
 * Used by tests/unit/test_sdk_*.c. It knows frames and protobuf but no loyalty: a handler answers.
 */
#ifndef TESTS_SUPPORT_FAKE_SERVER_H
#define TESTS_SUPPORT_FAKE_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loyal/v1/envelope.pb-c.h"

/* An authority, a server (localhost, 127.0.0.1), a client, and a client of another authority. */
struct fake_certificates {
    char folder[64];
    char authority[96];
    char server[96];
    char client[96];
    char stranger[96]; /* certificate and key of each stand in one file */
};

void fake_certificates_make(struct fake_certificates *certificates);
void fake_certificates_remove(const struct fake_certificates *certificates);

struct fake_peer {
    SSL *ssl;
    unsigned connection; /* 1 is the first that the server accepted */
    unsigned requests;   /* on this connection, Hello not counted */
};

/* Called in the server's thread with each request but Hello. False: closes the connection. */
typedef bool fake_handler(struct fake_peer *peer, const Loyal__V1__Request *request, void *context);
/* The same for Hello; fake_welcome is the usual one. */
bool fake_welcome(struct fake_peer *peer, const Loyal__V1__Request *request, void *context);

struct fake_server {
    fake_handler *hello;
    fake_handler *handler;
    void *context;
    int fd;
    char port[8];
    SSL_CTX *tls;
    pthread_t thread;
    atomic_bool stopping;
    atomic_uint connections; /* accepted */
    atomic_uint requests;    /* read, Hello not counted */
    atomic_int current;      /* the connection's socket, or -1 */
};

/* The members hello, handler and context are the caller's to set before. */
void fake_server_start(struct fake_server *server, const struct fake_certificates *certificates);
void fake_server_stop(struct fake_server *server);

void fake_send(struct fake_peer *peer, const Loyal__V1__Response *response);
void fake_send_bytes(struct fake_peer *peer, const void *bytes, size_t n);
/* An answer of an outcome alone. */
void fake_send_outcome(struct fake_peer *peer, uint64_t id, int kind, int code);
/* PING's answer. */
void fake_send_pong(struct fake_peer *peer, uint64_t id, int64_t server_time_us);
/* REDEEM's: 5 points. */
void fake_send_redeemed(struct fake_peer *peer, uint64_t id);

#define FAKE_TIME_US       INT64_C(1893456000000000)
#define FAKE_IN_FLIGHT_MAX 8

#endif
