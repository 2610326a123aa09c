/* Owns the tests of bytes: frames, the wire cursor, what hostile bytes can do to the validator, and
 * the body hash (R32). Run by tests/run; needs no daemon and no database.
 * The rules of each field are in test_validate.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "body_hash.h"
#include "frame.h"
#include "loyal/v1/envelope.pb-c.h"
#include "validate.h"
#include "wire.h"

#define REQUEST       (&loyal__v1__request__descriptor)
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* --- frames --- */

static void frame_header_round_trips(void **state)
{
    (void)state;
    static const uint32_t LENGTHS[] = {1, 255, 256, 65535, 65536, 16777216, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(LENGTHS); i++) {
        uint8_t header[FRAME_HEADER_BYTES];
        uint32_t length;
        frame_put_header(header, LENGTHS[i]);
        assert_int_equal(frame_peek(header, sizeof(header), UINT32_MAX, &length), FRAME_NEED_MORE);
        assert_int_equal(length, LENGTHS[i]);
    }
    uint8_t header[FRAME_HEADER_BYTES];
    frame_put_header(header, 0x01020304);
    assert_memory_equal(header, "\1\2\3\4", sizeof(header));
}

static void frame_is_ready_at_its_last_byte_and_not_before(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_HEADER_BYTES + 300 + 7] = {0};
    uint32_t length;
    frame_put_header(bytes, 300);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        enum frame_state expected = n < FRAME_HEADER_BYTES + 300 ? FRAME_NEED_MORE : FRAME_READY;
        assert_int_equal(frame_peek(bytes, n, FRAME_REQUEST_BYTES_MAX, &length), expected);
        assert_int_equal(length, n < FRAME_HEADER_BYTES ? 0 : 300);
    }
}

static void frame_of_length_0_is_empty(void **state)
{
    (void)state;
    uint32_t length = 1;
    assert_int_equal(frame_peek((const uint8_t *)"\0\0\0\0", 4, 65536, &length), FRAME_EMPTY);
    assert_int_equal(length, 0);
    assert_int_equal(frame_peek((const uint8_t *)"\0\0\0", 3, 65536, &length), FRAME_NEED_MORE);
}

static void frame_too_long_is_known_from_its_header(void **state)
{
    (void)state;
    uint8_t header[FRAME_HEADER_BYTES];
    uint32_t length;
    frame_put_header(header, FRAME_REQUEST_BYTES_MAX);
    assert_int_equal(frame_peek(header, 4, FRAME_REQUEST_BYTES_MAX, &length), FRAME_NEED_MORE);
    frame_put_header(header, FRAME_REQUEST_BYTES_MAX + 1);
    assert_int_equal(frame_peek(header, 4, FRAME_REQUEST_BYTES_MAX, &length), FRAME_TOO_LONG);
    frame_put_header(header, UINT32_MAX);
    assert_int_equal(frame_peek(header, 4, FRAME_RESPONSE_BYTES_MAX, &length), FRAME_TOO_LONG);
}

/* --- the wire cursor --- */

static const char *wire_fault(const char *bytes, size_t n)
{
    struct wire wire = wire_of((const uint8_t *)bytes, n);
    struct wire_value value;
    while (wire_next(&wire, &value))
        ;
    assert_false(wire_next(&wire, &value));
    return wire.error;
}

#define READS(literal) assert_null(wire_fault(literal, sizeof(literal) - 1))
#define FAILS(literal) assert_non_null(wire_fault(literal, sizeof(literal) - 1))

static void wire_reads_each_type_and_refuses_the_rest(void **state)
{
    (void)state;
    READS("");
    READS("\x08\x00\x11"
          "12345678\x1a\x03"
          "abc\x25"
          "1234");
    FAILS("\x00\x01"); /* field number 0 */
    FAILS("\x0b\x0c"); /* a group */
    FAILS("\x0c");     /* the end of one */
    FAILS("\x0e\x01"); /* wire types 6 and 7 */
    FAILS("\x0f\x01");
    FAILS("\x11\x31\x32\x33"); /* cut in fixed 64 */
    FAILS("\x25\x31\x32\x33"); /* cut in fixed 32 */
    FAILS("\x0a\x03\x61\x62"); /* a length beyond the end */
    FAILS("\x0a\xff\xff\xff\xff\x0f");
}

