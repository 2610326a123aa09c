/* Owns the world of a harness: see world.h. Stands in for net/conn.c towards the sessions (by the
 * linker's --wrap), and looks at each answer as a client would. */
#include "fuzz/world.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/zone.h"
#include "frame.h"
#include "fuzz/database.h"
#include "engine/hints.h"
#include "fuzz/messages.h"
#include "fuzz/strain.h"
#include "outcome.h"
#include "rules.h"
#include "session/crowd.h"
#include "session/session.h"
#include "session/verb.h"
#include "validate.h"

#define TURNS_MAX    200
#define QUIET_MAX    4 /* turns without a move: some of them only make an event active */
#define REQUESTS_MAX 6 /* few, so that a few messages fill the pool */
#define QUEUE_MAX    5
#define HINTS_MAX    64
#define SECOND_US    INT64_C(1000000)
#define MEMBER_ID    1001

static struct {
    struct config *config;
    struct keyring *keyring;
    struct domain_clock *clock;
    struct shared_page *page;
    X509 *terminal, *operator;
    struct hints *hints;
    uint8_t hinted[HINTS_MAX][HASH_BYTES];
    size_t hint_count;
    uint8_t ref[REF_BYTES]; /* a member's, for merchant 1 */
} parts;

/* The session's connection: here it is the world itself. */
struct conn {
    bool is_gone, is_closing;
    int in_flight, paused;
    uint8_t *out;
    size_t out_size;
};

struct world {
    struct worker worker;
    struct conn conn;
    void *session;
    size_t sent, answered;
    size_t others; /* requests, of other sessions */
    uint8_t cursor[RULE_CURSOR_BYTES_MAX];
    size_t cursor_size;
};

static struct world *world_of(struct conn *conn)
{
    return (struct world *)((char *)conn - offsetof(struct world, conn));
}

/* ---- once ---- */

static int file_of(const char *text, size_t size)
{
    int fd = memfd_create("fuzz", 0);
    assert(fd >= 0 && write(fd, text, size) == (ssize_t)size && fchmod(fd, 0600) == 0);
    return fd;
}

