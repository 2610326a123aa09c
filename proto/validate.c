/* Owns the walk over the wire bytes of a message; see validate.h. Called by server and SDK.
 * It never allocates, and it recurses at most VALIDATE_DEPTH_MAX deep.
 *
 * A level is one message being walked; the levels above it are the path that names its fields. The
 * first invalid field is noted and the walk goes on, because malformed bytes behind it matter more.
 */
#include "validate.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules.h"
#include "wire.h"

#define NO_INDEX UINT32_MAX

struct level {
    struct level *parent;
    const ProtobufCMessageDescriptor *type;
    const struct rule *rules; /* one a field, or NULL */
    unsigned depth;
    uint64_t seen;                      /* bit i: field i was on the wire */
    int64_t sizes[VALIDATE_FIELDS_MAX]; /* what a rule's min and max bound; 0 unless seen */
    /* where the walk stands, for the path */
    const char *name;
    uint32_t index;
};

struct walk {
    struct level *level;
    struct validation *out;
    unsigned flags;
    uint32_t elements_left;
    bool stopped;
    char unknown_name[16];
};

/* --- what is reported --- */

static size_t append_path(const struct level *level, char *out, size_t size)
{
    if (!level)
        return 0;
    size_t n = append_path(level->parent, out, size);
    if (!level->name || n >= size)
        return n;
    n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? "." : "", level->name);
    if (level->index != NO_INDEX && n < size)
        n += (size_t)snprintf(out + n, size - n, "[%u]", level->index);
    return n;
}

static void report(struct walk *walk, enum validation_fault fault)
{
    struct validation *out = walk->out;
    out->ok = false;
    out->fault = fault;
    out->field[0] = '\0';
    append_path(walk->level, out->field, sizeof(out->field));
}

__attribute__((format(printf, 2, 3))) static void note_invalid(struct walk *walk,
                                                               const char *format, ...)
{
    if (!walk->out->ok)
        return;
    report(walk, VALIDATION_INVALID_FIELD);
    va_list args;
    va_start(args, format);
    vsnprintf(walk->out->text, sizeof(walk->out->text), format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void stop_malformed(struct walk *walk,
                                                                 const char *format, ...)
{
    report(walk, VALIDATION_MALFORMED);
    walk->stopped = true;
    va_list args;
    va_start(args, format);
    vsnprintf(walk->out->text, sizeof(walk->out->text), format, args);
    va_end(args);
}

static bool is_tolerant(const struct walk *walk)
{
    return walk->flags & VALIDATE_ALLOW_UNKNOWN;
}

static bool take_element(struct walk *walk)
{
    if (walk->elements_left > 0) {
        walk->elements_left--;
        return true;
    }
    note_invalid(walk, "the message holds more than %d elements; send less at once",
                 is_tolerant(walk) ? VALIDATE_ELEMENTS_TOLERANT_MAX : VALIDATE_ELEMENTS_MAX);
    walk->stopped = true;
    return false;
}

/* --- values against their rule --- */

static bool is_date(int64_t yyyymmdd)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = yyyymmdd / 10000, month = yyyymmdd / 100 % 100, day = yyyymmdd % 100;
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= DAYS[month - 1] + (month == 2 && leap);
}

static bool is_code(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes[i];
        bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter_or_digit && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return n > 0;
}

static bool is_currency(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] < 'A' || bytes[i] > 'Z')
            return false;
    }
    return n == 3;
}

static bool is_uuid7(const uint8_t *bytes, size_t n)
{
    return n == RULE_KEY_BYTES && bytes[6] >> 4 == 7 && bytes[8] >> 6 == 2;
}

static void check_form(struct walk *walk, enum rule_form form, const struct wire_value *value,
                       int64_t size)
{
    switch (form) {
    case RULE_ANY: break;
    case RULE_UUID7:
        if (!is_uuid7(value->bytes, value->n))
            note_invalid(walk, "must be a UUIDv7: version nibble 7, variant bits 10");
        break;
    case RULE_CURRENCY:
        if (!is_currency(value->bytes, value->n))
            note_invalid(walk, "must be an ISO 4217 code: three capital letters");
        break;
    case RULE_CODE:
        if (!is_code(value->bytes, value->n))
            note_invalid(walk, "must be of a-z, 0-9, _ and -, and start with a letter or digit");
        break;
    case RULE_DATE:
        if (!is_date(size))
            note_invalid(walk, "must be a day of the calendar as yyyymmdd, is %lld",
                         (long long)size);
        break;
    }
}