static void wire_holds_varints_to_10_bytes_and_tags_to_5(void **state)
{
    (void)state;
    READS("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    FAILS("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    FAILS("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00");
    FAILS("\x08\x80");
    READS("\x88\x80\x80\x80\x00\x01");     /* a padded tag of 5 bytes */
    FAILS("\x88\x80\x80\x80\x80\x00\x01"); /* of 6 */
    FAILS("\xf8\xff\xff\xff\x1f\x01");     /* 33 bits */
    FAILS("\x0a\x80\x80\x80\x80\x80\x00"); /* a length of 6 bytes */
}

static void wire_utf8_is_strict(void **state)
{
    (void)state;
    static const char *GOOD[] = {"",
                                 "plain",
                                 "\xc2\x80",
                                 "\xdf\xbf",
                                 "\xe0\xa0\x80",
                                 "\xed\x9f\xbf",
                                 "\xee\x80\x80",
                                 "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80",
                                 "\xf4\x8f\xbf\xbf",
                                 "caf\xc3\xa9"};
    static const char *BAD[] = {"\x80",
                                "\xbf",
                                "\xc0\x80",
                                "\xc1\xbf",
                                "\xc2",
                                "\xc2\x41",
                                "\xe0\x80\x80",
                                "\xe0\x9f\xbf",
                                "\xe2\x82",
                                "\xed\xa0\x80",
                                "\xed\xbf\xbf",
                                "\xf0\x80\x80\x80",
                                "\xf0\x8f\xbf\xbf",
                                "\xf0\x9f\x98",
                                "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80",
                                "\xfe",
                                "\xff",
                                "\xe2\x82\x41",
                                "\xc3\xa9\xa9"};
    for (size_t i = 0; i < LENGTH(GOOD); i++)
        assert_true(wire_is_utf8((const uint8_t *)GOOD[i], strlen(GOOD[i])));
    for (size_t i = 0; i < LENGTH(BAD); i++)
        assert_false(wire_is_utf8((const uint8_t *)BAD[i], strlen(BAD[i])));
    assert_true(wire_is_utf8(NULL, 0));
}

/* --- hostile bytes before the validator --- */

struct bytes {
    size_t n;
    uint8_t at[FRAME_REQUEST_BYTES_MAX * 2 + 64];
};

struct hostile {
    struct bytes bytes;
    struct validation result;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct hostile));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void add_varint(struct bytes *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        to->at[to->n++] = (uint8_t)(value | 0x80);
    to->at[to->n++] = (uint8_t)value;
}

static void add_integer(struct bytes *to, uint32_t field, uint64_t value)
{
    add_varint(to, field << 3);
    add_varint(to, value);
}

static void add_bytes(struct bytes *to, uint32_t field, const void *bytes, size_t n)
{
    assert_true(to->n + n + 10 < sizeof(to->at));
    add_varint(to, field << 3 | 2);
    add_varint(to, n);
    if (n > 0)
        memcpy(to->at + to->n, bytes, n);
    to->n += n;
}

/* Request { id 1, field body { n bytes } } */
static void request_with(struct bytes *to, uint32_t field, const void *body, size_t n)
{
    to->n = 0;
    add_integer(to, 1, 1);
    add_bytes(to, field, body, n);
}

static bool check_bytes(struct hostile *f, const ProtobufCMessageDescriptor *type, unsigned flags)
{
    /* a copy of exact size: a sanitizer sees one byte read too far */
    uint8_t *exact = malloc(f->bytes.n > 0 ? f->bytes.n : 1);
    assert_non_null(exact);
    memcpy(exact, f->bytes.at, f->bytes.n);
    bool ok = validate_message(type, exact, f->bytes.n, flags, &f->result);
    free(exact);
    assert_int_equal(ok, f->result.ok);
    assert_int_equal(ok, f->result.fault == VALIDATION_NONE);
    return ok;
}

static void expect_bytes(struct hostile *f, enum validation_fault fault, const char *field)
{
    check_bytes(f, REQUEST, 0);
    if (f->result.fault != fault || strcmp(f->result.field, field) != 0)
        fail_msg("expected fault %d at \"%s\", got %d at \"%s\": %s", fault, field, f->result.fault,
                 f->result.field, f->result.text);
    assert_int_equal(f->result.text[0] == '\0', f->result.ok);
}

