/* Who a certificate says it is: exactly one URI, of this network, with plain names, for clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "session/identity.h"

#define T1 "loyal://net/merchant/alpha/terminal/t1"

static bool of_uri(const char *uri, size_t size, struct identity *out)
{
    struct err err = {0};
    bool good = identity_of_uri(uri, size, "net", out, &err);
    assert_int_equal(good, err.text[0] == '\0');
    return good;
}

static void good_uris_are_read(void **state)
{
    (void)state;
    struct identity identity;
    assert_true(of_uri(T1, strlen(T1), &identity));
    assert_int_equal(identity.role, IDENTITY_TERMINAL);
    assert_string_equal(identity.merchant, "alpha");
    assert_string_equal(identity.name, "t1");
    const char *operator_uri = "loyal://net/operator/ann_b-2";
    assert_true(of_uri(operator_uri, strlen(operator_uri), &identity));
    assert_int_equal(identity.role, IDENTITY_OPERATOR);
    assert_string_equal(identity.merchant, "");
    assert_string_equal(identity.name, "ann_b-2");
}

static void odd_uris_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "loyal://",
        "loyal://net",
        "loyal://net/",
        "loyal://other/operator/o",
        "loyal://net2/operator/o",
        "loyal://ne/operator/o",
        "LOYAL://net/operator/o",
        "https://net/operator/o",
        "loyal://net/operator/",
        "loyal://net/operator/o/",
        "loyal://net/operator/o?x",
        "loyal://net/operator/O",
        "loyal://net/operator/-o",
        "loyal://net/operator/o%2e",
        "loyal://net/operator/\xc3\xa9",
        "loyal://net/operator/abcdefghijklmnopqrstuvwxyz0123456",
        "loyal://net/merchant/alpha",
        "loyal://net/merchant//terminal/t1",
        "loyal://net/merchant/alpha/terminal/",
        "loyal://net/merchant/alpha/terminal/t1/terminal/t2",
        "loyal://net/merchant/al pha/terminal/t1",
        "loyal://net/terminal/t1",
        " loyal://net/operator/o",
    };
    struct identity identity;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (of_uri(bad[i], strlen(bad[i]), &identity))
            fail_msg("'%s' passed", bad[i]);
    }
    assert_false(of_uri("loyal://net/operator/o\0x", 24, &identity));
    assert_false(of_uri("loyal://net/operator/o\0", 23, &identity));
    for (size_t size = 0; size < strlen(T1) - 1; size++)
        assert_false(of_uri(T1, size, &identity));
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by itself: who signed it is not the identity's business. NULL: no such extension. */
static bool of_certificate(const char *names, const char *usage, struct identity *out)
{
    struct err err = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 60));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    if (names)
        add_extension(certificate, NID_subject_alt_name, names);
    if (usage)
        add_extension(certificate, NID_ext_key_usage, usage);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    bool good = identity_of_certificate(certificate, "net", out, &err);
    uint8_t hash[HASH_BYTES];
    assert_int_equal(X509_digest(certificate, EVP_sha256(), hash, NULL), 1);
    if (good)
        assert_memory_equal(hash, out->certificate_sha256, HASH_BYTES);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return good;
}

static void exactly_one_uri_identifies(void **state)
{
    (void)state;
    struct identity identity;
    assert_true(of_certificate("URI:" T1, "clientAuth", &identity));
    assert_string_equal(identity.name, "t1");
    assert_true(of_certificate("DNS:a,URI:" T1, "clientAuth,serverAuth", &identity));
    assert_false(of_certificate(NULL, "clientAuth", &identity));
    assert_false(of_certificate("DNS:a", "clientAuth", &identity));
    assert_false(of_certificate("URI:" T1 ",URI:" T1, "clientAuth", &identity));
    assert_false(of_certificate("URI:" T1 ",URI:loyal://net/operator/o", "clientAuth", &identity));
    assert_false(of_certificate("URI:loyal://other/operator/o", "clientAuth", &identity));
}

static void only_clients_identify(void **state)
{
    (void)state;
    struct identity identity;
    assert_false(of_certificate("URI:" T1, NULL, &identity));
    assert_false(of_certificate("URI:" T1, "serverAuth", &identity));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_uris_are_read),
        cmocka_unit_test(odd_uris_are_refused),
        cmocka_unit_test(exactly_one_uri_identifies),
        cmocka_unit_test(only_clients_identify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