static void check_range(struct walk *walk, const struct rule *rule, int64_t size, bool is_length)
{
    if (size >= rule->min && size <= rule->max)
        return;
    const char *verb = is_length ? "have" : "be";
    const char *unit = is_length ? " bytes" : "";
    if (rule->min == rule->max)
        note_invalid(walk, "must %s %lld%s, not %lld", verb, (long long)rule->min, unit,
                     (long long)size);
    else
        note_invalid(walk, "must %s %lld to %lld%s, not %lld", verb, (long long)rule->min,
                     (long long)rule->max, unit, (long long)size);
}

/* size is the value, or the length of a string or bytes field. Elements of repeated fields have no
 * rules of their own: the row bounds their count. */
static void apply_rule(struct walk *walk, unsigned i, const struct wire_value *value, int64_t size)
{
    struct level *level = walk->level;
    const ProtobufCFieldDescriptor *field = &level->type->fields[i];
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return;
    level->sizes[i] = size;
    bool is_default = size == 0 && !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
    if (!level->rules || is_default)
        return;
    const struct rule *rule = &level->rules[i];
    check_range(walk, rule, size,
                field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES);
    if (!is_tolerant(walk))
        check_form(walk, rule->form, value, size);
}

/* --- values against their type --- */

static enum wire_type wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64BIT;
    default: return WIRE_VARINT;
    }
}

static int64_t saturated(uint64_t raw)
{
    return raw > INT64_MAX ? INT64_MAX : (int64_t)raw;
}

static int64_t unzigzag(uint64_t raw)
{
    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

/* False when raw is not in the type's range. A uint64 above int64 is shown as INT64_MAX, a
 * floating-point number only as zero or not: no rule bounds either. */
static bool scalar_value(ProtobufCType type, uint64_t raw, int64_t *value_out)
{
    *value_out = (int64_t)raw;
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL: return raw <= 1;
    case PROTOBUF_C_TYPE_UINT32: return raw <= UINT32_MAX;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32: return *value_out >= INT32_MIN && *value_out <= INT32_MAX;
    case PROTOBUF_C_TYPE_SINT32: *value_out = unzigzag(raw); return raw <= UINT32_MAX;
    case PROTOBUF_C_TYPE_SINT64: *value_out = unzigzag(raw); return true;
    case PROTOBUF_C_TYPE_SFIXED32: *value_out = (int32_t)(uint32_t)raw; return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: *value_out = saturated(raw); return true;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: *value_out = raw != 0; return true;
    default: return true;
    }
}

static void check_scalar(struct walk *walk, unsigned i, uint64_t raw)
{
    const ProtobufCFieldDescriptor *field = &walk->level->type->fields[i];
    int64_t value;
    if (!scalar_value(field->type, raw, &value))
        note_invalid(walk, "is out of the range of its type");
    else if (field->type == PROTOBUF_C_TYPE_ENUM && !is_tolerant(walk) &&
             !protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value))
        note_invalid(walk, "has no value %lld", (long long)value);
    else
        apply_rule(walk, i, NULL, value);
}

static void walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type,
                         const uint8_t *bytes, size_t n);

static void check_bytes(struct walk *walk, unsigned i, const struct wire_value *value)
{
    const ProtobufCFieldDescriptor *field = &walk->level->type->fields[i];
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        walk->level->sizes[i] += field->label != PROTOBUF_C_LABEL_REPEATED;
        if (field->label == PROTOBUF_C_LABEL_REPEATED || take_element(walk))
            walk_message(walk, field->descriptor, value->bytes, value->n);
        return;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        if (!wire_is_utf8(value->bytes, value->n))
            note_invalid(walk, "must be UTF-8");
        else if (value->n > 0 && memchr(value->bytes, 0, value->n))
            note_invalid(walk, "must not hold a NUL");
    }
    apply_rule(walk, i, value, (int64_t)value->n);
}