static void a_singular_field_comes_once(void **state)
{
    struct hostile *f = *state;
    request_with(&f->bytes, 11, NULL, 0);
    expect_bytes(f, VALIDATION_NONE, "");
    add_integer(&f->bytes, 1, 2);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "id");
    request_with(&f->bytes, 11, NULL, 0);
    add_bytes(&f->bytes, 11, NULL, 0);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "ping");
}

static void a_oneof_has_one_member(void **state)
{
    struct hostile *f = *state;
    request_with(&f->bytes, 11, NULL, 0);
    add_bytes(&f->bytes, 58, NULL, 0);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "get_status");
}

static void unknown_fields_and_messages_are_named(void **state)
{
    struct hostile *f = *state;
    request_with(&f->bytes, 70, NULL, 0);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "#70");
    request_with(&f->bytes, 11, "\x48\x01", 2);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "ping.#9");
    assert_int_equal(validate_peek_id(f->bytes.at, f->bytes.n), 1);
}

static void malformed_comes_before_invalid(void **state)
{
    struct hostile *f = *state;
    request_with(&f->bytes, 70, NULL, 0);
    add_bytes(&f->bytes, 11, "\x0b", 1);
    expect_bytes(f, VALIDATION_MALFORMED, "ping");
    request_with(&f->bytes, 70, NULL, 0);
    f->bytes.at[f->bytes.n++] = 0x00;
    f->bytes.at[f->bytes.n++] = 0x01;
    expect_bytes(f, VALIDATION_MALFORMED, "");
}

static void wrong_wire_types_are_malformed(void **state)
{
    struct hostile *f = *state;
    f->bytes.n = 0;
    add_bytes(&f->bytes, 1, "\x01", 1);
    expect_bytes(f, VALIDATION_MALFORMED, "id");
    request_with(&f->bytes, 10, "\x1d\x61\x62\x63\x64", 5);
    expect_bytes(f, VALIDATION_MALFORMED, "hello.merchant");
}

static void strings_are_utf8_without_nul(void **state)
{
    struct hostile *f = *state;
    static const char *BAD[] = {"a\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"};
    for (size_t i = 0; i < LENGTH(BAD); i++) {
        struct bytes hello = {.n = 0};
        add_bytes(&hello, 4, BAD[i], strlen(BAD[i]));
        request_with(&f->bytes, 10, hello.at, hello.n);
        expect_bytes(f, VALIDATION_INVALID_FIELD, "hello.software");
    }
    request_with(&f->bytes, 10, "\x22\x03\x61\x00\x62", 5);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "hello.software");
}

static void integers_are_in_the_range_of_their_type(void **state)
{
    struct hostile *f = *state;
    request_with(&f->bytes, 11, NULL, 0);
    add_integer(&f->bytes, 2, UINT32_MAX);
    expect_bytes(f, VALIDATION_NONE, "");
    request_with(&f->bytes, 11, NULL, 0);
    add_integer(&f->bytes, 2, (uint64_t)UINT32_MAX + 1);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "deadline_ms");
    request_with(&f->bytes, 60, "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12);
    expect_bytes(f, VALIDATION_MALFORMED, "check_conservation");
    Loyal__V1__ListMerchantsResponse list = LOYAL__V1__LIST_MERCHANTS_RESPONSE__INIT;
    f->bytes.n = 0;
    add_integer(&f->bytes, 2, 2); /* a bool of 2 */
    assert_false(check_bytes(f, list.base.descriptor, 0));
    assert_string_equal(f->result.field, "more");
}

static void full_of_empty_sub_messages(void **state)
{
    struct hostile *f = *state;
    static struct bytes lines, earn;
    lines.n = earn.n = 0;
    for (int i = 0; i < 32500; i++)
        add_bytes(&lines, 5, NULL, 0);
    add_bytes(&earn, 3, lines.at, lines.n);
    request_with(&f->bytes, 30, earn.at, earn.n);
    assert_true(f->bytes.n <= FRAME_REQUEST_BYTES_MAX);
    expect_bytes(f, VALIDATION_INVALID_FIELD, "earn.purchase.lines[0].quantity_milli");
}

/* --- reading what a newer server writes --- */

