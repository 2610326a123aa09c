/* Owns the reading of a replay's CSV (its columns stand in `loyalctl replay --help`). Called by
 * replay.c and replay_setup.c. It refuses a file whose order or references cannot be replayed,
 * before anything is sent. */
#include "replay_data.h"
#include "csv.h"
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <uthash.h>

enum column {
    COLUMN_SEQ,
    COLUMN_TIME,
    COLUMN_EVENT,
    COLUMN_MEMBER,
    COLUMN_MERCHANT,
    COLUMN_OUTLET,
    COLUMN_AMOUNT,
    COLUMN_CATEGORY,
    COLUMN_REF,
    COLUMN_TXN,
    COLUMN_COUNT
};

static const char *const COLUMNS[] = {
    "seq",          "event_time",       "event",   "member_id", "merchant_id", "outlet_id",
    "amount_pence", "expense_category", "ref_seq", "txn_id",    NULL};

/* A text seen, and its number among those of its kind; the text lives here. */
struct name {
    UT_hash_handle hh;
    uint32_t number;
    char text[];
};

struct replay_pool {
    struct name *merchants, *members, *stores, *texts;
};

struct loader {
    struct replay_data *data;
    struct csv *csv;
    int at[COLUMN_COUNT];
    char last_time[32];
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct loader *loader, const char *format,
                                                       ...)
{
    va_list args;
    int used = snprintf(loader->error, loader->error_size, "line %zu: ", csv_line(loader->csv));

    va_start(args, format);
    vsnprintf(loader->error + used, loader->error_size - (size_t)used, format, args);
    va_end(args);
    return false;
}

static void *must(void *memory)
{
    if (memory)
        return memory;
    fputs("loyalctl: out of memory\n", stderr);
    exit(1);
}

/* One more element; the room doubles at each power of two. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    return must(realloc(array, (count ? 2 * count : 1) * size));
}

/* Finds or adds; *added_out says which. */
static struct name *intern(struct name **names, const char *text, bool *added_out)
{
    size_t length = strlen(text);
    struct name *name;

    HASH_FIND(hh, *names, text, length, name);
    *added_out = !name;
    if (name)
        return name;
    name = must(calloc(1, sizeof *name + length + 1));
    memcpy(name->text, text, length);
    name->number = HASH_COUNT(*names);
    HASH_ADD_KEYPTR(hh, *names, name->text, length, name);
    return name;
}

static const char *keep_text(struct replay_data *data, const char *text)
{
    bool added;

    return intern(&data->pool->texts, text, &added)->text;
}

static uint32_t number_merchant(struct replay_data *data, const char *code)
{
    bool added;
    struct name *name = intern(&data->pool->merchants, code, &added);

    if (added) {
        data->merchants = grow(data->merchants, data->merchant_count, sizeof *data->merchants);
        data->merchants[data->merchant_count++] = name->text;
    }
    return name->number;
}

/* A card number nobody else has: a prefix of this replay's own, and the member's number. */
static uint32_t number_member(struct replay_data *data, const char *member_id)
{
    bool added;
    struct name *name = intern(&data->pool->members, member_id, &added);
    char card[40];

    if (added) {
        snprintf(card, sizeof card, "980000%010" PRId64, (int64_t)strtoll(member_id, NULL, 10));
        data->members = grow(data->members, data->member_count, sizeof *data->members);
        data->members[data->member_count++] = keep_text(data, card);
    }
    return name->number;
}

static uint32_t number_store(struct replay_data *data, uint32_t merchant, const char *code)
{
    bool added;
    char both[160];
    struct name *name;

    snprintf(both, sizeof both, "%" PRIu32 " %s", merchant, code);
    name = intern(&data->pool->stores, both, &added);
    if (added) {
        data->stores = grow(data->stores, data->store_count, sizeof *data->stores);
        data->stores[data->store_count++] =
            (struct replay_store){merchant, strchr(name->text, ' ') + 1};
    }
    return name->number;
}

/* ---- rows ---- */

static const char *cell(const struct loader *loader, enum column column)
{
    return csv_cell(loader->csv, loader->at[column]);
}

/* Local time to microseconds; of an hour that comes twice, libc's choice. */
static int64_t local_us(uint32_t date, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = (int)(date / 10000) - 1900,
                    .tm_mon = (int)(date / 100 % 100) - 1,
                    .tm_mday = (int)(date % 100),
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second,
                    .tm_isdst = -1};

    return (int64_t)mktime(&tm) * 1000000;
}

static bool read_time(struct loader *loader, struct replay_row *row)
{
    const char *text = cell(loader, COLUMN_TIME);
    char whole[32], day[11];
    int64_t unused;

    snprintf(whole, sizeof whole, "%.19sZ", text);
    snprintf(day, sizeof day, "%.10s", text);
    if (strlen(text) != 19 || !value_time_utc(whole, &unused) || !value_date(day, &row->date))
        return fail(loader, "event_time %s: such as 2014-04-01T09:50:02", text);
    if (strcmp(loader->last_time, text) > 0)
        return fail(loader, "event_time %s goes back", text);
    snprintf(loader->last_time, sizeof loader->last_time, "%s", text);
    row->event_us = local_us(row->date, (int)strtol(text + 11, NULL, 10),
                             (int)strtol(text + 14, NULL, 10), (int)strtol(text + 17, NULL, 10));
    return true;
}

