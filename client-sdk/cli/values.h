/* Values as people write them, to those of loyal.h and back. Each reader returns false on anything
 * it does not know whole; the caller names the option. Nothing here prints. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loyal/loyal.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum { UUID_TEXT_SIZE = 37, TIME_TEXT_SIZE = 32, DATE_TEXT_SIZE = 11, FIELDS_TEXT_SIZE = 24 };

MUST_CHECK bool value_integer(const char *text, int64_t min, int64_t max, int64_t *out);
/* "21.90" in the currency's major units (NULL: two decimals) to minor units; never negative. */
MUST_CHECK bool value_amount(const char *text, const char *currency, int64_t *minor_out);
/* "2024-02-29" to 20240229. */
MUST_CHECK bool value_date(const char *text, uint32_t *yyyymmdd_out);
/* "2024-02-29T18:03:00Z" (fraction allowed) to microseconds. */
MUST_CHECK bool value_time_utc(const char *text, int64_t *us_out);
MUST_CHECK bool value_hex(const char *text, uint8_t *bytes_out, size_t size);
/* With or without hyphens. */
MUST_CHECK bool value_uuid(const char *text, uint8_t bytes_out[16]);
/* "1/100". */
MUST_CHECK bool value_ratio(const char *text, uint32_t *numerator_out, uint32_t *denominator_out);
MUST_CHECK bool value_channel(const char *text, enum loyal_channel *channel_out);
MUST_CHECK bool value_purpose(const char *text, enum loyal_purpose *purpose_out);
/* "date,amount,basket", any of them, to bits of enum loyal_fields. */
MUST_CHECK bool value_fields(const char *text, unsigned *fields_out);
/* Cuts text at its commas. False: a part is empty, or there are more than max. */
MUST_CHECK bool value_split(char *text, const char **parts_out, size_t max, size_t *count_out);

/* As the readers above take it; "?" for what this program does not know, "" for none. */
const char *value_channel_text(enum loyal_channel channel);
const char *value_purpose_text(enum loyal_purpose purpose);
const char *value_standing_text(enum loyal_standing standing);
const char *value_grant_state_text(enum loyal_grant_state state);
const char *value_entry_kind_text(enum loyal_entry_kind kind);

/* These write into text_out, whose sizes are above. */
void value_uuid_text(const uint8_t bytes[16], char *text_out);
void value_time_text(int64_t us, char *text_out);
void value_date_text(uint32_t yyyymmdd, char *text_out);
void value_fields_text(unsigned fields, char *text_out);
/* size x 2 + 1 bytes. */
void value_hex_text(const uint8_t *bytes, size_t size, char *text_out);