static void a_tolerant_reader_skips_what_it_does_not_know(void **state)
{
    struct hostile *f = *state;
    const ProtobufCMessageDescriptor *type = &loyal__v1__response__descriptor;
    f->bytes.n = 0;
    add_integer(&f->bytes, 1, 7);
    add_bytes(&f->bytes, 2, "\x08\x02\x10\xe7\x07", 5); /* kind 2, code 999 */
    add_bytes(&f->bytes, 90, "new", 3);
    assert_false(check_bytes(f, type, 0));
    assert_true(check_bytes(f, type, VALIDATE_ALLOW_UNKNOWN));
    add_bytes(&f->bytes, 30, "\x0a\x01r", 3); /* a ref of 1 byte */
    assert_false(check_bytes(f, type, VALIDATE_ALLOW_UNKNOWN));
    assert_string_equal(f->result.field, "earn.ref");
    f->bytes.n = 0;
    for (int i = 0; i < VALIDATE_ELEMENTS_TOLERANT_MAX; i++)
        add_integer(&f->bytes, 15, 0);
    assert_true(check_bytes(f, type, VALIDATE_ALLOW_UNKNOWN));
    add_integer(&f->bytes, 15, 0);
    assert_false(check_bytes(f, type, VALIDATE_ALLOW_UNKNOWN));
    f->bytes.n = 0;
    add_varint(&f->bytes, 90 << 3 | 3);
    assert_false(check_bytes(f, type, VALIDATE_ALLOW_UNKNOWN));
    assert_int_equal(f->result.fault, VALIDATION_MALFORMED);
}

/* --- shapes that no message of ours has yet --- */

static const ProtobufCMessageDescriptor RECURSIVE;
#define FIELD(name, id, label, type, descriptor)                        \
    {                                                                   \
        name, id, label, type, 0, 0, descriptor, NULL, 0, 0, NULL, NULL \
    }
static const ProtobufCFieldDescriptor RECURSIVE_FIELDS[] = {
    FIELD("down", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, &RECURSIVE),
    FIELD("numbers", 2, PROTOBUF_C_LABEL_REPEATED, PROTOBUF_C_TYPE_SINT32, NULL),
    FIELD("all", 3, PROTOBUF_C_LABEL_REPEATED, PROTOBUF_C_TYPE_MESSAGE, &RECURSIVE)};
static const unsigned RECURSIVE_BY_NAME[] = {2, 0, 1};
static const ProtobufCIntRange RECURSIVE_RANGES[] = {{1, 0}, {0, 3}};
static const ProtobufCMessageDescriptor RECURSIVE = {PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
                                                     "test.R",
                                                     "R",
                                                     "R",
                                                     "test",
                                                     sizeof(ProtobufCMessage),
                                                     3,
                                                     RECURSIVE_FIELDS,
                                                     RECURSIVE_BY_NAME,
                                                     1,
                                                     RECURSIVE_RANGES,
                                                     NULL,
                                                     NULL,
                                                     NULL,
                                                     NULL};

static void nesting_is_bounded(void **state)
{
    struct hostile *f = *state;
    struct bytes inner = {.n = 0};
    for (int depth = 1; depth <= VALIDATE_DEPTH_MAX + 1; depth++) {
        f->bytes.n = inner.n;
        memcpy(f->bytes.at, inner.at, inner.n);
        assert_int_equal(check_bytes(f, &RECURSIVE, 0), depth <= VALIDATE_DEPTH_MAX);
        inner.n = 0;
        add_bytes(&inner, 1, f->bytes.at, f->bytes.n);
    }
    assert_string_equal(f->result.field, "down.down.down.down.down.down.down.down");
}

static void elements_of_a_frame_are_bounded(void **state)
{
    struct hostile *f = *state;
    f->bytes.n = 0;
    for (int i = 0; i < VALIDATE_ELEMENTS_MAX; i++)
        add_bytes(&f->bytes, 3, NULL, 0);
    assert_true(check_bytes(f, &RECURSIVE, 0));
    add_bytes(&f->bytes, 3, NULL, 0);
    assert_false(check_bytes(f, &RECURSIVE, 0));
    assert_string_equal(f->result.field, "all");
}

static void packed_and_single_scalars_both_pass(void **state)
{
    struct hostile *f = *state;
    f->bytes.n = 0;
    add_integer(&f->bytes, 2, 5);
    add_bytes(&f->bytes, 2, "\x01\xff\xff\xff\xff\x0f", 6);
    assert_true(check_bytes(f, &RECURSIVE, 0));
    add_bytes(&f->bytes, 2, "\x01\xff\xff\xff\xff\x1f", 6);
    assert_false(check_bytes(f, &RECURSIVE, 0));
    assert_string_equal(f->result.field, "numbers[4]");
    add_bytes(&f->bytes, 2, "\x80", 1);
    assert_false(check_bytes(f, &RECURSIVE, 0));
    assert_int_equal(f->result.fault, VALIDATION_MALFORMED);
}

