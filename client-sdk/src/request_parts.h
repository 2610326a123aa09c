/* What the builders of request.c and request_network.c share: the messages of one request, and how
 * to fill the common ones. A builder hangs its body into the request and fills it; false: no
 * memory.
 *
 * Included by those two alone. */
#ifndef LOYAL_SDK_REQUEST_PARTS_H
#define LOYAL_SDK_REQUEST_PARTS_H

#include "loyal/v1/envelope.pb-c.h"
#include "request.h"

/* Everything that one request's messages consist of, but for lists. */
struct parts {
    const struct loyal_request *from;
    struct arena *scratch;
    Loyal__V1__Request request;
    union {
        Loyal__V1__PingRequest ping;
        Loyal__V1__EnrolMemberRequest enrol_member;
        Loyal__V1__FindMemberRequest find_member;
        Loyal__V1__GetBalanceRequest get_balance;
        Loyal__V1__EarnRequest earn;
        Loyal__V1__RedeemRequest redeem;
        Loyal__V1__ReverseRequest reverse;
        Loyal__V1__AddMerchantRequest add_merchant;
        Loyal__V1__ListMerchantsRequest list_merchants;
        Loyal__V1__AddStoresRequest add_stores;
        Loyal__V1__ListStoresRequest list_stores;
        Loyal__V1__AddTerminalRequest add_terminal;
        Loyal__V1__ListTerminalsRequest list_terminals;
        Loyal__V1__SetEarnRateRequest set_earn_rate;
        Loyal__V1__ListEarnRatesRequest list_earn_rates;
        Loyal__V1__GetStatusRequest get_status;
        Loyal__V1__ListOwedPointsRequest list_owed_points;
        Loyal__V1__CheckConservationRequest check_conservation;
        Loyal__V1__SetGrantRequest set_grant;
        Loyal__V1__RevokeGrantRequest revoke_grant;
        Loyal__V1__ListGrantsRequest list_grants;
        Loyal__V1__TranslateRefsRequest translate_refs;
        Loyal__V1__QueryPurchasesRequest query_purchases;
        Loyal__V1__ListMembersNeverMetRequest list_members_never_met;
        Loyal__V1__CountMembersRequest count_members;
        Loyal__V1__ListEntriesRequest list_entries;
        Loyal__V1__ListDisclosuresRequest list_disclosures;
        Loyal__V1__SetStandingRequest set_standing;
        Loyal__V1__EraseMemberRequest erase_member;
        Loyal__V1__ExportMemberRequest export_member;
    } body;
    Loyal__V1__Member member;
    Loyal__V1__Identifier identifier;
    Loyal__V1__Occasion occasion;
    Loyal__V1__Purchase purchase;
    Loyal__V1__WholeExtent whole;
    Loyal__V1__Merchant merchant;
    Loyal__V1__Terminal terminal;
    Loyal__V1__EarnRate rate;
    Loyal__V1__Grant grant;
    Loyal__V1__AllGrants all_grants;
    Loyal__V1__PurchaseFilter filter;
    Loyal__V1__EntryPeriod period;
    Loyal__V1__StoreName store_name;
    Loyal__V1__TerminalName terminal_name;
    Loyal__V1__TerminalCertificate terminal_certificate;
};

/* Initialises the body and hangs it into the request; the value is the body's address. */
#define BODY(parts, verb_lower, VERB_UPPER)                              \
    ((parts)->request.body_case = LOYAL__V1__REQUEST__BODY_##VERB_UPPER, \
     loyal__v1__##verb_lower##_request__init(&(parts)->body.verb_lower), \
     (parts)->request.verb_lower = &(parts)->body.verb_lower)

/* protobuf-c has no const strings; packing does not write. */
static inline char *text_of(const char *text)
{
    return text != NULL ? (char *)text : (char *)"";
}

static inline ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n)
{
    return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)bytes};
}

typedef bool builder(struct parts *parts);

/* request.c: the member, by ref or identifier. */
Loyal__V1__Member *sdk_request_member(struct parts *parts);

/* request_network.c */
builder sdk_build_set_grant, sdk_build_revoke_grant, sdk_build_list_grants,
    sdk_build_translate_refs, sdk_build_query_purchases, sdk_build_list_members_never_met,
    sdk_build_count_members, sdk_build_list_entries, sdk_build_list_disclosures,
    sdk_build_set_standing, sdk_build_erase_member, sdk_build_export_member;

#endif