static void extension_add(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_of(const char *san, uint8_t sha256_out[HASH_BYTES])
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert(certificate && key && X509_set_pubkey(certificate, key) == 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    extension_add(certificate, NID_ext_key_usage, "clientAuth");
    extension_add(certificate, NID_subject_alt_name, san);
    assert(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert(X509_digest(certificate, EVP_sha256(), sha256_out, NULL) == 1);
    EVP_PKEY_free(key);
    return certificate;
}

static void config_load(void)
{
    static const char text[] =
        "network = net\ntime_zone = \"Europe/London\"\ncountry_code = \"44\"\n"
        "certificate_file = c\nkey_file = k\nauthority_file = a\nkeyring_file = r\n"
        "postgres = \"dbname=p\"\npostgres_reader = \"dbname=p\"\n"
        "postgres_eraser = \"dbname=p\"\n";
    struct err err = {0};
    char path[40];
    int fd = file_of(text, sizeof text - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    parts.config = config_create(path, &err);
    if (!parts.config)
        fprintf(stderr, "%s\n", err.text);
    assert(parts.config && zone_init(parts.config->time_zone, &err));
    close(fd);
}

static void keyring_load(void)
{
    static const char text[] =
        "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        "2 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n";
    struct err err = {0};
    char path[40];
    int fd = file_of(text, sizeof text - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    parts.keyring = keyring_create(path, &err);
    if (!parts.keyring)
        fprintf(stderr, "%s\n", err.text);
    assert(parts.keyring);
    close(fd);
}

static void clock_load(void)
{
    int64_t now_us = FAKE_NOW_US;
    struct err err = {0};
    char spec[60], text[sizeof now_us];
    memcpy(text, &now_us, sizeof text);
    int fd = file_of(text, sizeof text);
    snprintf(spec, sizeof spec, "file:/proc/self/fd/%d", fd);
    parts.clock = domain_clock_create(spec, &err);
    assert(parts.clock);
    close(fd);
}

/* Each piece of memory for it is missed once: then there is no table but a cause, or it did
 * without.
 */
static void refs_make(void)
{
    struct ref_table *table = NULL;
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct err err = {0};
        ref_table_destroy(&table);
        memory_fail(n);
        table = ref_table_create(parts.keyring, &err);
        has_failed = memory_has_failed();
        assert(!table == (err.text[0] != '\0') && (table || has_failed));
    }
    memory_fail(0);
    assert(ref_make(table, 1, MEMBER_ID, parts.ref));
    ref_table_destroy(&table);
}

void world_init(void)
{
    strain_init();
    struct err err = {0};
    uint8_t terminal[HASH_BYTES], operator[HASH_BYTES];
    parts.terminal = certificate_of("URI:loyal://net/merchant/alpha/terminal/t1", terminal);
    parts.operator= certificate_of("URI:loyal://net/operator/ann", operator);
    database_know(terminal, operator);
    config_load();
    keyring_load();
    clock_load();
    parts.page = shared_page_create(1, &err);
    assert(parts.page);
    refs_make();
    messages_make();
}

/* ---- what the sessions call in place of net/conn.c ---- */

void __wrap_conn_welcome(struct conn *conn);
uint8_t *__wrap_conn_reserve(struct conn *conn, size_t size);
void __wrap_conn_commit(struct conn *conn, size_t size);
void __wrap_conn_request_begins(struct conn *conn);
void __wrap_conn_request_ends(struct conn *conn);
void __wrap_conn_pause(struct conn *conn);
void __wrap_conn_resume(struct conn *conn);
void __wrap_conn_rest(struct conn *conn);
void __wrap_conn_wake(struct conn *conn);
void __wrap_conn_close(struct conn *conn);
void __wrap_conn_abort(struct conn *conn);
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
    printf_like(3, 4);

void __wrap_conn_welcome(struct conn *conn)
{
    assert(!conn->is_gone);
}

uint8_t *__wrap_conn_reserve(struct conn *conn, size_t size)
{
    assert(!conn->is_gone && !conn->out);
    conn->out = malloc(size);
    conn->out_size = size;
    return conn->out;
}

/* What shows members is on record before it is sent (R40). */
static bool is_recorded(const struct verb *verb, Loyal__V1__Response__BodyCase body)
{
    return (verb && verb->writes) || body == LOYAL__V1__RESPONSE__BODY_QUERY_PURCHASES ||
           body == LOYAL__V1__RESPONSE__BODY_LIST_MEMBERS_NEVER_MET ||
           body == LOYAL__V1__RESPONSE__BODY_COUNT_MEMBERS ||
           body == LOYAL__V1__RESPONSE__BODY_EXPORT_MEMBER;
}

/* What is recorded is answered OK only once something was committed. */
static void answer_check(struct world *world, const Loyal__V1__Response *response)
{
    const struct verb *verb = verb_of((Loyal__V1__Request__BodyCase)response->body_case);
    const Loyal__V1__Outcome *outcome = response->outcome;
    bool is_ok = outcome->kind == OUTCOME_KIND(OK);
    assert(outcome_of(outcome->code) && outcome_of(outcome->code)->kind == outcome->kind);
    assert(is_ok == (outcome->code == OUTCOME_CODE(OK)));
    assert((outcome->kind == OUTCOME_KIND(RETRY)) == (outcome->retry_after_ms > 0));
    assert(!is_ok || response->body_case != LOYAL__V1__RESPONSE__BODY__NOT_SET);
    assert(!is_ok || !is_recorded(verb, response->body_case) || database_has_committed());
    world->answered++;
}

static void cursor_keep(struct world *world, const ProtobufCMessage *body)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "cursor");
    if (!field)
        return;
    const ProtobufCBinaryData *cursor = (const void *)((const char *)body + field->offset);
    world->cursor_size = cursor->len;
    assert(cursor->len <= sizeof world->cursor);
    if (cursor->len)
        memcpy(world->cursor, cursor->data, cursor->len);
}

void __wrap_conn_commit(struct conn *conn, size_t size)
{
    struct world *world = world_of(conn);
    uint32_t length;
    assert(size == conn->out_size &&
           frame_peek(conn->out, size, FRAME_RESPONSE_BYTES_MAX, &length) == FRAME_READY &&
           length + FRAME_HEADER_BYTES == size);
    Loyal__V1__Response *response =
        loyal__v1__response__unpack(NULL, length, conn->out + FRAME_HEADER_BYTES);
    assert(response && response->outcome);
    answer_check(world, response);
    if (response->body_case != LOYAL__V1__RESPONSE__BODY__NOT_SET)
        cursor_keep(world, (const ProtobufCMessage *)response->hello);
    loyal__v1__response__free_unpacked(response, NULL);
    free(conn->out);
    conn->out = NULL;
}

void __wrap_conn_request_begins(struct conn *conn)
{
    conn->in_flight++;
}

void __wrap_conn_request_ends(struct conn *conn)
{
    assert(conn->in_flight > 0);
    conn->in_flight--;
}

void __wrap_conn_pause(struct conn *conn)
{
    conn->paused = true;
}

void __wrap_conn_resume(struct conn *conn)
{
    conn->paused = false;
}

void __wrap_conn_rest(struct conn *conn)
{
    (void)conn; /* its frames are here already */
}

void __wrap_conn_wake(struct conn *conn)
{
    (void)conn;
}

void __wrap_conn_close(struct conn *conn)
{
    conn->is_closing = true;
}

void __wrap_conn_abort(struct conn *conn)
{
    conn->is_closing = true;
}

/* Written, but nowhere. */
void __wrap_log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert(level <= LOG_LEVEL_DEBUG && *event);
}

