/* Reads an identity from a certificate. Called once per connection, while the handshake's
 * certificate is at hand. Decides nothing about rights. */
#include "session/identity.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* what: is wrong with the subject alternative name. */
static bool misnamed(struct err *err, const char *what, const char *network)
{
    return err_set(err,
                   "its subject alternative name (SAN) %s; it must be one URI, "
                   "loyal://%s/merchant/M/terminal/T or loyal://%s/operator/O",
                   what, network, network);
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!first && (c == '-' || c == '_'));
}

/* A cursor over the URI with a sticky error. */
struct cursor {
    const char *at;
    const char *end;
    bool failed;
};

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t size = strlen(word);
    if (cursor->failed || (size_t)(cursor->end - cursor->at) < size ||
        memcmp(cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

static void take_name(struct cursor *cursor, char name_out[IDENTITY_NAME_BYTES_MAX + 1])
{
    size_t size = 0;
    while (!cursor->failed && cursor->at < cursor->end && is_name_char(*cursor->at, size == 0)) {
        if (size == IDENTITY_NAME_BYTES_MAX)
            break;
        name_out[size++] = *cursor->at++;
    }
    name_out[size] = '\0';
    cursor->failed = cursor->failed || size == 0;
}

bool identity_of_uri(const char *uri, size_t size, const char *network, struct identity *out,
                     struct err *err)
{
    struct cursor cursor = {.at = uri, .end = uri + size};
    struct identity identity = {0};
    if (!take_word(&cursor, "loyal://"))
        return misnamed(err, "does not begin with loyal://", network);
    if (!take_word(&cursor, network) || !take_word(&cursor, "/"))
        return misnamed(err, "is of another network", network);
    if (take_word(&cursor, "merchant/")) {
        identity.role = IDENTITY_TERMINAL;
        take_name(&cursor, identity.merchant);
        cursor.failed = cursor.failed || !take_word(&cursor, "/terminal/");
        take_name(&cursor, identity.name);
    } else if (take_word(&cursor, "operator/")) {
        identity.role = IDENTITY_OPERATOR;
        take_name(&cursor, identity.name);
    } else {
        cursor.failed = true;
    }
    if (cursor.failed || cursor.at != cursor.end)
        return misnamed(err, "has no names of [a-z0-9][a-z0-9_-]*, 1 to 32 bytes", network);
    *out = identity;
    return true;
}

/* Without the extension OpenSSL would let every use pass. */
static bool is_for_clients(X509 *certificate)
{
    return (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT);
}

/* The only URI, or NULL and *fault_out when there is none or more than one. */
static const ASN1_IA5STRING *only_uri(const GENERAL_NAMES *names, const char **fault_out)
{
    const ASN1_IA5STRING *found = NULL;
    *fault_out = "holds no URI";
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        if (found) {
            *fault_out = "holds more than one URI";
            return NULL;
        }
        found = name->d.uniformResourceIdentifier;
    }
    return found;
}

/* Whether OpenSSL failed for want of memory, which says nothing about the certificate. */
static bool was_short(void)
{
    unsigned long code;
    bool is_short = false;
    while ((code = ERR_get_error()))
        is_short = is_short || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    return is_short;
}

/* Not by X509_digest, which without memory returns 1 and a wrong hash. */
static bool hash_certificate(X509 *certificate, uint8_t hash_out[HASH_BYTES])
{
    uint8_t *bytes = NULL;
    int size = i2d_X509(certificate, &bytes);
    if (size > 0)
        hash_sha256(bytes, (size_t)size, hash_out);
    OPENSSL_free(bytes);
    return size > 0;
}

bool identity_of_certificate(X509 *certificate, const char *network, struct identity *out,
                             struct err *err)
{
    if (!is_for_clients(certificate))
        return err_set(err, "its extended key usage does not say clientAuth");
    struct identity identity;
    int critical = 0; /* -2: the extension stands in it more than once */
    const char *fault = "";
    ERR_clear_error();
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (!names && was_short())
        return err_set_errno(err, ENOMEM, "its SAN was not read");
    if (!names)
        fault = critical == -1 ? "is missing" : "cannot be read, or is there twice";
    const ASN1_IA5STRING *uri = names ? only_uri(names, &fault) : NULL;
    bool good = uri || misnamed(err, fault, network);
    good = good && identity_of_uri((const char *)ASN1_STRING_get0_data(uri),
                                   (size_t)ASN1_STRING_length(uri), network, &identity, err);
    GENERAL_NAMES_free(names);
    if (good && !hash_certificate(certificate, identity.certificate_sha256))
        good = err_set_errno(err, ENOMEM, "it was not hashed");
    if (good)
        *out = identity;
    return good;
}