/* --- the body hash --- */

static uint8_t g_key[] = "\x01\x90\x00\x00\x00\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01";

static void hash_of(const ProtobufCMessage *message, uint8_t out[BODY_HASH_BYTES])
{
    body_hash(message, out);
}

static void assert_same_hash(const ProtobufCMessage *a, const ProtobufCMessage *b, bool same)
{
    uint8_t hash_a[BODY_HASH_BYTES], hash_b[BODY_HASH_BYTES];
    hash_of(a, hash_a);
    hash_of(b, hash_b);
    assert_int_equal(memcmp(hash_a, hash_b, BODY_HASH_BYTES) == 0, same);
}

/* A reversal from bytes: the wire's order and padding are what the tests vary. */
static Loyal__V1__ReverseRequest *reversal(const char *bytes, size_t n)
{
    Loyal__V1__ReverseRequest *message =
        loyal__v1__reverse_request__unpack(NULL, n, (const uint8_t *)bytes);
    assert_non_null(message);
    return message;
}
#define REVERSAL(literal) reversal(literal, sizeof(literal) - 1)

static void R32_body_hash_is_over_fields_not_over_wire_bytes(void **state)
{
    (void)state;
    /* kind 1, amount 5, occasion { store "s", part 0 left out } */
    Loyal__V1__ReverseRequest *plain = REVERSAL("\x20\x01\x30\x05\x3a\x03\x0a\x01s");
    /* other order, padded varints and lengths, defaults written out, another key */
    Loyal__V1__ReverseRequest *other =
        REVERSAL("\x3a\x85\x00\x0a\x01s\x20\x00\x30\x85\x80\x00\x20\x81\x00\x0a\x02kk\x1a\x00");
    assert_same_hash(&plain->base, &other->base, true);
    loyal__v1__reverse_request__free_unpacked(plain, NULL);
    loyal__v1__reverse_request__free_unpacked(other, NULL);
}

static void R32_body_hash_sees_every_change(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } CHANGES[] = {
#define BYTES(literal) {literal, sizeof(literal) - 1}
        BYTES("\x20\x01\x30\x05\x3a\x03\x0a\x01s"),
        BYTES("\x20\x02\x30\x05\x3a\x03\x0a\x01s"),         /* kind */
        BYTES("\x20\x01\x30\x06\x3a\x03\x0a\x01s"),         /* amount */
        BYTES("\x20\x01\x30\x00\x3a\x03\x0a\x01s"),         /* a oneof's 0 is not absence */
        BYTES("\x20\x01\x3a\x03\x0a\x01s"),                 /* no extent */
        BYTES("\x20\x01\x2a\x00\x3a\x03\x0a\x01s"),         /* the whole */
        BYTES("\x20\x01\x30\x05\x3a\x03\x0a\x01t"),         /* store */
        BYTES("\x20\x01\x30\x05\x3a\x03\x12\x01s"),         /* till instead of store */
        BYTES("\x20\x01\x30\x05\x3a\x05\x0a\x01s\x20\x01"), /* part */
        BYTES("\x20\x01\x30\x05\x3a\x00"),                  /* an empty occasion */
        BYTES("\x20\x01\x30\x05"),                          /* none */
        BYTES("\x1a\x01s\x20\x01\x30\x05\x3a\x03\x0a\x01s") /* original_key */
    };
    enum { N = LENGTH(CHANGES) };
    uint8_t hashes[N][BODY_HASH_BYTES];
    for (size_t i = 0; i < N; i++) {
        Loyal__V1__ReverseRequest *message = reversal(CHANGES[i].bytes, CHANGES[i].n);
        hash_of(&message->base, hashes[i]);
        loyal__v1__reverse_request__free_unpacked(message, NULL);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(hashes[i], hashes[k], BODY_HASH_BYTES);
    }
}