/* The table of hints is large: one for all inputs, emptied where it was written. */
struct hints *__real_hints_create(void);
void __real_hints_put(struct hints *hints, const uint8_t hash[HASH_BYTES], int64_t member_id);
struct hints *__wrap_hints_create(void);
void __wrap_hints_destroy(struct hints **hints);
void __wrap_hints_put(struct hints *hints, const uint8_t hash[HASH_BYTES], int64_t member_id);

struct hints *__wrap_hints_create(void)
{
    if (!parts.hints)
        parts.hints = __real_hints_create();
    return parts.hints;
}

void __wrap_hints_put(struct hints *hints, const uint8_t hash[HASH_BYTES], int64_t member_id)
{
    memcpy(parts.hinted[parts.hint_count++], hash, HASH_BYTES);
    assert(parts.hint_count < HINTS_MAX);
    __real_hints_put(hints, hash, member_id);
}

void __wrap_hints_destroy(struct hints **hints)
{
    while (parts.hint_count > 0)
        hints_drop(parts.hints, parts.hinted[--parts.hint_count]);
    *hints = NULL;
}

/* ---- life ---- */

static void engine_open(struct world *world)
{
    struct worker *worker = &world->worker;
    struct err err = {0};
    struct engine_options options = {
        .conninfo = "",
        .reader_conninfo = "",
        .eraser_conninfo = "",
        .lanes = 1,
        .batch_max = 16,
        .queue_max = QUEUE_MAX,
        .lock_timeout_ms = 1000,
        .statement_timeout_ms = 1000,
        .terms = {.key_age_us_max = KEY_AGE_DAYS_MAX * 86400 * SECOND_US,
                  .key_ahead_us_max = KEY_AHEAD_S_MAX * SECOND_US},
        .stats = worker->stats,
        .reference_changed = session_reference_changed,
        .ctx = worker,
    };
    worker->engine = engine_create(worker->base, worker->clock, &options, &err);
    assert(worker->engine);
}

struct world *world_begin(bool is_operator, struct input *script, bool lies_early)
{
    struct world *world = calloc(1, sizeof *world);
    struct err err = {0};
    assert(world);
    strain_begin();
    struct worker *worker = &world->worker;
    worker->base = event_base_new();
    worker->config = parts.config;
    worker->clock = parts.clock;
    worker->keyring = parts.keyring;
    worker->page = parts.page;
    worker->stats = &parts.page->slots[0].stats;
    worker->refs = ref_table_create(parts.keyring, &err);
    worker->quota = quota_create(10);
    worker->request_max = REQUESTS_MAX;
    TAILQ_INIT(&worker->sessions);
    TAILQ_INIT(&worker->spare);
    TAILQ_INIT(&worker->strangers);
    TAILQ_INIT(&worker->latecomers);
    assert(worker->base && worker->refs && worker->quota && crowd_create(worker));
    crowd_tick(worker);
    database_begin(script, lies_early);
    engine_open(world);
    world_turn(world);
    world->session = session_handler.opened(worker, &world->conn,
                                            is_operator ? parts.operator: parts.terminal);
    assert(world->session);
    return world;
}

