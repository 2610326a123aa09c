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
    VERB(FIND_MEMBER) = {"find_member", EITHER, READS, check_find_member, handle_find_member},
    VERB(GET_BALANCE) = {"get_balance", TERMINAL, READS, check_get_balance, handle_get_balance},
    VERB(EARN) = {"earn", TERMINAL, WRITES, check_earn, handle_earn},
    VERB(REDEEM) = {"redeem", TERMINAL, WRITES, check_redeem, handle_redeem},
    VERB(REVERSE) = {"reverse", TERMINAL, WRITES, check_reverse, handle_reverse},
    VERB(SET_GRANT) = {"set_grant", EITHER, WRITES, check_set_grant, handle_set_grant},
    VERB(REVOKE_GRANT) = {"revoke_grant", EITHER, WRITES, check_revoke_grant, handle_revoke_grant},
    VERB(LIST_GRANTS) = {"list_grants", EITHER, READS, check_list_grants, handle_list_grants},
    VERB(TRANSLATE_REFS) = {"translate_refs", EITHER, READS, check_translate_refs,
                            handle_translate_refs},
    VERB(QUERY_PURCHASES) = {"query_purchases", TERMINAL, READS, check_query_purchases,
                             handle_query_purchases},
    VERB(LIST_MEMBERS_NEVER_MET) = {"list_members_never_met", TERMINAL, READS,
                                    check_list_members_never_met, handle_list_members_never_met},
    VERB(COUNT_MEMBERS) = {"count_members", TERMINAL, WRITES, check_count_members,
                           handle_count_members},
    VERB(LIST_ENTRIES) = {"list_entries", EITHER, READS, check_list_entries, handle_list_entries},
    VERB(ADD_MERCHANT) = {"add_merchant", OPERATOR, WRITES, check_add_merchant,
                          handle_add_merchant},
    VERB(LIST_MERCHANTS) = {"list_merchants", OPERATOR, READS, NULL, handle_list_merchants},
    VERB(ADD_STORES) = {"add_stores", OPERATOR, WRITES, check_add_stores, handle_add_stores},
    VERB(LIST_STORES) = {"list_stores", OPERATOR, READS, NULL, handle_list_stores},
    VERB(ADD_TERMINAL) = {"add_terminal", OPERATOR, WRITES, check_add_terminal,
                          handle_add_terminal},
    VERB(LIST_TERMINALS) = {"list_terminals", OPERATOR, READS, NULL, handle_list_terminals},
    VERB(SET_EARN_RATE) = {"set_earn_rate", OPERATOR, WRITES, check_set_earn_rate,
                           handle_set_earn_rate},
    VERB(LIST_EARN_RATES) = {"list_earn_rates", OPERATOR, READS, NULL, handle_list_earn_rates},
    VERB(GET_STATUS) = {"get_status", OPERATOR, READS, NULL, handle_get_status},
    VERB(LIST_OWED_POINTS) = {"list_owed_points", OPERATOR, READS, NULL, handle_list_owed_points},
    VERB(CHECK_CONSERVATION) = {"check_conservation", OPERATOR, READS, NULL,
                                handle_check_conservation},
    VERB(LIST_DISCLOSURES) = {"list_disclosures", OPERATOR, READS, check_list_disclosures,
                              handle_list_disclosures},
    VERB(SET_STANDING) = {"set_standing", OPERATOR, WRITES, check_set_standing,
                          handle_set_standing},
    VERB(ERASE_MEMBER) = {"erase_member", OPERATOR, WRITES, check_erase_member,
                          handle_erase_member},
    VERB(EXPORT_MEMBER) = {"export_member", OPERATOR, READS, check_export_member,
                           handle_export_member},
};

const struct verb *verb_of(Loyal__V1__Request__BodyCase body)
{
    size_t number = (size_t)body;
    if (number >= sizeof VERBS / sizeof VERBS[0] || !VERBS[number].name)
        return NULL;
    return &VERBS[number];
}