/* --- fields --- */

/* Counts an element of a repeated field; false when the walk is over. */
static bool count_element(struct walk *walk, unsigned i)
{
    struct level *level = walk->level;
    level->index = NO_INDEX;
    if (!take_element(walk))
        return false;
    int64_t index = level->sizes[i]++;
    if (level->rules && index >= level->rules[i].max)
        note_invalid(walk, "must have at most %lld elements", (long long)level->rules[i].max);
    level->index = (uint32_t)index;
    return true;
}

static void check_packed(struct walk *walk, unsigned i, const struct wire_value *value)
{
    enum wire_type type = wire_type_of(walk->level->type->fields[i].type);
    struct wire wire = wire_of(value->bytes, value->n);
    uint64_t raw;
    while (!walk->stopped && wire_next_packed(&wire, type, &raw)) {
        if (count_element(walk, i))
            check_scalar(walk, i, raw);
    }
    if (wire.error)
        stop_malformed(walk, "%s", wire.error);
}

/* A singular field comes once, and of a oneof one member. */
static void check_single(struct walk *walk, unsigned i)
{
    const ProtobufCMessageDescriptor *type = walk->level->type;
    const ProtobufCFieldDescriptor *field = &type->fields[i];
    uint64_t seen = walk->level->seen;
    if (seen & UINT64_C(1) << i)
        note_invalid(walk, "is there twice");
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return;
    for (unsigned k = 0; k < type->n_fields; k++) {
        const ProtobufCFieldDescriptor *other = &type->fields[k];
        if (k != i && seen & UINT64_C(1) << k && other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
            other->quantifier_offset == field->quantifier_offset)
            note_invalid(walk, "must not come together with %s", other->name);
    }
}

static void read_known(struct walk *walk, unsigned i, const struct wire_value *value)
{
    struct level *level = walk->level;
    const ProtobufCFieldDescriptor *field = &level->type->fields[i];
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    enum wire_type expected = wire_type_of(field->type);
    level->name = field->name;
    if (!repeated)
        check_single(walk, i);
    level->seen |= UINT64_C(1) << i;
    if (repeated && expected != WIRE_BYTES && value->type == WIRE_BYTES)
        check_packed(walk, i, value);
    else if (value->type != expected)
        stop_malformed(walk, "has wire type %d, not %d", (int)value->type, (int)expected);
    else if (repeated && !count_element(walk, i))
        return;
    else if (expected == WIRE_BYTES)
        check_bytes(walk, i, value);
    else
        check_scalar(walk, i, value->scalar);
}

static void read_unknown(struct walk *walk, uint32_t number)
{
    snprintf(walk->unknown_name, sizeof(walk->unknown_name), "#%u", number);
    walk->level->name = walk->unknown_name;
    if (is_tolerant(walk))
        take_element(walk);
    else
        note_invalid(walk, "is no field of %s; this server may be older than the client",
                     walk->level->type->short_name);
}

/* --- what must be there, and together, at a message's end --- */

static bool is_present(const struct level *level, unsigned i)
{
    const ProtobufCFieldDescriptor *field = &level->type->fields[i];
    bool explicit = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    return (level->seen & UINT64_C(1) << i) && (explicit || level->sizes[i] != 0);
}

static unsigned index_of(const ProtobufCMessageDescriptor *type, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(type, name);
    assert(field);
    return (unsigned)(field - type->fields);
}

static void check_oneof(struct walk *walk, const struct rule_oneof *oneof)
{
    const struct level *level = walk->level;
    unsigned member = index_of(level->type, oneof->member);
    unsigned offset = level->type->fields[member].quantifier_offset;
    for (unsigned i = 0; i < level->type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &level->type->fields[i];
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && field->quantifier_offset == offset &&
            is_present(level, i))
            return;
    }
    walk->level->name = oneof->name;
    note_invalid(walk, "one of its members must be there, such as %s", oneof->member);
}

