/* What the tests of the SDK's answers share: a response to be filled, its way over the wire, and
 * the box that it arrives in.
 *
 * Included by tests/unit/test_sdk_answer.c, test_sdk_network.c and test_sdk_record.c, after
 * cmocka.h. */
#ifndef TESTS_UNIT_SDK_ANSWER_FIXTURE_H
#define TESTS_UNIT_SDK_ANSWER_FIXTURE_H

#include "answer.h"
#include "outcome.h"

static uint8_t KEY[LOYAL_KEY_BYTES] = {9, [6] = 0x70, [8] = 0x80, [15] = 16};
static uint8_t REF[LOYAL_REF_BYTES] = {1, [16] = 17};

static struct answer_box box;
static struct failure failure;
static uint8_t bytes[4096];
static size_t size;
static Loyal__V1__Outcome outcome;
static Loyal__V1__Response response;

static inline int begin(void **state)
{
    (void)state;
    loyal__v1__response__init(&response);
    loyal__v1__outcome__init(&outcome);
    outcome.kind = OUTCOME_KIND(OK);
    outcome.code = OUTCOME_CODE(OK);
    response.id = 5;
    response.outcome = &outcome;
    return 0;
}

/* Over the wire and back. False also when the validator refuses it. */
static inline bool arrives(enum loyal_verb verb)
{
    uint64_t id = 0;
    size = loyal__v1__response__get_packed_size(&response);
    assert_in_range(size, 1, sizeof bytes);
    loyal__v1__response__pack(&response, bytes);
    const Loyal__V1__Response *got = sdk_answer_unpack(&box, bytes, size, &id, &failure);
    assert_int_equal(id, 5);
    return got != NULL && sdk_answer_fill(&box, verb, got);
}

#define BODY(name, NAME, Name)                             \
    Loyal__V1__##Name##Response body;                      \
    loyal__v1__##name##_response__init(&body);             \
    response.body_case = LOYAL__V1__RESPONSE__BODY_##NAME; \
    response.name = &body

static inline ProtobufCBinaryData data_of(uint8_t *from, size_t n)
{
    return (ProtobufCBinaryData){n, from};
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

#endif