void world_crowd(struct world *world)
{
    world->others = REQUESTS_MAX - 1;
    world->worker.request_count += world->others;
    world->worker.spare_count += REQUESTS_SPARE; /* and are not the only ones there ever were */
}

void world_pass(struct world *world, int64_t ms)
{
    time_pass(world->worker.base, ms);
    crowd_tick(&world->worker);
    request_expire_all(&world->worker);
}

void world_turn(struct world *world)
{
    unsigned long before = 0;
    for (int i = 0, quiet = 0; i < TURNS_MAX && quiet < QUIET_MAX; i++) {
        event_base_loop(world->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        quiet = database_moves() == before ? quiet + 1 : 0;
        before = database_moves();
    }
}

void world_end(struct world *world)
{
    struct worker *worker = &world->worker;
    world_turn(world);
    engine_destroy(&worker->engine);
    memory_fail(0);
    assert(world->conn.in_flight == 0 && world->sent == world->answered);
    assert(worker->request_count == world->others);
    world->conn.is_gone = true;
    session_handler.closed(world->session);
    assert(TAILQ_EMPTY(&worker->sessions));
    request_pool_free(worker);
    ref_table_destroy(&worker->refs);
    quota_destroy(&worker->quota);
    crowd_destroy(worker);
    event_base_free(worker->base);
    free(world);
}

/* ---- messages ---- */

static bool takes_frames(const struct world *world)
{
    return !world->conn.is_closing && !world->conn.paused;
}

static void receive(struct world *world, const uint8_t *bytes, size_t size)
{
    static const uint8_t ref[1 + REF_BYTES] = {REF_BYTES};
    if (!takes_frames(world) || size == 0)
        return;
    uint8_t *exact = malloc(size), *found;
    assert(exact);
    memcpy(exact, bytes, size);
    while ((found = memmem(exact, size, ref, sizeof ref)))
        memcpy(found + 1, parts.ref, REF_BYTES);
    world->sent++;
    session_handler.frame(world->session, exact, size);
    free(exact);
}

void world_greet(struct world *world)
{
    Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
    Loyal__V1__HelloRequest hello = LOYAL__V1__HELLO_REQUEST__INIT;
    uint8_t bytes[100] = {0};
    const struct session *session = world->session;
    request.id = 1;
    request.body_case = LOYAL__V1__REQUEST__BODY_HELLO;
    request.hello = &hello;
    hello.version_min = hello.version_max = PROTOCOL_VERSION;
    hello.merchant = (char *)(uintptr_t)session->identity.merchant;
    assert(loyal__v1__request__get_packed_size(&request) <= sizeof bytes);
    receive(world, bytes, loyal__v1__request__pack(&request, bytes));
    world_turn(world);
}

/* The message with the cursor that was answered last, none at first; NULL: it asks for none. */
static uint8_t *with_cursor(const struct world *world, const uint8_t *bytes, size_t *size)
{
    struct validation validation;
    if (!validate_message(&loyal__v1__request__descriptor, bytes, *size, 0, &validation))
        return NULL;
    Loyal__V1__Request *request = loyal__v1__request__unpack(NULL, *size, bytes);
    ProtobufCMessage *body = (ProtobufCMessage *)request->hello;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "cursor");
    ProtobufCBinaryData *cursor = field ? (void *)((char *)body + field->offset) : NULL;
    uint8_t *packed = NULL;
    if (cursor && cursor->len == 1) {
        ProtobufCBinaryData kept = *cursor;
        *cursor = (ProtobufCBinaryData){world->cursor_size, (uint8_t *)(uintptr_t)world->cursor};
        packed = malloc(loyal__v1__request__get_packed_size(request));
        assert(packed);
        *size = loyal__v1__request__pack(request, packed);
        *cursor = kept;
    }
    loyal__v1__request__free_unpacked(request, NULL);
    return packed;
}

void world_send(struct world *world, const uint8_t *bytes, size_t size)
{
    uint8_t *changed = with_cursor(world, bytes, &size);
    receive(world, changed ? changed : bytes, size);
    free(changed);
}
