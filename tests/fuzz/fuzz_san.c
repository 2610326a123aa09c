/* Who a certificate says it is: a URI, a subject alternative name in a good certificate, or a whole
 * certificate, none of which a client has to make well.
 *
 *   what follows (1), its bytes */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "fuzz/input.h"
#include "session/identity.h"

static X509 *whole; /* but for its extensions */

static X509 *certificate_new(const char *use)
{
    X509 *certificate = X509_dup(whole);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, use);
    assert(certificate && extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    return certificate;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    (void)argc, (void)argv;
    whole = X509_new();
    assert(whole && key && X509_set_pubkey(whole, key) == 1);
    X509_gmtime_adj(X509_getm_notBefore(whole), 0);
    X509_gmtime_adj(X509_getm_notAfter(whole), 86400);
    assert(X509_set_version(whole, X509_VERSION_3) == 1 && X509_sign(whole, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return 0;
}

/* A name is one of the wire's, and ends. */
static void check_name(const char *name, bool may_be_empty)
{
    size_t size = strnlen(name, IDENTITY_NAME_BYTES_MAX + 1);
    assert(size <= IDENTITY_NAME_BYTES_MAX && (size > 0 || may_be_empty));
    assert(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size);
}

static void check(bool is_good, const struct identity *identity, const struct err *err)
{
    assert(is_good == (err->text[0] == '\0'));
    assert(is_good || identity->role == IDENTITY_NOBODY);
    if (!is_good)
        return;
    assert(identity->role == IDENTITY_TERMINAL || identity->role == IDENTITY_OPERATOR);
    check_name(identity->merchant, identity->role == IDENTITY_OPERATOR);
    check_name(identity->name, false);
}

static void check_certificate(X509 *certificate)
{
    struct identity identity = {0};
    struct err err = {0};
    bool is_good = identity_of_certificate(certificate, "net", &identity, &err);
    check(is_good, &identity, &err);
    ERR_clear_error();
}

static void check_uri(const uint8_t *bytes, size_t size)
{
    struct identity identity = {0};
    struct err err = {0};
    char *exact = malloc(size ? size : 1);
    assert(exact);
    if (size)
        memcpy(exact, bytes, size);
    bool is_good = identity_of_uri(exact, size, "net", &identity, &err);
    check(is_good, &identity, &err);
    free(exact);
}

/* The bytes as the value of a subject alternative name, or of two. */
static void check_san(const uint8_t *bytes, size_t size, const char *use, int count)
{
    X509 *certificate = certificate_new(use);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    assert(value && ASN1_OCTET_STRING_set(value, bytes, (int)size) == 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    assert(extension);
    for (int i = 0; i < count; i++)
        assert(X509_add_ext(certificate, extension, -1) == 1);
    check_certificate(certificate);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    X509_free(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, bytes + size};
    uint8_t what = input_byte(&input);
    const uint8_t *at = input.at;
    X509 *certificate;
    switch (what & 7) {
    case 0:
        certificate = d2i_X509(NULL, &at, (long)input_left(&input));
        if (certificate)
            check_certificate(certificate);
        X509_free(certificate);
        ERR_clear_error();
        break;
    case 1: check_san(at, input_left(&input), "clientAuth", 1); break;
    case 2: check_san(at, input_left(&input), "clientAuth,serverAuth", 2); break;
    case 3: check_san(at, input_left(&input), "serverAuth", 1); break;
    default: check_uri(at, input_left(&input)); break;
    }
    return 0;
}
