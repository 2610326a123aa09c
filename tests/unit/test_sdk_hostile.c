/* The SDK against servers that talk nonsense: nothing of it is ever taken for an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/sdk_fixture.h"

enum nonsense {
    OVERSIZED,
    EMPTY,
    GARBAGE,
    NEVER_SENT_ID,
    TRUNCATED,
    OTHER_BODY,
    NO_OUTCOME,
    ID_ZERO,
    NONSENSE_COUNT
};

static bool talks_nonsense(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    const struct script *noted = context;
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    switch ((enum nonsense)noted->mode) {
    case OVERSIZED: fake_send_bytes(peer, "\xff\xff\xff\xff", 4); return true;
    case EMPTY: fake_send_bytes(peer, "\0\0\0\0", 4); return true;
    case GARBAGE: fake_send_bytes(peer, "\0\0\0\5\xff\xff\xff\xff\xff", 9); return true;
    case NEVER_SENT_ID: fake_send_pong(peer, UINT64_MAX, 1); return true;
    case TRUNCATED: fake_send_bytes(peer, "\0\0\0\5\x08", 5); return false;
    case OTHER_BODY: fake_send_redeemed(peer, request->id); return true;
    case ID_ZERO: fake_send_outcome(peer, 0, LOYAL_REFUSED, LOYAL_CODE_MALFORMED); return false;
    case NO_OUTCOME:
        response.id = request->id;
        fake_send(peer, &response);
        return true;
    case NONSENSE_COUNT: break;
    }
    return false;
}

static void nonsense_is_never_taken_for_an_answer(void **state)
{
    (void)state;
    for (int mode = 0; mode < NONSENSE_COUNT; mode++) {
        const struct loyal_answer *answer = NULL;
        start(fake_welcome, talks_nonsense);
        script.mode = mode;
        struct loyal_options options = options_make();
        if (mode == TRUNCATED)
            options.deadline_ms = short_ms(500);
        struct loyal_client *client = client_make(&options);
        assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_UNKNOWN);
        enum loyal_code expected = mode == TRUNCATED ? LOYAL_CODE_TIMEOUT
                                   : mode == ID_ZERO ? LOYAL_CODE_MALFORMED
                                                     : LOYAL_CODE_PROTOCOL;
        assert_int_equal(answer->code, expected);
        stop(&client);
    }
}

static bool hello_nonsense(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    (void)request;
    (void)context;
    fake_send_bytes(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    return false;
}

static void another_protocol(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(hello_nonsense, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_RETRY); /* never sent */
    assert_int_equal(answer->code, LOYAL_CODE_PROTOCOL);
    stop(&client);
}

/* The answer in records of one byte. */
static bool drips(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    uint8_t frame[] = {0, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    size_t n = 5;
    (void)context;
    for (uint64_t id = request->id; id != 0; id >>= 7)
        frame[n++] = (uint8_t)((id & 0x7f) | (id > 0x7f ? 0x80 : 0));
    memcpy(frame + n, "\x12\x04\x08\x01\x10\x01\x5a\x00", 8); /* outcome OK, an empty pong */
    n += 8;
    frame[3] = (uint8_t)(n - 4);
    for (size_t i = 0; i < n; i++)
        fake_send_bytes(peer, frame + i, 1);
    return true;
}

static void an_answer_byte_by_byte(void **state)
{
    (void)state;
    start(fake_welcome, drips);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    for (int i = 0; i < 20; i++)
        assert_int_equal(loyal_call(client, &PING, NULL), LOYAL_OK);
    stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_is_never_taken_for_an_answer),
        cmocka_unit_test(another_protocol),
        cmocka_unit_test(an_answer_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
