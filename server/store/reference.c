/* Owns a snapshot of the reference tables: takes the rows of STATEMENT_REFERENCE_READ apart and
 * finds them again by code. Strings stay in the PGresult that it keeps. */
#include "store/reference.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* what was not added has no table */
#include <uthash.h>

#include "base/hash.h"
#include "store/reference_load.h"

#define CODE_BYTES_MAX      64
#define LIFETIME_MONTHS_MAX 1200

/* What a row is found by: its table, whose it is, and its code or, for merchants by id, none. */
struct name {
    int32_t owner;
    char table;
    char code[CODE_BYTES_MAX];
};

struct named {
    struct name name;
    int32_t id;
    void *row;
    UT_hash_handle hh;
};

struct reference {
    int count;
    int64_t epoch;
    PGresult *rows;
    struct named *names;
    struct named *named; /* all of them, in one piece */
    struct reference_merchant *merchants;
    struct reference_terminal *terminals;
    struct reference_operator *operators;
    struct reference_rule *rules;
    size_t rule_count;
};

/* Where the next row of each table goes. */
struct loading {
    bool is_bad; /* a row that no reference can hold, or no memory for it */
    struct reference *reference;
    struct named *named;
    struct reference_merchant *merchant;
    struct reference_terminal *terminal;
    struct reference_operator *operator;
};

static bool name_make(char table, int32_t owner, const char *code, size_t size,
                      struct name *name_out)
{
    memset(name_out, 0, sizeof *name_out);
    if (size >= CODE_BYTES_MAX)
        return false;
    name_out->table = table;
    name_out->owner = owner;
    memcpy(name_out->code, code, size);
    return true;
}

static void name_add(struct loading *loading, char table, int32_t owner, const char *code,
                     void *row)
{
    struct named *named = loading->named++;
    if (!name_make(table, owner, code, strlen(code), &named->name))
        return;
    named->row = row;
    HASH_ADD(hh, loading->reference->names, name, sizeof named->name, named);
    loading->is_bad = loading->is_bad || !named->hh.tbl;
}

static const struct named *name_find(const struct reference *reference, char table, int32_t owner,
                                     const char *code, size_t size)
{
    struct name name;
    struct named *named = NULL;
    if (!name_make(table, owner, code, size, &name))
        return NULL;
    HASH_FIND(hh, reference->names, &name, sizeof name, named);
    return named;
}

static int32_t number(const PGresult *rows, int row, int column)
{
    return (int32_t)strtol(PQgetvalue(rows, row, column), NULL, 10);
}

static void merchant_load(struct loading *loading, const PGresult *rows, int row)
{
    struct reference_merchant *merchant = loading->merchant++;
    merchant->merchant_id = number(rows, row, 1);
    merchant->code = PQgetvalue(rows, row, 2);
    merchant->name = PQgetvalue(rows, row, 3);
    snprintf(merchant->currency, sizeof merchant->currency, "%s", PQgetvalue(rows, row, 4));
    name_add(loading, 'm', 0, merchant->code, merchant);
    name_add(loading, 'i', merchant->merchant_id, "", merchant);
}

/* Hexadecimal, with spaces between them. */
static bool certificates_load(const char *text, struct reference_terminal *terminal)
{
    char hex[2 * HASH_BYTES + 1];
    while (*text && terminal->certificate_count < REFERENCE_CERTIFICATES_MAX) {
        snprintf(hex, sizeof hex, "%s", text);
        if (!hash_of_hex(hex, terminal->certificates_sha256[terminal->certificate_count++]))
            return false;
        text += strlen(hex);
        text += *text == ' ';
    }
    return !*text;
}

static void terminal_load(struct loading *loading, const PGresult *rows, int row)
{
    struct reference_terminal *terminal = loading->terminal++;
    terminal->terminal_id = number(rows, row, 1);
    terminal->merchant_id = number(rows, row, 2);
    terminal->code = PQgetvalue(rows, row, 3);
    terminal->store_id = number(rows, row, 4);
    terminal->channel = (int16_t)number(rows, row, 5);
    loading->is_bad |= !certificates_load(PQgetvalue(rows, row, 6), terminal);
    terminal->active = number(rows, row, 7);
    name_add(loading, 't', terminal->merchant_id, terminal->code, terminal);
}

static void operator_load(struct loading *loading, const PGresult *rows, int row)
{
    struct reference_operator *operator= loading->operator++;
    operator->operator_id = number(rows, row, 1);
    operator->name = PQgetvalue(rows, row, 2);
    loading->is_bad |= !hash_of_hex(PQgetvalue(rows, row, 3), operator->certificate_sha256);
    operator->active = number(rows, row, 4);
    name_add(loading, 'o', 0, operator->name, operator);
}