static void R32_body_hash_depends_on_message_and_order(void **state)
{
    (void)state;
    Loyal__V1__EarnRequest earn = LOYAL__V1__EARN_REQUEST__INIT;
    Loyal__V1__RedeemRequest redeem = LOYAL__V1__REDEEM_REQUEST__INIT;
    assert_same_hash(&earn.base, &redeem.base, false);

    Loyal__V1__Identifier card = LOYAL__V1__IDENTIFIER__INIT;
    Loyal__V1__Identifier mail = LOYAL__V1__IDENTIFIER__INIT;
    card.kind = LOYAL__V1__IDENTIFIER_KIND__IDENTIFIER_KIND_CARD;
    card.value = (char *)"1234";
    mail.kind = LOYAL__V1__IDENTIFIER_KIND__IDENTIFIER_KIND_EMAIL;
    mail.value = (char *)"a@b";
    Loyal__V1__Identifier *ab[] = {&card, &mail}, *ba[] = {&mail, &card};
    Loyal__V1__EnrolMemberRequest first = LOYAL__V1__ENROL_MEMBER_REQUEST__INIT;
    first.key = (ProtobufCBinaryData){16, g_key};
    first.identifiers = ab;
    first.n_identifiers = 2;
    Loyal__V1__EnrolMemberRequest second = first;
    second.key.len = 0;
    assert_same_hash(&first.base, &second.base, true);
    second.identifiers = ba;
    assert_same_hash(&first.base, &second.base, false);
    second = first;
    second.n_identifiers = 1;
    assert_same_hash(&first.base, &second.base, false);
}

static void R32_body_hash_is_a_stored_format(void **state)
{
    (void)state;
    /* sha256(01 | 00000017 "loyal.v1.ReverseRequest" | 00000004 01 0000000000000001
     *        | 00000006 01 0000000000000005 | 00000007 03 (00000001 02 00000001 73) 00000000
     *        | 00000000), first 16 bytes */
    static const uint8_t EXPECTED[BODY_HASH_BYTES] = {0x23, 0xf9, 0x5a, 0x8b, 0x08, 0x3d,
                                                      0x46, 0xa5, 0x43, 0x96, 0xf2, 0x29,
                                                      0x85, 0x42, 0xe0, 0x72};
    Loyal__V1__ReverseRequest *message = REVERSAL("\x20\x01\x30\x05\x3a\x03\x0a\x01s");
    uint8_t hash[BODY_HASH_BYTES];
    hash_of(&message->base, hash);
    assert_memory_equal(hash, EXPECTED, BODY_HASH_BYTES);
    loyal__v1__reverse_request__free_unpacked(message, NULL);
}

static void R32_body_hash_of_a_long_string_crosses_the_buffer(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    Loyal__V1__FindMemberRequest a = LOYAL__V1__FIND_MEMBER_REQUEST__INIT;
    Loyal__V1__FindMemberRequest b = LOYAL__V1__FIND_MEMBER_REQUEST__INIT;
    Loyal__V1__Identifier one = LOYAL__V1__IDENTIFIER__INIT, two = LOYAL__V1__IDENTIFIER__INIT;
    one.value = text;
    two.value = text + 1;
    a.identifier = &one;
    b.identifier = &two;
    assert_same_hash(&a.base, &b.base, false);
    two.value = text;
    assert_same_hash(&a.base, &b.base, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_header_round_trips),
        cmocka_unit_test(frame_is_ready_at_its_last_byte_and_not_before),
        cmocka_unit_test(frame_of_length_0_is_empty),
        cmocka_unit_test(frame_too_long_is_known_from_its_header),
        cmocka_unit_test(wire_reads_each_type_and_refuses_the_rest),
        cmocka_unit_test(wire_holds_varints_to_10_bytes_and_tags_to_5),
        cmocka_unit_test(wire_utf8_is_strict),
        TEST(a_singular_field_comes_once),
        TEST(a_oneof_has_one_member),
        TEST(unknown_fields_and_messages_are_named),
        TEST(malformed_comes_before_invalid),
        TEST(wrong_wire_types_are_malformed),
        TEST(strings_are_utf8_without_nul),
        TEST(integers_are_in_the_range_of_their_type),
        TEST(full_of_empty_sub_messages),
        TEST(a_tolerant_reader_skips_what_it_does_not_know),
        TEST(nesting_is_bounded),
        TEST(elements_of_a_frame_are_bounded),
        TEST(packed_and_single_scalars_both_pass),
        cmocka_unit_test(R32_body_hash_is_over_fields_not_over_wire_bytes),
        cmocka_unit_test(R32_body_hash_sees_every_change),
        cmocka_unit_test(R32_body_hash_depends_on_message_and_order),
        cmocka_unit_test(R32_body_hash_is_a_stored_format),
        cmocka_unit_test(R32_body_hash_of_a_long_string_crosses_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
