/* The dispatch table: message -> who may send it, what is checked before anything else, who
 * handles it. Private to session/. */
#pragma once

#include "session/session.h"

struct verb {
    const char *name;
    unsigned roles; /* of enum identity_role; 0: before Hello (Hello itself) */
    bool writes;    /* its key, or a count's release, makes repeating it safe */
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
bool check_add_merchant(struct request *request, struct answer *answer_out);
bool check_add_stores(struct request *request, struct answer *answer_out);
bool check_add_terminal(struct request *request, struct answer *answer_out);
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

/* ---- handle_grant.c ---- */
bool check_set_grant(struct request *request, struct answer *answer_out);
bool check_revoke_grant(struct request *request, struct answer *answer_out);
bool check_list_grants(struct request *request, struct answer *answer_out);
void handle_set_grant(struct request *request);
void handle_revoke_grant(struct request *request);
void handle_list_grants(struct request *request);

/* ---- handle_network.c: purchases elsewhere ---- */
bool check_translate_refs(struct request *request, struct answer *answer_out);
bool check_query_purchases(struct request *request, struct answer *answer_out);
bool check_list_members_never_met(struct request *request, struct answer *answer_out);
bool check_count_members(struct request *request, struct answer *answer_out);
void handle_translate_refs(struct request *request);
void handle_query_purchases(struct request *request);
void handle_list_members_never_met(struct request *request);
void handle_count_members(struct request *request);

/* ---- handle_entries.c ---- */
bool check_list_entries(struct request *request, struct answer *answer_out);
void handle_list_entries(struct request *request);

/* ---- handle_record.c: what was shown, and all that is stored ---- */
bool check_list_disclosures(struct request *request, struct answer *answer_out);
bool check_export_member(struct request *request, struct answer *answer_out);
void handle_list_disclosures(struct request *request);
void handle_export_member(struct request *request);

/* ---- handle_standing.c ---- */
bool check_set_standing(struct request *request, struct answer *answer_out);
void handle_set_standing(struct request *request);

/* ---- handle_erase.c ---- */
bool check_erase_member(struct request *request, struct answer *answer_out);
void handle_erase_member(struct request *request);

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
/* Looks up the member (NULL: by the identifier that was checked) and goes on with found, while the
 * look-up is still there; answers UNKNOWN_MEMBER, or OVERLOADED past the terminal's quota (R41).
 * Whoever was named by an identifier counts as present from then on. */
void target_find(struct request *request, const Loyal__V1__Member *member,
                 void (*found)(struct request *request, const struct lookup *lookup));
/* The ref of request->member_id towards the asker, in the arena; false without memory. */
bool target_ref(struct request *request, ProtobufCBinaryData *ref_out) must_check;
/* The member of a posting was named by an identifier. */
void target_presented(struct request *request, int64_t member_id);
/* The hash of an identifier; NULL, or what is wrong with it. */
const char *target_hash(const struct worker *worker, const Loyal__V1__Identifier *identifier,
                        uint8_t hash_out[HASH_BYTES]);

/* ---- posting.c: writing requests of terminals ---- */
/* Everything that enrolments, earns, redemptions and reversals share; the verb's handler fills the
 * rest and calls engine_post. */
void posting_begin(struct request *request, enum entry_kind kind, const ProtobufCBinaryData *key,
                   const ProtobufCMessage *body);
/* Hands it to the engine; OVERLOADED where the terminal's misses are used up (R41). */
void posting_send(struct request *request);
/* Whatever becomes of it: a refusal without a trace is a miss; a known member was presented. */
void posting_note(struct request *request, int code, const struct decision *decision);
/* The body hash of R32 as it is stored: under a key of the keyring. */
void posting_body_hash(const struct worker *worker, const ProtobufCMessage *body,
                       uint8_t hash_out[LEDGER_BODY_HASH_BYTES]);
/* What happened cannot be later than now: false and INVALID_FIELD otherwise. */
bool posting_check(const struct request *request, const Loyal__V1__Occasion *occasion,
                   const char *field, struct answer *answer_out);
void posting_occasion(struct request *request, const Loyal__V1__Occasion *occasion);
