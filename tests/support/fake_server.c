/* The scripted server and its certificates.
 *
 * Used by tests/unit/test_sdk_*.c. A failure of the server itself aborts: it is the test's fault.
 */
#include "support/fake_server.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* ---- certificates ---- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void extension_add(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    MUST(extension != NULL);
    MUST(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: an authority that signs itself; names: a subjectAltName. */
static struct identity identity_make(const char *name, const struct identity *issuer,
                                     const char *names)
{
    struct identity made = {X509_new(), EVP_EC_gen("P-256")};
    MUST(made.certificate != NULL && made.key != NULL);
    const struct identity *by = issuer != NULL ? issuer : &made;
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), (long)(uintptr_t)made.key & 0xffffff);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), 86400);
    X509_NAME *subject = X509_get_subject_name(made.certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(by->certificate));
    X509_set_pubkey(made.certificate, made.key);
    extension_add(made.certificate, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != NULL)
        extension_add(made.certificate, NID_subject_alt_name, names);
    MUST(X509_sign(made.certificate, by->key, EVP_sha256()) > 0);
    return made;
}

static void identity_free(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static void identity_write(const struct identity *identity, const char *folder, const char *name,
                           char path_out[96])
{
    snprintf(path_out, 96, "%s/%s.pem", folder, name);
    FILE *file = fopen(path_out, "w");
    MUST(file != NULL);
    MUST(PEM_write_X509(file, identity->certificate) == 1);
    MUST(PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) == 1);
    MUST(fclose(file) == 0);
}

void fake_certificates_make(struct fake_certificates *out)
{
    snprintf(out->folder, sizeof out->folder, "/tmp/loyal-sdk-XXXXXX");
    MUST(mkdtemp(out->folder) != NULL);
    struct identity authority = identity_make("authority", NULL, NULL);
    struct identity other = identity_make("other authority", NULL, NULL);
    struct identity server = identity_make("server", &authority, "DNS:localhost,IP:127.0.0.1");
    struct identity client = identity_make("client", &authority, NULL);
    struct identity stranger = identity_make("stranger", &other, NULL);
    identity_write(&authority, out->folder, "authority", out->authority);
    identity_write(&server, out->folder, "server", out->server);
    identity_write(&client, out->folder, "client", out->client);
    identity_write(&stranger, out->folder, "stranger", out->stranger);
    identity_free(&authority);
    identity_free(&other);
    identity_free(&server);
    identity_free(&client);
    identity_free(&stranger);
}

void fake_certificates_remove(const struct fake_certificates *certificates)
{
    unlink(certificates->authority);
    unlink(certificates->server);
    unlink(certificates->client);
    unlink(certificates->stranger);
    rmdir(certificates->folder);
}

/* ---- sending ---- */

void fake_send_bytes(struct fake_peer *peer, const void *bytes, size_t n)
{
    if (n > 0)
        (void)SSL_write(peer->ssl, bytes, (int)n); /* the client may be gone: that is a test too */
}

void fake_send(struct fake_peer *peer, const Loyal__V1__Response *response)
{
    size_t n = loyal__v1__response__get_packed_size(response);
    uint8_t *frame = malloc(FRAME_HEADER_BYTES + n);
    MUST(frame != NULL);
    frame_put_header(frame, (uint32_t)n);
    loyal__v1__response__pack(response, frame + FRAME_HEADER_BYTES);
    fake_send_bytes(peer, frame, FRAME_HEADER_BYTES + n);
    free(frame);
}

void fake_send_outcome(struct fake_peer *peer, uint64_t id, int kind, int code)
{
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    outcome.kind = (Loyal__V1__OutcomeKind)kind;
    outcome.code = (Loyal__V1__ResultCode)code;
    outcome.text = (char *)"scripted";
    response.id = id;
    response.outcome = &outcome;
    fake_send(peer, &response);
}

void fake_send_pong(struct fake_peer *peer, uint64_t id, int64_t server_time_us)
{
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    Loyal__V1__PingResponse pong = LOYAL__V1__PING_RESPONSE__INIT;
    outcome.kind = LOYAL__V1__OUTCOME_KIND__OUTCOME_KIND_OK;
    outcome.code = LOYAL__V1__RESULT_CODE__RESULT_CODE_OK;
    pong.server_time_us = server_time_us;
    response.id = id;
    response.outcome = &outcome;
    response.body_case = LOYAL__V1__RESPONSE__BODY_PING;
    response.ping = &pong;
    fake_send(peer, &response);
}

