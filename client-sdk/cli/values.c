/* Owns the reading and writing of values: numbers, amounts, dates, keys. Called by commands; it
 * never prints and never guesses: what is not wholly understood is false. */
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool value_integer(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;

    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && *out >= min && *out <= max;
}

/* ISO 4217: two decimals unless listed here. */
static int decimals_of(const char *currency)
{
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";

    if (!currency || strlen(currency) != 3)
        return 2;
    if (strstr(none, currency))
        return 0;
    return strstr(three, currency) ? 3 : 2;
}

bool value_amount(const char *text, const char *currency, int64_t *minor_out)
{
    const int64_t minor_max = 1000000000000000;
    int places = decimals_of(currency), seen = -1;
    int64_t minor = 0;

    if (text[0] < '0' || text[0] > '9')
        return false;
    for (; *text; text++) {
        if (*text == '.' && seen < 0 && text[1] != '\0') {
            seen = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || (seen >= 0 && ++seen > places) || minor > minor_max / 10)
            return false;
        minor = minor * 10 + (*text - '0');
    }
    for (seen = seen < 0 ? 0 : seen; seen < places; seen++) {
        if (minor > minor_max / 10)
            return false;
        minor *= 10;
    }
    *minor_out = minor;
    return minor <= minor_max;
}

static bool is_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

/* Of digits that were looked at before. */
static int digits_value(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* As strptime would, but with the shape checked and the day really in the calendar. */
static bool read_date(const char *text, struct tm *tm_out)
{
    struct tm tm = {0};

    if (strlen(text) < 10 || text[4] != '-' || text[7] != '-' || !is_digits(text, 4) ||
        !is_digits(text + 5, 2) || !is_digits(text + 8, 2))
        return false;
    tm.tm_year = digits_value(text) - 1900;
    tm.tm_mon = digits_value(text + 5) - 1;
    tm.tm_mday = digits_value(text + 8);
    *tm_out = tm;
    timegm(&tm);
    return tm.tm_mday == tm_out->tm_mday && tm.tm_mon == tm_out->tm_mon;
}

bool value_date(const char *text, uint32_t *yyyymmdd_out)
{
    struct tm tm;

    if (!read_date(text, &tm) || text[10] != '\0')
        return false;
    *yyyymmdd_out = (uint32_t)(tm.tm_year + 1900) * 10000 + (uint32_t)(tm.tm_mon + 1) * 100 +
                    (uint32_t)tm.tm_mday;
    return true;
}

bool value_time_utc(const char *text, int64_t *us_out)
{
    struct tm tm;
    int64_t fraction_us = 0, unit_us = 100000;

    if (!read_date(text, &tm) || (text[10] != 'T' && text[10] != ' '))
        return false;
    text += 11;
    if (strlen(text) < 9 || text[2] != ':' || text[5] != ':' || !is_digits(text, 2) ||
        !is_digits(text + 3, 2) || !is_digits(text + 6, 2))
        return false;
    tm.tm_hour = digits_value(text);
    tm.tm_min = digits_value(text + 3);
    tm.tm_sec = digits_value(text + 6);
    text += 8;
    if (*text == '.')
        for (text++; is_digits(text, 1); text++, unit_us /= 10)
            fraction_us += (*text - '0') * unit_us;
    if (strcmp(text, "Z") != 0 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
        return false;
    *us_out = (int64_t)timegm(&tm) * 1000000 + fraction_us;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool value_hex(const char *text, uint8_t *bytes_out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        bytes_out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * size] == '\0';
}

bool value_uuid(const char *text, uint8_t bytes_out[16])
{
    char plain[33];
    size_t count = 0;

    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (count == 32)
            return false;
        plain[count++] = *text;
    }
    plain[count] = '\0';
    return count == 32 && value_hex(plain, bytes_out, 16);
}

bool value_ratio(const char *text, uint32_t *numerator_out, uint32_t *denominator_out)
{
    char *slash, *end;
    unsigned long numerator = strtoul(text, &slash, 10), denominator;

    if (!is_digits(text, 1) || *slash != '/' || !is_digits(slash + 1, 1))
        return false;
    denominator = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || denominator == 0 || denominator > 1000000000 || numerator > 1000000)
        return false;
    *numerator_out = (uint32_t)numerator;
    *denominator_out = (uint32_t)denominator;
    return true;
}

/* ---- words of enumerations ---- */

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const char *const CHANNELS[] = {[LOYAL_POS] = "pos",
                                       [LOYAL_WEB] = "web",
                                       [LOYAL_MOBILE] = "mobile",
                                       [LOYAL_CALL_CENTRE] = "call-centre",
                                       [LOYAL_KIOSK] = "kiosk"};
static const char *const PURPOSES[] = {
    [LOYAL_SERVICE] = "service", [LOYAL_OFFER] = "offer", [LOYAL_ANALYSIS] = "analysis"};
static const char *const STANDINGS[] = {
    [LOYAL_ACTIVE] = "active", [LOYAL_SUSPENDED] = "suspended", [LOYAL_REVOKED] = "revoked"};