static void check_relation(struct walk *walk, const struct rule_relation *relation)
{
    struct level *level = walk->level;
    unsigned i = index_of(level->type, relation->field);
    unsigned other = index_of(level->type, relation->other);
    level->name = relation->field;
    if (relation->kind == RULE_AT_MOST && level->sizes[i] > level->sizes[other])
        note_invalid(walk, "must be at most %s", relation->other);
    if (relation->kind == RULE_ONLY_WITH && is_present(level, i) &&
        level->sizes[other] != relation->value)
        note_invalid(walk, "is of use only where %s is %lld", relation->other,
                     (long long)relation->value);
}

static void check_end(struct walk *walk)
{
    struct level *level = walk->level;
    size_t n;
    level->index = NO_INDEX;
    for (unsigned i = 0; i < level->type->n_fields; i++) {
        level->name = level->type->fields[i].name;
        if (level->rules[i].required && !is_present(level, i))
            note_invalid(walk, "must be there, and neither 0 nor empty");
    }
    const struct rule_oneof *oneofs = rule_oneofs(&n);
    for (size_t i = 0; i < n; i++) {
        if (oneofs[i].message == level->type)
            check_oneof(walk, &oneofs[i]);
    }
    const struct rule_relation *relations = rule_relations(&n);
    for (size_t i = 0; i < n; i++) {
        if (relations[i].message == level->type)
            check_relation(walk, &relations[i]);
    }
}

/* --- the walk --- */

static void read_fields(struct walk *walk, const uint8_t *bytes, size_t n)
{
    struct level *level = walk->level;
    struct wire wire = wire_of(bytes, n);
    struct wire_value value;
    while (!walk->stopped && wire_next(&wire, &value)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(level->type, value.number);
        level->index = NO_INDEX;
        if (field)
            read_known(walk, (unsigned)(field - level->type->fields), &value);
        else
            read_unknown(walk, value.number);
        if (!walk->stopped)
            level->name = NULL;
    }
    level->index = NO_INDEX;
    if (wire.error)
        stop_malformed(walk, "%s", wire.error);
}

static void walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type,
                         const uint8_t *bytes, size_t n)
{
    struct level level;
    assert(type->n_fields <= VALIDATE_FIELDS_MAX);
    level.parent = walk->level;
    level.type = type;
    level.rules = rules_of(type);
    level.depth = level.parent ? level.parent->depth + 1 : 1;
    level.seen = 0;
    memset(level.sizes, 0, type->n_fields * sizeof(level.sizes[0]));
    level.name = NULL;
    level.index = NO_INDEX;
    if (level.depth > VALIDATE_DEPTH_MAX) {
        note_invalid(walk, "is nested deeper than %d messages", VALIDATE_DEPTH_MAX);
        return;
    }
    walk->level = &level;
    read_fields(walk, bytes, n);
    if (!walk->stopped && level.rules && !is_tolerant(walk))
        check_end(walk);
    walk->level = level.parent;
}

bool validate_message(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
                      unsigned flags, struct validation *out)
{
    struct walk walk = {.out = out, .flags = flags, .elements_left = VALIDATE_ELEMENTS_MAX};
    if (is_tolerant(&walk))
        walk.elements_left = VALIDATE_ELEMENTS_TOLERANT_MAX;
    *out = (struct validation){.ok = true, .fault = VALIDATION_NONE};
    walk_message(&walk, type, bytes, n);
    return out->ok;
}

uint32_t validate_peek_body(const uint8_t *bytes, size_t n)
{
    struct wire wire = wire_of(bytes, n);
    struct wire_value value;
    while (wire_next(&wire, &value)) {
        if (value.type == WIRE_BYTES)
            return value.number;
    }
    return 0;
}

uint64_t validate_peek_id(const uint8_t *bytes, size_t n)
{
    struct wire wire = wire_of(bytes, n);
    struct wire_value value;
    while (wire_next(&wire, &value)) {
        if (value.number == 1 && value.type == WIRE_VARINT)
            return value.scalar;
    }
    return 0;
}
