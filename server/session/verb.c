/* Owns the dispatch table. Called for each request; constant data. */
#include "session/verb.h"

#define TERMINAL   IDENTITY_TERMINAL
#define OPERATOR   IDENTITY_OPERATOR
#define EITHER     (IDENTITY_TERMINAL | IDENTITY_OPERATOR)
#define READS      false
#define WRITES     true
#define VERB(body) [LOYAL__V1__REQUEST__BODY_##body]

static const struct verb VERBS[] = {
    VERB(HELLO) = {"hello", 0, READS, NULL, NULL}, /* the transition table handles it */
    VERB(PING) = {"ping", EITHER, READS, NULL, handle_ping},
    VERB(ENROL_MEMBER) = {"enrol_member", TERMINAL, WRITES, check_enrol_member,
                          handle_enrol_member},
    VERB(FIND_MEMBER) = {"find_member", TERMINAL, READS, check_find_member, handle_find_member},
    VERB(GET_BALANCE) = {"get_balance", TERMINAL, READS, check_get_balance, handle_get_balance},
    VERB(EARN) = {"earn", TERMINAL, WRITES, check_earn, handle_earn},
    VERB(REDEEM) = {"redeem", TERMINAL, WRITES, check_redeem, handle_redeem},
    VERB(REVERSE) = {"reverse", TERMINAL, WRITES, check_reverse, handle_reverse},
    VERB(ADD_MERCHANT) = {"add_merchant", OPERATOR, WRITES, NULL, handle_add_merchant},
    VERB(LIST_MERCHANTS) = {"list_merchants", OPERATOR, READS, NULL, handle_list_merchants},
    VERB(ADD_STORES) = {"add_stores", OPERATOR, WRITES, NULL, handle_add_stores},
    VERB(LIST_STORES) = {"list_stores", OPERATOR, READS, NULL, handle_list_stores},
    VERB(ADD_TERMINAL) = {"add_terminal", OPERATOR, WRITES, NULL, handle_add_terminal},
    VERB(LIST_TERMINALS) = {"list_terminals", OPERATOR, READS, NULL, handle_list_terminals},
    VERB(SET_EARN_RATE) = {"set_earn_rate", OPERATOR, WRITES, check_set_earn_rate,
                           handle_set_earn_rate},
    VERB(LIST_EARN_RATES) = {"list_earn_rates", OPERATOR, READS, NULL, handle_list_earn_rates},
    VERB(GET_STATUS) = {"get_status", OPERATOR, READS, NULL, handle_get_status},
    VERB(LIST_OWED_POINTS) = {"list_owed_points", OPERATOR, READS, NULL, handle_list_owed_points},
    VERB(CHECK_CONSERVATION) = {"check_conservation", OPERATOR, READS, NULL,
                                handle_check_conservation},
};

const struct verb *verb_of(Loyal__V1__Request__BodyCase body)
{
    size_t number = (size_t)body;
    if (number >= sizeof VERBS / sizeof VERBS[0] || !VERBS[number].name)
        return NULL;
    return &VERBS[number];
}