void fake_send_redeemed(struct fake_peer *peer, uint64_t id)
{
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    Loyal__V1__RedeemResponse body = LOYAL__V1__REDEEM_RESPONSE__INIT;
    outcome.kind = LOYAL__V1__OUTCOME_KIND__OUTCOME_KIND_OK;
    outcome.code = LOYAL__V1__RESULT_CODE__RESULT_CODE_OK;
    body.points = 5;
    response.id = id;
    response.outcome = &outcome;
    response.body_case = LOYAL__V1__RESPONSE__BODY_REDEEM;
    response.redeem = &body;
    fake_send(peer, &response);
}

bool fake_welcome(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    Loyal__V1__HelloResponse hello = LOYAL__V1__HELLO_RESPONSE__INIT;
    Loyal__V1__Limits limits = LOYAL__V1__LIMITS__INIT;
    (void)context;
    outcome.kind = LOYAL__V1__OUTCOME_KIND__OUTCOME_KIND_OK;
    outcome.code = LOYAL__V1__RESULT_CODE__RESULT_CODE_OK;
    limits.in_flight_max = FAKE_IN_FLIGHT_MAX;
    hello.version = 1;
    hello.server_time_us = FAKE_TIME_US;
    hello.limits = &limits;
    response.id = request->id;
    response.outcome = &outcome;
    response.body_case = LOYAL__V1__RESPONSE__BODY_HELLO;
    response.hello = &hello;
    fake_send(peer, &response);
    return true;
}

/* ---- serving ---- */

static bool read_all(SSL *ssl, uint8_t *bytes, size_t n)
{
    for (size_t got = 0; got < n;) {
        int rc = SSL_read(ssl, bytes + got, (int)(n - got));
        if (rc <= 0)
            return false;
        got += (size_t)rc;
    }
    return true;
}

static bool serve_frame(struct fake_server *server, struct fake_peer *peer)
{
    uint8_t header[FRAME_HEADER_BYTES];
    uint32_t length = 0;
    if (!read_all(peer->ssl, header, sizeof header))
        return false;
    (void)frame_peek(header, sizeof header, FRAME_REQUEST_BYTES_MAX, &length);
    MUST(length > 0 && length <= FRAME_REQUEST_BYTES_MAX);
    uint8_t *bytes = malloc(length);
    MUST(bytes != NULL);
    bool go_on = read_all(peer->ssl, bytes, length);
    if (go_on) {
        Loyal__V1__Request *request = loyal__v1__request__unpack(NULL, length, bytes);
        MUST(request != NULL && request->id != 0);
        bool is_hello = request->body_case == LOYAL__V1__REQUEST__BODY_HELLO;
        if (!is_hello) {
            peer->requests++;
            server->requests++;
        }
        go_on = (is_hello ? server->hello : server->handler)(peer, request, server->context);
        loyal__v1__request__free_unpacked(request, NULL);
    }
    free(bytes);
    return go_on;
}

static void serve_connection(struct fake_server *server, int fd)
{
    struct fake_peer peer = {.ssl = SSL_new(server->tls), .connection = ++server->connections};
    SSL_set_fd(peer.ssl, fd);
    if (SSL_accept(peer.ssl) == 1)
        while (!server->stopping && serve_frame(server, &peer)) {
        }
    SSL_free(peer.ssl);
}

static void *serve(void *context)
{
    struct fake_server *server = context;
    sigset_t signals;
    /* Of this thread alone: in the client's, a SIGPIPE must fail the test. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    while (!server->stopping) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        server->current = fd;
        serve_connection(server, fd);
        server->current = -1;
        close(fd);
    }
    return NULL;
}

static SSL_CTX *tls_make(const struct fake_certificates *certificates)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    MUST(tls != NULL);
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(tls, 0);
    MUST(SSL_CTX_use_certificate_chain_file(tls, certificates->server) == 1);
    MUST(SSL_CTX_use_PrivateKey_file(tls, certificates->server, SSL_FILETYPE_PEM) == 1);
    MUST(SSL_CTX_load_verify_file(tls, certificates->authority) == 1);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return tls;
}

void fake_server_start(struct fake_server *server, const struct fake_certificates *certificates)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int on = 1;
    server->tls = tls_make(certificates);
    server->stopping = false;
    server->connections = server->requests = 0;
    server->current = -1;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    MUST(bind(server->fd, (struct sockaddr *)&address, size) == 0);
    MUST(listen(server->fd, 16) == 0);
    MUST(getsockname(server->fd, (struct sockaddr *)&address, &size) == 0);
    snprintf(server->port, sizeof server->port, "%u", (unsigned)ntohs(address.sin_port));
    MUST(pthread_create(&server->thread, NULL, serve, server) == 0);
}

void fake_server_stop(struct fake_server *server)
{
    server->stopping = true;
    shutdown(server->fd, SHUT_RDWR);
    int fd = server->current;
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    SSL_CTX_free(server->tls);
}
