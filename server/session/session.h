/* What the files of session/ share: a worker's sessions and their requests. Private to session/.
 * Lifetimes: a session lives until its connection is gone and its last request is answered; a
 * request from its frame to request_answer, which every path of a handler reaches exactly once. */
#pragma once

#include <sys/queue.h>

#include "base/arena.h"
#include "base/keyring.h"
#include "config/config.h"
#include "engine/desk.h"
#include "loyal/v1/envelope.pb-c.h"
#include "net/server.h"
#include "session/fsm.h"
#include "session/identity.h"
#include "session/limits.h"
#include "session/presence.h"
#include "session/quota.h"
#include "session/ref.h"
#include "store/statements.h"

struct verb;
struct request;
TAILQ_HEAD(request_list, request);

struct worker {
    struct event_base *base;
    const struct config *config;
    const struct domain_clock *clock;
    const struct keyring *keyring;
    struct shared_page *page;
    struct worker_stats *stats;
    struct engine *engine;
    struct net_server *net;
    struct ref_table *refs;
    struct quota *quota;
    TAILQ_HEAD(session_list, session) sessions;
    struct request_list spare;                      /* the pool */
    size_t request_count, request_max, spare_count; /* request_count: out of the pool */
    size_t request_bytes;                           /* of their arenas, as unpacked */
    size_t held_count; /* sessions that are not read until the pool has room again */
    TAILQ_HEAD(resting_list, session) resting; /* sessions that are not read for a moment */
    struct event *wake;                        /* while there are such */
    int refused, refused_of[CROWD_SLOTS];      /* in this tick; of merchants by merchant_id */
    struct request_list strangers;             /* Hellos that wait for the refresh under way */
    struct request_list latecomers;            /* and those that came after it began */
    bool is_refreshing;
    struct waiter refresh;
    unsigned ticks; /* of the worker's life */
    int32_t day;    /* a cache: the day of the instants from .. to */
    int64_t day_from_us, day_to_us;
};

struct session {
    TAILQ_ENTRY(session) in_worker;
    struct worker *worker;
    struct conn *conn; /* NULL: gone */
    enum session_state state;
    bool is_held;
    int64_t rests_until_us, refused_us; /* clock_monotonic_us; 0: it is read; was never */
    TAILQ_ENTRY(session) in_resting;
    struct identity identity;
    char *identity_fault;         /* why the certificate names nobody; NULL: it names somebody */
    struct request_list requests; /* unanswered */
    uint64_t request_id_max;      /* ids above it are surely new */
    /* of the reference, once welcomed */
    int32_t merchant_id, terminal_id; /* 0: an operator */
    int32_t operator_id, store_id;    /* 0: a terminal; any store */
    int16_t channel;
    char currency[4];
    struct presences *presences; /* NULL: none yet */
};

struct request {
    TAILQ_ENTRY(request) in_list; /* of its session, or of the spare ones */
    TAILQ_ENTRY(request) in_strangers;
    struct session *session;
    const struct verb *verb;
    uint64_t id;
    int64_t received_us, deadline_us; /* clock_monotonic_us */
    struct arena arena;
    size_t counted_bytes;         /* of it, in the worker's request_bytes */
    ProtobufCAllocator allocator; /* over the arena */
    Loyal__V1__Request *message;
    /* What target_find goes on with; lookup is gone once a query has begun. */
    void (*found)(struct request *request, const struct lookup *lookup);
    int64_t member_id;              /* once found, where the handler keeps it */
    bool by_identifier, is_posting; /* the member meant, of the verb's check; what the union is */
    bool is_answered, is_recording; /* too late already; the record of what it shows in COMMIT */
    uint8_t identifier_hash[HASH_BYTES];
    const char *store_code, *currency; /* of a posting; "": nowhere, NULL: no money */
    union {                            /* what the engine holds meanwhile */
        struct posting posting;
        struct lookup lookup;
        struct query query;
    };
    void *progress;          /* of a handler of several steps; in the arena */
    uint32_t retry_after_ms; /* what the engine told; 0: nothing */
};

/* An answer under construction; the body and what it points to live until it is sent. */
struct answer {
    int code;          /* of loyal.v1.ResultCode */
    const char *text;  /* NULL: the code's own */
    const char *field; /* NULL: the code's own */
    bool recorded;
    uint32_t retry_after_ms;      /* of kind RETRY; 0: the code's own */
    Loyal__V1__Response response; /* body_case and body */
};

/* ---- session.c ---- */
extern const struct conn_handler session_handler; /* ctx: the worker */
void session_drain_all(struct worker *worker, bool welcomed_only);
void session_reference_changed(void *ctx, struct reference *reference);
/* Whether the reference still gives the session its right. Fills merchant and terminal if asked. */
bool session_is_known(struct session *session, const struct reference *reference, bool fill);
/* A decoded request: finds and takes the step that it makes. */
void session_handle(struct request *request);
void session_step(struct request *request, enum session_event event);
/* The frame could not be read; the answer that says so follows. */
void session_garbled(struct session *session);
/* The database does not know him any more; the answer that says so follows. */
void session_lose_right(struct session *session);
/* Frees the session when neither connection nor request needs it. */
void session_release(struct session *session);

/* ---- hello.c ---- */
enum session_event hello_judge(struct request *request);
void hello_welcome(struct request *request);
void hello_refuse(struct request *request); /* NOT_IDENTIFIED */
void hello_refresh(struct request *request);

/* ---- request.c ---- */
/* Decodes one frame and hands it on, or answers what is wrong with it. */
void request_receive(struct session *session, const uint8_t *bytes, size_t size);
/* Answers and ends the request: it is gone afterwards. */
void request_answer(struct request *request, const struct answer *answer);
void request_answer_code(struct request *request, int code);
void request_expire_all(struct worker *worker); /* answers what the database did not in time */
void request_pool_free(struct worker *worker);

/* ---- answer.c ---- */
struct answer answer_of(int code);
struct answer answer_invalid(const char *field, const char *text);
/* Packs and queues it; closes the connection where the code says so. */
void answer_send(struct session *session, uint64_t id, const struct answer *answer);

/* ---- worker.c ---- */
/* zone_day, remembering the last day asked for. */
int32_t worker_day(struct worker *worker, int64_t at_us);
