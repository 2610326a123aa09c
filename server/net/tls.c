/* Builds the TLS context from files. Called by the master to check them and by each worker, at
 * start and on reload. Never logs key material. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

void tls_error_text(char text_out[200])
{
    unsigned long code = ERR_get_error();
    text_out[0] = '\0';
    if (code)
        ERR_error_string_n(code, text_out, 200);
    ERR_clear_error();
}

static bool fail(struct err *err, const char *path, const char *what)
{
    char text[200];
    tls_error_text(text);
    return err_set(err, "%s: %s%s%s", path, what, *text ? ": " : "", text);
}

static bool check_readable(const char *option, const char *path, mode_t forbidden, struct err *err)
{
    struct stat status;
    if (access(path, R_OK) != 0 || stat(path, &status) != 0)
        return err_set_errno(err, errno, "%s: cannot be read: %s must be readable by loyald", path,
                             option);
    if (status.st_mode & forbidden)
        return err_set(err,
                       "%s: has mode %03o: its group may read it and others nothing: chmod 640 "
                       "or 600 it",
                       path, (unsigned int)status.st_mode & 0777);
    return true;
}

/* Other kinds cost several times more for each handshake. */
static bool key_is_p256(const EVP_PKEY *key)
{
    char group[40] = "";
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

/* By way of secret memory, as far as OpenSSL goes along. */
static EVP_PKEY *read_key(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    FILE *file = fd >= 0 ? secret_file_open(fd) : NULL;
    BIO *bio = file ? BIO_new_fp(file, BIO_NOCLOSE) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return key;
}

/* Nobody would talk to a server that shows it. */
static bool check_dates(SSL_CTX *context, const char *path, struct err *err)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return err_set(err, "%s: the certificate has expired: have a new one made", path);
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return err_set(err, "%s: the certificate is not valid yet: compare its dates and the clock",
                       path);
    return true;
}

static bool load_files(SSL_CTX *context, const struct tls_files *files, struct err *err)
{
    if (!check_readable("certificate_file", files->certificate_file, 0, err) ||
        !check_readable("key_file", files->key_file, S_IWGRP | S_IXGRP | S_IRWXO, err) ||
        !check_readable("authority_file", files->authority_file, 0, err))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate_file) != 1)
        return fail(err, files->certificate_file, "is not a PEM certificate");
    if (!check_dates(context, files->certificate_file, err))
        return false;
    EVP_PKEY *key = read_key(files->key_file);
    bool is_its = key && SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    if (!is_its)
        return fail(err, files->key_file, "is not the PEM private key of the certificate");
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(err, files->key_file, "is not the key of the certificate");
    if (!key_is_p256(SSL_CTX_get0_privatekey(context)))
        return fail(err, files->key_file, "is not a P-256 key: make one with EC, prime256v1");
    if (SSL_CTX_load_verify_file(context, files->authority_file) != 1)
        return fail(err, files->authority_file, "holds no PEM certificate");
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->authority_file);
    if (!names)
        return fail(err, files->authority_file, "holds no PEM certificate");
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

/* Who reads ahead does so once a call: what else OpenSSL wants for its record it reads exactly. */
static void tls_on_message(int is_written, int version, int type, const void *bytes, size_t size,
                           SSL *ssl, void *ctx)
{
    (void)version, (void)bytes, (void)size, (void)ctx;
    if (!is_written && type == SSL3_RT_HEADER)
        SSL_set_read_ahead(ssl, 0);
}

/* Without AUTO_RETRY a record that holds no data ends SSL_read, unless more was read ahead: whoever
 * sends key updates without end gets one a turn, or what one read brings, not the worker. */
static bool set_terms(SSL_CTX *context)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(context, 4);
    SSL_CTX_set_security_level(context, 2); /* no SHA-1, whatever openssl.cnf says */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_msg_callback(context, tls_on_message);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1;
}

SSL_CTX *tls_context_create(const struct tls_files *files, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool good = (context && set_terms(context)) || fail(err, "OpenSSL", "cannot do TLS 1.3");
    good = good && load_files(context, files, err);
    if (!good) {
        SSL_CTX_free(context);
        context = NULL;
    }
    ERR_clear_error();
    return context;
}

static int64_t not_after_us(const X509 *certificate)
{
    struct tm parts;
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1)
        return 0;
    return (int64_t)timegm(&parts) * 1000000;
}

struct tls_ends tls_ends(SSL_CTX *context)
{
    struct tls_ends ends = {.certificate_us = not_after_us(SSL_CTX_get0_certificate(context))};
    STACK_OF(X509) *authorities = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_num(authorities); i++) {
        int64_t end_us = not_after_us(sk_X509_value(authorities, i));
        if (!ends.authority_us || end_us < ends.authority_us)
            ends.authority_us = end_us;
    }
    sk_X509_pop_free(authorities, X509_free);
    return ends;
}

/* The certificate hangs in the session, which OpenSSL lets nobody empty or take away. But decoding
 * a session into an existing one replaces what it holds, so one without a certificate is decoded
 * into it. The traffic keys, and those of a key update, hang in the connection. */
void tls_forget_peer(SSL *ssl)
{
    static const unsigned char no_secret[32] = {0};
    SSL_SESSION *session = SSL_get_session(ssl), *empty = SSL_SESSION_new();
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    unsigned char bytes[512], *to = bytes;
    if (session && empty && SSL_SESSION_set_protocol_version(empty, TLS1_3_VERSION) == 1 &&
        SSL_SESSION_set_cipher(empty, SSL_get_current_cipher(ssl)) == 1 &&
        SSL_SESSION_set1_master_key(empty, no_secret, sizeof no_secret) == 1 &&
        i2d_SSL_SESSION(empty, NULL) <= (int)sizeof bytes) {
        const unsigned char *from = bytes;
        int size = i2d_SSL_SESSION(empty, &to);
        d2i_SSL_SESSION(&session, &from, size);
        while (chain && sk_X509_num(chain) > 0)
            X509_free(sk_X509_pop(chain));
    }
    SSL_SESSION_free(empty);
    ERR_clear_error();
}
