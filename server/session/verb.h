/* The dispatch table: message -> who may send it, what is checked before anything else, who
 * handles it. Private to session/. */
#pragma once

#include "session/session.h"

struct verb {
    const char *name;
    unsigned roles; /* of enum identity_role; 0: before Hello (Hello itself) */
    bool writes;    /* its key makes repeating it safe */
    /* What the wire validator cannot know: false and INVALID_FIELD in *answer. NULL: nothing. */
    bool (*check)(struct request *request, struct answer *answer_out);
    void (*handle)(struct request *request);
};

/* NULL for a body that this server does not know. */
const struct verb *verb_of(Loyal__V1__Request__BodyCase body);

/* ---- handle_session.c ---- */
void handle_ping(struct request *request);
void handle_get_status(struct request *request);

/* ---- handle_member.c ---- */
bool check_enrol_member(struct request *request, struct answer *answer_out);
bool check_find_member(struct request *request, struct answer *answer_out);
bool check_get_balance(struct request *request, struct answer *answer_out);
void handle_enrol_member(struct request *request);
void handle_find_member(struct request *request);
void handle_get_balance(struct request *request);

/* ---- handle_points.c ---- */
bool check_earn(struct request *request, struct answer *answer_out);
bool check_redeem(struct request *request, struct answer *answer_out);
bool check_reverse(struct request *request, struct answer *answer_out);
void handle_earn(struct request *request);
void handle_redeem(struct request *request);
void handle_reverse(struct request *request);

/* ---- handle_operator.c: changes ---- */
bool check_set_earn_rate(struct request *request, struct answer *answer_out);
void handle_add_merchant(struct request *request);
void handle_add_stores(struct request *request);
void handle_add_terminal(struct request *request);
void handle_set_earn_rate(struct request *request);

/* ---- handle_lists.c ---- */
void handle_list_merchants(struct request *request);
void handle_list_stores(struct request *request);
void handle_list_terminals(struct request *request);
void handle_list_earn_rates(struct request *request);
void handle_list_owed_points(struct request *request);

/* ---- handle_check.c ---- */
void handle_check_conservation(struct request *request);

/* ---- target.c: the member whom a request means ---- */
/* Normalises and hashes the identifier into the request; false and INVALID_FIELD otherwise. field:
 * the path of the identifier's value in the request. */
bool target_check(struct request *request, const Loyal__V1__Member *member, const char *field,
                  struct answer *answer_out);
bool target_check_identifier(struct request *request, const Loyal__V1__Identifier *identifier,
                             const char *field, struct answer *answer_out);
/* The number that a ref stands for towards this session's merchant, REF_NOBODY for none. */
int64_t target_of(struct request *request, const Loyal__V1__Member *member);
/* The hash of an identifier; NULL, or what is wrong with it. */
const char *target_hash(const struct worker *worker, const Loyal__V1__Identifier *identifier,
                        uint8_t hash_out[HASH_BYTES]);

/* ---- posting.c: writing requests of terminals ---- */
/* Everything that enrolments, earns, redemptions and reversals share; the verb's handler fills the
 * rest and calls engine_post. False: answered, INTERNAL. */
bool posting_begin(struct request *request, enum entry_kind kind, const ProtobufCBinaryData *key,
                   const ProtobufCMessage *body) must_check;
/* What happened cannot be later than now: false and INVALID_FIELD otherwise. */
bool posting_check(const struct request *request, const Loyal__V1__Occasion *occasion,
                   const char *field, struct answer *answer_out);
void posting_occasion(struct request *request, const Loyal__V1__Occasion *occasion);
