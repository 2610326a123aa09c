/* Identifiers: one form each, whatever a till types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "session/normalise.h"

static void assert_form(enum identifier_kind kind, const char *value, const char *form)
{
    char normal[NORMALISED_BYTES_MAX + 1];
    const char *fault = normalise(kind, value, "44", normal);
    if (fault)
        fail_msg("'%s': %s", value, fault);
    assert_string_equal(normal, form);
}

static void assert_fault(enum identifier_kind kind, const char *value, const char *country_code)
{
    char normal[NORMALISED_BYTES_MAX + 1];
    if (!normalise(kind, value, country_code, normal))
        fail_msg("'%s' passed as '%s'", value, normal);
}

static void cards_have_digits_only(void **state)
{
    (void)state;
    assert_form(IDENTIFIER_CARD, "1234 5678-90", "1234567890");
    assert_form(IDENTIFIER_CARD, "0001", "0001");
    assert_fault(IDENTIFIER_CARD, "123", "44");
    assert_fault(IDENTIFIER_CARD, "12a4", "44");
    assert_fault(IDENTIFIER_CARD, "1234\t", "44");
    assert_fault(IDENTIFIER_CARD, "123456789012345678901234567890123", "44");
    assert_form(IDENTIFIER_CARD, "12345678901234567890123456789012",
                "12345678901234567890123456789012");
}

static void phones_become_e164(void **state)
{
    (void)state;
    assert_form(IDENTIFIER_PHONE, "020 7946 0000", "+442079460000");
    assert_form(IDENTIFIER_PHONE, "+44 (0)20 7946-0000", "+442079460000");
    assert_form(IDENTIFIER_PHONE, "0044 20.7946.0000", "+442079460000");
    assert_form(IDENTIFIER_PHONE, "2079460000", "+442079460000");
    assert_form(IDENTIFIER_PHONE, " +33/1 23 45 67 89", "+33123456789");
    assert_fault(IDENTIFIER_PHONE, "020 7946 0000", "");
    assert_fault(IDENTIFIER_PHONE, "+0 20 7946 0000", "44");
    assert_fault(IDENTIFIER_PHONE, "12345x", "44");
    assert_fault(IDENTIFIER_PHONE, "+12345", "44");
    assert_fault(IDENTIFIER_PHONE, "+1234567890123456", "44");
    assert_fault(IDENTIFIER_PHONE, "++441234567", "44");
    assert_fault(IDENTIFIER_PHONE, "", "44");
}

static void the_italian_zero_stays(void **state)
{
    (void)state;
    char normal[NORMALISED_BYTES_MAX + 1];
    assert_null(normalise(IDENTIFIER_PHONE, "06 698 1234", "39", normal));
    assert_string_equal(normal, "+39066981234");
}

static void emails_are_folded_and_trimmed(void **state)
{
    (void)state;
    assert_form(IDENTIFIER_EMAIL, "  Ann.B@Example.ORG \r\n", "ann.b@example.org");
    assert_form(IDENTIFIER_EMAIL, "\xc3\x84@x", "\xc3\x84@x"); /* letters beyond ASCII stay */
    assert_fault(IDENTIFIER_EMAIL, "ann", "44");
    assert_fault(IDENTIFIER_EMAIL, "@x", "44");
    assert_fault(IDENTIFIER_EMAIL, "a@", "44");
    assert_fault(IDENTIFIER_EMAIL, "a b@x", "44");
    assert_fault(IDENTIFIER_EMAIL, "   ", "44");
}

static void no_other_kind_passes(void **state)
{
    (void)state;
    assert_fault((enum identifier_kind)0, "1234", "44");
    assert_fault((enum identifier_kind)9, "1234", "44");
}

static void the_kind_is_part_of_the_hash(void **state)
{
    (void)state;
    static const uint8_t key[HASH_BYTES] = {1}, other_key[HASH_BYTES] = {2};
    uint8_t a[HASH_BYTES], b[HASH_BYTES];
    normalise_hash(key, IDENTIFIER_CARD, "1234", a);
    normalise_hash(key, IDENTIFIER_CARD, "1234", b);
    assert_memory_equal(a, b, HASH_BYTES);
    normalise_hash(key, IDENTIFIER_EMAIL, "1234", b);
    assert_memory_not_equal(a, b, HASH_BYTES);
    normalise_hash(other_key, IDENTIFIER_CARD, "1234", b);
    assert_memory_not_equal(a, b, HASH_BYTES);
    uint8_t expected[HASH_BYTES], bytes[5] = {1, '1', '2', '3', '4'};
    hash_hmac(key, bytes, sizeof bytes, expected);
    assert_memory_equal(a, expected, HASH_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_have_digits_only), cmocka_unit_test(phones_become_e164),
        cmocka_unit_test(the_italian_zero_stays), cmocka_unit_test(emails_are_folded_and_trimmed),
        cmocka_unit_test(no_other_kind_passes),   cmocka_unit_test(the_kind_is_part_of_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