static const char *const GRANT_STATES[] = {[LOYAL_GRANT_ACTIVE] = "active",
                                           [LOYAL_GRANT_OVER] = "over",
                                           [LOYAL_GRANT_REVOKED] = "revoked",
                                           [LOYAL_GRANT_REPLACED] = "replaced",
                                           [LOYAL_GRANT_ERASED] = "erased"};
static const char *const ENTRY_KINDS[] = {[LOYAL_ENTRY_ENROL] = "enrol",
                                          [LOYAL_ENTRY_EARN] = "earn",
                                          [LOYAL_ENTRY_REDEEM] = "redeem",
                                          [LOYAL_ENTRY_REVERSE_EARN] = "reverse-earn",
                                          [LOYAL_ENTRY_REVERSE_REDEEM] = "reverse-redeem",
                                          [LOYAL_ENTRY_EXPIRY] = "expiry",
                                          [LOYAL_ENTRY_FORFEIT] = "forfeit"};
static const char *const FIELD_GROUPS[] = {"date", "amount", "basket"}; /* bit 0, 1, 2 */

/* Words begin at index 1. 0: there is no such word. */
static unsigned word_index(const char *const *words, size_t count, const char *text)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return (unsigned)i;
    return 0;
}

static const char *word_of(const char *const *words, size_t count, unsigned index)
{
    if (index == 0)
        return "";
    return index < count ? words[index] : "?";
}

bool value_channel(const char *text, enum loyal_channel *channel_out)
{
    *channel_out = (enum loyal_channel)word_index(CHANNELS, COUNT_OF(CHANNELS), text);
    return *channel_out != 0;
}

bool value_purpose(const char *text, enum loyal_purpose *purpose_out)
{
    *purpose_out = (enum loyal_purpose)word_index(PURPOSES, COUNT_OF(PURPOSES), text);
    return *purpose_out != 0;
}

const char *value_channel_text(enum loyal_channel channel)
{
    return word_of(CHANNELS, COUNT_OF(CHANNELS), channel);
}

const char *value_purpose_text(enum loyal_purpose purpose)
{
    return word_of(PURPOSES, COUNT_OF(PURPOSES), purpose);
}

const char *value_standing_text(enum loyal_standing standing)
{
    return word_of(STANDINGS, COUNT_OF(STANDINGS), standing);
}

const char *value_grant_state_text(enum loyal_grant_state state)
{
    return word_of(GRANT_STATES, COUNT_OF(GRANT_STATES), state);
}

const char *value_entry_kind_text(enum loyal_entry_kind kind)
{
    return word_of(ENTRY_KINDS, COUNT_OF(ENTRY_KINDS), kind);
}

bool value_split(char *text, const char **parts_out, size_t max, size_t *count_out)
{
    *count_out = 0;
    for (char *comma; text; text = comma) {
        comma = strchr(text, ',');
        if (comma)
            *comma++ = '\0';
        if (text[0] == '\0' || *count_out == max)
            return false;
        parts_out[(*count_out)++] = text;
    }
    return true;
}

bool value_fields(const char *text, unsigned *fields_out)
{
    char copy[64];
    const char *parts[COUNT_OF(FIELD_GROUPS)];
    size_t count;

    *fields_out = 0;
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy ||
        !value_split(copy, parts, COUNT_OF(parts), &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned bit = 0;

        for (size_t group = 0; group < COUNT_OF(FIELD_GROUPS); group++)
            if (strcmp(FIELD_GROUPS[group], parts[i]) == 0)
                bit = 1u << group;
        if (bit == 0 || (*fields_out & bit))
            return false;
        *fields_out |= bit;
    }
    return true;
}

void value_fields_text(unsigned fields, char *text_out)
{
    size_t used = 0;

    text_out[0] = '\0';
    for (size_t group = 0; group < COUNT_OF(FIELD_GROUPS); group++)
        if (fields & 1u << group)
            used +=
                (size_t)sprintf(text_out + used, "%s%s", used > 0 ? "," : "", FIELD_GROUPS[group]);
}

/* ---- to text ---- */

void value_hex_text(const uint8_t *bytes, size_t size, char *text_out)
{
    for (size_t i = 0; i < size; i++)
        sprintf(text_out + 2 * i, "%02x", bytes[i]);
    text_out[2 * size] = '\0';
}

void value_uuid_text(const uint8_t bytes[16], char *text_out)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    size_t at = 0;

    for (size_t i = 0; i < 5; at += groups[i], i++) {
        value_hex_text(bytes + at, groups[i], text_out);
        text_out += 2 * groups[i];
        *text_out++ = '-';
    }
    text_out[-1] = '\0';
}

void value_time_text(int64_t us, char *text_out)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text_out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void value_date_text(uint32_t yyyymmdd, char *text_out)
{
    snprintf(text_out, DATE_TEXT_SIZE, "%04u-%02u-%02u", yyyymmdd / 10000 % 10000,
             yyyymmdd / 100 % 100, yyyymmdd % 100);
}