static void rule_load(struct loading *loading, const PGresult *rows, int row)
{
    struct reference_rule *rule = &loading->reference->rules[loading->reference->rule_count++];
    *rule = (struct reference_rule){
        .version = number(rows, row, 1),
        .merchant_id = number(rows, row, 2),
        .valid_from = number(rows, row, 3),
        .numerator = number(rows, row, 4),
        .denominator = number(rows, row, 5),
        .lifetime_months = number(rows, row, 6),
    };
    loading->is_bad |= rule->numerator < 0 || rule->denominator < 1 || rule->lifetime_months < 0 ||
                       rule->lifetime_months > LIFETIME_MONTHS_MAX;
}

static void row_load(struct loading *loading, const PGresult *rows, int row)
{
    switch (*PQgetvalue(rows, row, 0)) {
    case 'e': loading->reference->epoch = strtoll(PQgetvalue(rows, row, 1), NULL, 10); break;
    case 'm': merchant_load(loading, rows, row); break;
    case 's':
        loading->named->id = number(rows, row, 1);
        name_add(loading, 's', number(rows, row, 2), PQgetvalue(rows, row, 3), NULL);
        break;
    case 't': terminal_load(loading, rows, row); break;
    case 'o': operator_load(loading, rows, row); break;
    case 'r': rule_load(loading, rows, row); break;
    }
}

static int version_compare(const void *a, const void *b)
{
    const struct reference_rule *x = a, *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

struct reference *reference_load(const PGresult *result)
{
    struct reference *reference = calloc(1, sizeof *reference);
    if (!reference)
        return NULL;
    PGresult *rows = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    size_t count = (size_t)PQntuples(rows);
    reference->count = 1;
    reference->rows = rows;
    reference->merchants = calloc(count + 1, sizeof *reference->merchants);
    reference->terminals = calloc(count + 1, sizeof *reference->terminals);
    reference->operators = calloc(count + 1, sizeof *reference->operators);
    reference->rules = calloc(count + 1, sizeof *reference->rules);
    reference->named = calloc(2 * count + 1, sizeof *reference->named);
    struct loading loading = {false,
                              reference,
                              reference->named,
                              reference->merchants,
                              reference->terminals,
                              reference->operators};
    loading.is_bad = !rows || !reference->merchants || !reference->terminals ||
                     !reference->operators || !reference->rules || !reference->named;
    for (int row = 0; !loading.is_bad && row < (int)count; row++)
        row_load(&loading, rows, row);
    if (loading.is_bad)
        reference_release(&reference);
    else if (reference->rule_count)
        qsort(reference->rules, reference->rule_count, sizeof *reference->rules, version_compare);
    return reference;
}

struct reference *reference_hold(struct reference *reference)
{
    reference->count++;
    return reference;
}

void reference_release(struct reference **reference_in)
{
    struct reference *reference = *reference_in;
    *reference_in = NULL;
    if (!reference || --reference->count)
        return;
    HASH_CLEAR(hh, reference->names);
    PQclear(reference->rows);
    free(reference->named);
    free(reference->merchants);
    free(reference->terminals);
    free(reference->operators);
    free(reference->rules);
    free(reference);
}

int64_t reference_epoch(const struct reference *reference)
{
    return reference->epoch;
}

static void *row_of(const struct reference *reference, char table, int32_t owner, const char *code)
{
    const struct named *named = name_find(reference, table, owner, code, strlen(code));
    return named ? named->row : NULL;
}

const struct reference_merchant *reference_merchant_by_code(const struct reference *reference,
                                                            const char *code)
{
    return row_of(reference, 'm', 0, code);
}

const struct reference_merchant *reference_merchant_by_id(const struct reference *reference,
                                                          int32_t merchant_id)
{
    return row_of(reference, 'i', merchant_id, "");
}

const struct reference_terminal *reference_terminal_by_code(const struct reference *reference,
                                                            int32_t merchant_id, const char *code)
{
    return row_of(reference, 't', merchant_id, code);
}

bool reference_terminal_has(const struct reference_terminal *terminal,
                            const uint8_t certificate_sha256[32])
{
    for (int i = 0; i < terminal->certificate_count; i++)
        if (memcmp(terminal->certificates_sha256[i], certificate_sha256, HASH_BYTES) == 0)
            return true;
    return false;
}

const struct reference_operator *reference_operator_by_name(const struct reference *reference,
                                                            const char *name)
{
    return row_of(reference, 'o', 0, name);
}

int32_t reference_store_id(const struct reference *reference, int32_t merchant_id, const char *code,
                           size_t code_size)
{
    const struct named *named = name_find(reference, 's', merchant_id, code, code_size);
    return named ? named->id : 0;
}

const struct reference_rule *reference_rule_of(const struct reference *reference,
                                               int32_t merchant_id, int32_t day)
{
    const struct reference_rule *best = NULL;
    for (size_t i = 0; i < reference->rule_count; i++) {
        const struct reference_rule *rule = &reference->rules[i];
        if (rule->merchant_id == merchant_id && rule->valid_from <= day &&
            (!best || rule->valid_from >= best->valid_from))
            best = rule;
    }
    return best;
}

const struct reference_rule *reference_rules(const struct reference *reference, size_t *count_out)
{
    *count_out = reference->rule_count;
    return reference->rules;
}
