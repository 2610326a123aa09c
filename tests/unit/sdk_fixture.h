/* What the tests of the SDK against a scripted server share. Included after cmocka.h. */
#pragma once

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "loyal/loyal.h"
#include "outcome.h"
#include "support/fake_server.h"

static struct fake_certificates certificates;

/* What the server's thread notes for the test; read after an answer has come of it. */
struct script {
    int mode;
    uint8_t keys[8][16];
    unsigned key_count;
    uint64_t held_id;
    uint32_t deadline_ms;
};

static struct script script;
static struct fake_server server;

/* Of what is to succeed, however slowly this machine or valgrind runs it. */
#define DEADLINE_MS 30000

/* Of what is to run out of time, after it has come half-way: LOYAL_SLOW times as long. */
static inline uint32_t short_ms(uint32_t ms)
{
    const char *slow = getenv("LOYAL_SLOW");
    return ms * (slow != NULL ? (uint32_t)atoi(slow) : 1);
}

static inline struct loyal_options options_make(void)
{
    return (struct loyal_options){.host = "127.0.0.1",
                                  .port = server.port,
                                  .certificate_file = certificates.client,
                                  .key_file = certificates.client,
                                  .authority_file = certificates.authority,
                                  .merchant = "acme",
                                  .deadline_ms = DEADLINE_MS,
                                  .connect_timeout_ms = DEADLINE_MS};
}

static inline struct loyal_client *client_make(const struct loyal_options *options)
{
    char error[200] = "";
    struct loyal_client *client = loyal_client_create(options, error, sizeof error);
    if (client == NULL)
        fail_msg("%s", error);
    return client;
}

static inline void start(fake_handler *hello, fake_handler *handler)
{
    memset(&script, 0, sizeof script);
    server.hello = hello;
    server.handler = handler;
    server.context = &script;
    fake_server_start(&server, &certificates);
}

static inline void stop(struct loyal_client **client)
{
    loyal_client_destroy(client);
    assert_null(*client);
    fake_server_stop(&server);
}

static const struct loyal_request PING = {.verb = LOYAL_PING};

/* What a callback has seen. */
struct seen {
    unsigned count, ok;
    enum loyal_kind kind;
    enum loyal_code code;
    uint32_t attempts;
};

static inline void note(void *context, const struct loyal_answer *answer)
{
    struct seen *seen = context;
    seen->count++;
    seen->ok += answer->kind == LOYAL_OK;
    seen->kind = answer->kind;
    seen->code = answer->code;
    seen->attempts = answer->attempts;
    assert_non_null(answer->text);
    assert_non_null(answer->field);
}

/* Whose loop turns: the library's, or one of the test's own. */
static bool is_driven;

static inline int turn(struct loyal_client *client, int timeout_ms)
{
    if (!is_driven)
        return loyal_poll(client, timeout_ms);
    struct pollfd fd = {.fd = loyal_client_fd(client), .events = POLLIN};
    assert_true(fd.fd >= 0);
    int wait_ms = loyal_client_timeout_ms(client);
    assert_true(poll(&fd, 1, wait_ms < 0 || wait_ms > timeout_ms ? timeout_ms : wait_ms) >= 0);
    return loyal_client_drive(client);
}

static inline void poll_until(struct loyal_client *client, const struct seen *seen, unsigned count)
{
    for (int turns = 0; turns < 2000 && seen->count < count; turns++)
        (void)turn(client, 10);
    assert_int_equal(seen->count, count);
}

static inline bool pong(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    noted->deadline_ms = request->deadline_ms;
    fake_send_pong(peer, request->id, FAKE_TIME_US + 1000000);
    return true;
}

static inline int certificates_make(void **state)
{
    (void)state;
    fake_certificates_make(&certificates);
    return 0;
}

static inline int certificates_remove(void **state)
{
    (void)state;
    fake_certificates_remove(&certificates);
    return 0;
}
