/* OpenSSL's side of a connection.
 *
 * Called by connection.c. It must never change anything outside its own context: no signal, no
 * global option. */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- a socket without SIGPIPE ---- */

static int socket_fd(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int socket_write(BIO *bio, const char *bytes, int n)
{
    BIO_clear_retry_flags(bio);
    ssize_t written = send(socket_fd(bio), bytes, (size_t)n, MSG_NOSIGNAL);
    if (written < 0 && is_passing(errno))
        BIO_set_retry_write(bio);
    return (int)written;
}

static int socket_read(BIO *bio, char *bytes, int n)
{
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(socket_fd(bio), bytes, (size_t)n, 0);
    if (got < 0 && is_passing(errno))
        BIO_set_retry_read(bio);
    if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "loyal socket");
    if (method != NULL) {
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_ctrl(method, socket_control);
    }
    return method;
}

/* ---- the context ---- */

static int no_password(char *bytes, int size, int writing, void *context)
{
    (void)bytes;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static bool complain(char *error_out, size_t error_size, const char *what, const char *value)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    if (error_out != NULL && error_size > 0)
        (void)snprintf(error_out, error_size, "%s %s%s%s", what, value != NULL ? value : "(none)",
                       reason != NULL ? ": " : "", reason != NULL ? reason : "");
    ERR_clear_error();
    return false;
}

static void context_restrict(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read(2) brings several records. */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_passwd_cb(context, no_password);
}

static bool context_load(SSL_CTX *context, const struct loyal_options *options, char *error_out,
                         size_t error_size)
{
    const char *authority = options->authority_file;
    const char *certificate = options->certificate_file;
    const char *key = options->key_file;
    if (authority == NULL || SSL_CTX_load_verify_file(context, authority) != 1)
        return complain(error_out, error_size, "cannot read authority_file", authority);
    if (certificate == NULL || SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return complain(error_out, error_size, "cannot read certificate_file", certificate);
    if (key == NULL || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return complain(error_out, error_size, "cannot read key_file", key);
    if (SSL_CTX_check_private_key(context) != 1)
        return complain(error_out, error_size, "the certificate does not belong to key_file", key);
    return true;
}

bool sdk_tls_setup(struct tls *tls, const struct loyal_options *options, char *error_out,
                   size_t error_size)
{
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = socket_method();
    bool ok = tls->context != NULL && tls->method != NULL;
    if (!ok) {
        (void)complain(error_out, error_size, "cannot set up", "TLS");
    } else {
        context_restrict(tls->context);
        ok = context_load(tls->context, options, error_out, error_size);
    }
    if (!ok)
        sdk_tls_free(tls);
    return ok;
}

void sdk_tls_free(struct tls *tls)
{
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    *tls = (struct tls){0};
}

/* ---- a session ---- */

static bool is_address(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool name_expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *sdk_tls_open(const struct tls *tls, int fd, const char *name)
{
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->method);
    if (ssl == NULL || bio == NULL || !name_expect(ssl, name)) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    return ssl;
}

enum tls_step sdk_tls_judge(const SSL *ssl, int rc)
{
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_NONE: return TLS_STEP_DONE;
    case SSL_ERROR_WANT_READ: return TLS_STEP_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_STEP_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
    case SSL_ERROR_SYSCALL: return TLS_STEP_CLOSED;
    default: break;
    }
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return TLS_STEP_CLOSED;
    return TLS_STEP_FAILED;
}

/* Peeks from both ends: what OpenSSL makes of it later stands between, or after. */
bool sdk_tls_lacks_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* The alerts by which the server says that it does not take our certificate. */
static bool is_certificate_alert(int reason)
{
    switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED: return true;
    default: return false;
    }
}

void sdk_tls_explain(const SSL *ssl, struct failure *failure)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *text = ERR_reason_error_string(error);
    bool is_tls = ERR_GET_LIB(error) == ERR_LIB_SSL; /* the numbers of others mean other things */
    long verified = SSL_get_verify_result(ssl);
    if (is_tls && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        sdk_failure_set(failure, LOYAL_REFUSED, LOYAL_CODE_CERTIFICATE,
                        "the server's certificate is not accepted: %s",
                        X509_verify_cert_error_string(verified));
    else if (is_tls && is_certificate_alert(reason))
        sdk_failure_set(failure, LOYAL_REFUSED, LOYAL_CODE_CERTIFICATE,
                        "the server does not accept this client's certificate: %s",
                        text != NULL ? text : "refused");
    else
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_CONNECTION, "TLS: %s",
                        text != NULL ? text : "failed");
    ERR_clear_error();
}