/* Rows are in order of seq, so an earlier one is found by halving. */
static bool find_original(struct loader *loader, struct replay_row *row)
{
    const struct replay_data *data = loader->data;
    size_t low = 0, high = data->row_count;
    int64_t seq;

    if (!value_integer(cell(loader, COLUMN_REF), 1, UINT32_MAX, &seq))
        return fail(loader, "ref_seq %s: a number", cell(loader, COLUMN_REF));
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (data->rows[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == data->row_count || data->rows[low].seq != seq || data->rows[low].refund ||
        data->rows[low].member != row->member || data->rows[low].merchant != row->merchant)
        return fail(loader, "ref_seq %" PRId64 ": no earlier purchase of this member there", seq);
    row->original = low;
    row->has_original = true;
    return true;
}

static bool read_row(struct loader *loader, struct replay_row *row)
{
    struct replay_data *data = loader->data;
    const char *event = cell(loader, COLUMN_EVENT);
    int64_t member;

    if (!value_integer(cell(loader, COLUMN_SEQ), 1, UINT32_MAX, &row->seq) ||
        (data->row_count > 0 && row->seq <= data->rows[data->row_count - 1].seq))
        return fail(loader, "seq %s: a number above the one before", cell(loader, COLUMN_SEQ));
    if (!value_integer(cell(loader, COLUMN_MEMBER), 0, 9999999999, &member))
        return fail(loader, "member_id %s: a number", cell(loader, COLUMN_MEMBER));
    if (!value_integer(cell(loader, COLUMN_AMOUNT), 1, 1000000000000000, &row->amount_minor))
        return fail(loader, "amount_pence %s: a number from 1", cell(loader, COLUMN_AMOUNT));
    row->refund = strcmp(event, "refund") == 0;
    if (!row->refund && strcmp(event, "purchase") != 0)
        return fail(loader, "event %s: purchase or refund", event);
    if (!read_time(loader, row))
        return false;
    row->member = number_member(data, cell(loader, COLUMN_MEMBER));
    row->merchant = number_merchant(data, cell(loader, COLUMN_MERCHANT));
    row->store = number_store(data, row->merchant, cell(loader, COLUMN_OUTLET));
    row->category = keep_text(data, cell(loader, COLUMN_CATEGORY));
    row->txn_id = keep_text(data, cell(loader, COLUMN_TXN));
    return !row->refund || !cell(loader, COLUMN_REF)[0] || find_original(loader, row);
}

static void add_to_day(struct replay_data *data, const struct replay_row *row)
{
    struct replay_day *day = data->day_count > 0 ? &data->days[data->day_count - 1] : NULL;

    if (!day || day->date != row->date) {
        data->days = grow(data->days, data->day_count, sizeof *data->days);
        day = &data->days[data->day_count++];
        *day = (struct replay_day){
            .date = row->date, .first = data->row_count, .end_us = local_us(row->date, 23, 59, 59)};
    }
    day->count++;
}

static bool read_rows(struct loader *loader)
{
    struct replay_data *data = loader->data;

    if (!csv_header(loader->csv, COLUMNS, loader->at)) {
        snprintf(loader->error, loader->error_size, "%s", csv_error(loader->csv));
        return false;
    }
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (loader->at[i] < 0)
            return fail(loader, "no column %s", COLUMNS[i]);
    while (csv_row(loader->csv)) {
        struct replay_row row = {0};

        if (!read_row(loader, &row))
            return false;
        add_to_day(data, &row);
        data->rows = grow(data->rows, data->row_count, sizeof *data->rows);
        data->rows[data->row_count++] = row;
    }
    snprintf(loader->error, loader->error_size, "%s", csv_error(loader->csv));
    if (!csv_error(loader->csv)[0] && data->row_count == 0)
        return fail(loader, "no rows");
    return !csv_error(loader->csv)[0];
}

/* Without its file, libc would take UTC in silence. */
static bool set_zone(const char *zone, char *error_out, size_t error_size)
{
    char path[256];

    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    if (strstr(zone, "..") || access(path, R_OK) != 0) {
        snprintf(error_out, error_size, "no time zone %s (%s)", zone, path);
        return false;
    }
    setenv("TZ", zone, 1);
    tzset();
    return true;
}

bool replay_data_load(struct replay_data *data, const char *path, const char *zone, char *error_out,
                      size_t error_size)
{
    struct loader loader = {.data = data, .error = error_out, .error_size = error_size};
    bool good;

    memset(data, 0, sizeof *data);
    data->pool = must(calloc(1, sizeof *data->pool));
    if (!set_zone(zone, error_out, error_size))
        return false;
    loader.csv = csv_open(path);
    good = read_rows(&loader);
    csv_close(&loader.csv);
    return good;
}

static void free_names(struct name **names)
{
    struct name *name, *next;

    HASH_ITER (hh, *names, name, next) {
        HASH_DEL(*names, name); /* NOLINT(clang-analyzer-unix.Malloc): with the last one */
        free(name);
    }
}

void replay_data_free(struct replay_data *data)
{
    free(data->rows);
    free(data->days);
    free(data->merchants);
    free(data->members);
    free(data->stores);
    if (data->pool) {
        free_names(&data->pool->merchants);
        free_names(&data->pool->members);
        free_names(&data->pool->stores);
        free_names(&data->pool->texts);
        free(data->pool);
    }
    memset(data, 0, sizeof *data);
}
