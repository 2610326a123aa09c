/* Brings identifiers to their one form and hashes them. Called by the handlers. Never logs what it
 * sees, and knows no language: letters beyond ASCII stay as they are. */
#include "session/normalise.h"

#include <string.h>

#define CARD_DIGITS_MIN  4
#define CARD_DIGITS_MAX  32
#define PHONE_DIGITS_MIN 7
#define PHONE_DIGITS_MAX 15 /* E.164 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *normalise_card(const char *value, char *normal_out)
{
    size_t size = 0;
    for (const char *at = value; *at; at++) {
        if (*at == ' ' || *at == '-')
            continue;
        if (!is_digit(*at))
            return "a card number has digits only, with blanks or hyphens between them";
        if (size == CARD_DIGITS_MAX)
            return "a card number has at most 32 digits";
        normal_out[size++] = *at;
    }
    normal_out[size] = '\0';
    return size < CARD_DIGITS_MIN ? "a card number has at least 4 digits" : NULL;
}

/* Digits without what people put between them; "(0)" after a country code is not dialled. Returns
 * how many, or -1. */
static int phone_digits(const char *value, bool is_international, char digits_out[20])
{
    int count = 0;
    for (const char *at = value; *at; at++) {
        if (is_international && strncmp(at, "(0)", 3) == 0) {
            at += 2;
            continue;
        }
        if (strchr(" -./()", *at))
            continue;
        if (!is_digit(*at) || count == 19)
            return -1;
        digits_out[count++] = *at;
    }
    digits_out[count] = '\0';
    return count;
}

static const char *normalise_phone(const char *value, const char *country_code, char *normal_out)
{
    char digits[20];
    value += strspn(value, " ");
    bool is_international = *value == '+' || strncmp(value, "00", 2) == 0;
    if (is_international)
        value += *value == '+' ? 1 : 2;
    int count = phone_digits(value, is_international, digits);
    if (count < 0)
        return "a phone number has digits, blanks and - . / ( ) only, after a + or 00 if "
               "international";
    const char *national = digits, *prefix = "";
    if (!is_international) {
        if (*country_code == '\0')
            return "a phone number begins with + and its country code here";
        prefix = country_code;
        /* In Italy the zero is part of the number, elsewhere it is the trunk's. */
        if (*national == '0' && strcmp(country_code, "39") != 0)
            national++;
    }
    size_t size = strlen(prefix) + strlen(national);
    if (size < PHONE_DIGITS_MIN || size > PHONE_DIGITS_MAX)
        return "a phone number has 7 to 15 digits with its country code";
    normal_out[0] = '+';
    stpcpy(stpcpy(normal_out + 1, prefix), national); /* size was looked at */
    return normal_out[1] == '0' ? "a country code does not begin with 0" : NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *normalise_email(const char *value, char *normal_out)
{
    while (is_blank(*value))
        value++;
    size_t size = strlen(value);
    while (size > 0 && is_blank(value[size - 1]))
        size--;
    if (size > NORMALISED_BYTES_MAX)
        return "an e-mail address has at most 254 bytes";
    for (size_t i = 0; i < size; i++) {
        char c = value[i];
        if ((unsigned char)c <= ' ' || c == 0x7f)
            return "an e-mail address has no blanks inside";
        normal_out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    normal_out[size] = '\0';
    const char *at = strrchr(normal_out, '@');
    if (!at || at == normal_out || at[1] == '\0')
        return "an e-mail address has a name, an @ and a domain";
    return NULL;
}

const char *normalise(enum identifier_kind kind, const char *value, const char *country_code,
                      char normal_out[NORMALISED_BYTES_MAX + 1])
{
    switch (kind) {
    case IDENTIFIER_CARD: return normalise_card(value, normal_out);
    case IDENTIFIER_PHONE: return normalise_phone(value, country_code, normal_out);
    case IDENTIFIER_EMAIL: return normalise_email(value, normal_out);
    }
    return "an identifier is a card number, a phone number or an e-mail address";
}

void normalise_hash(const uint8_t key[HASH_BYTES], enum identifier_kind kind, const char *normal,
                    uint8_t hash_out[HASH_BYTES])
{
    uint8_t bytes[1 + NORMALISED_BYTES_MAX];
    size_t size = strnlen(normal, NORMALISED_BYTES_MAX);
    bytes[0] = (uint8_t)kind;
    memcpy(bytes + 1, normal, size);
    hash_hmac(key, bytes, 1 + size, hash_out);
}
