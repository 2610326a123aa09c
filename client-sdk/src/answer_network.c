/* The decoding of the verbs about grants, purchases elsewhere and records.
 *
 * Called through the table in answer.c. As there: it must never trust a length that it has not
 * compared. Text is never NULL: where a message is missing, its empty one stands. */
#include "answer_parts.h"

/* ---- pieces ---- */

static bool ref_fill(struct answer_box *box, const ProtobufCBinaryData *from)
{
    return sdk_answer_bytes(box->answer.ref, sizeof box->answer.ref, from);
}

/* Empty: the last page. */
static bool cursor_fill(struct answer_box *box, const ProtobufCBinaryData *from)
{
    struct loyal_cursor *out = &box->answer.cursor;
    if (from->len > sizeof out->bytes)
        return false;
    out->size = from->len;
    return sdk_answer_bytes(out->bytes, from->len, from);
}

/* Groups that a newer server knows are passed over. */
static unsigned fields_of(const Loyal__V1__FieldGroup *groups, size_t n)
{
    unsigned fields = 0;
    for (size_t i = 0; i < n; i++) {
        switch (groups[i]) {
        case LOYAL__V1__FIELD_GROUP__FIELD_GROUP_MERCHANT_AND_DATE:
            fields |= LOYAL_MERCHANT_AND_DATE;
            break;
        case LOYAL__V1__FIELD_GROUP__FIELD_GROUP_AMOUNT: fields |= LOYAL_AMOUNT; break;
        case LOYAL__V1__FIELD_GROUP__FIELD_GROUP_BASKET: fields |= LOYAL_BASKET; break;
        default: break;
        }
    }
    return fields;
}

/* NULL: no memory. */
static const struct loyal_line *lines_of(struct answer_box *box, Loyal__V1__BasketLine *const *from,
                                         size_t n)
{
    struct loyal_line *out = sdk_arena_array(&box->arena, n, sizeof *out);
    for (size_t i = 0; out != NULL && i < n; i++)
        out[i] = (struct loyal_line){.product = from[i]->product,
                                     .category = from[i]->category,
                                     .quantity_milli = from[i]->quantity_milli,
                                     .amount_minor = from[i]->amount_minor};
    return out;
}

/* ---- grants ---- */

bool sdk_fill_set_grant(struct answer_box *box, const Loyal__V1__Response *response)
{
    box->answer.until_us = response->set_grant->until_us;
    return ref_fill(box, &response->set_grant->ref);
}

static struct loyal_grant grant_of(const Loyal__V1__Grant *from)
{
    static const Loyal__V1__Grant empty = LOYAL__V1__GRANT__INIT;
    if (from == NULL)
        from = &empty;
    return (struct loyal_grant){.recipient = from->recipient,
                                .source = from->source,
                                .purpose = (enum loyal_purpose)from->purpose,
                                .fields = fields_of(from->fields, from->n_fields),
                                .last_day = from->last_day,
                                .text_version = from->text_version,
                                .channel = (enum loyal_channel)from->channel};
}

bool sdk_fill_list_grants(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListGrantsResponse *from = response->list_grants;
    struct loyal_grant_record *out = sdk_arena_array(&box->arena, from->n_grants, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_grants; i++) {
        const Loyal__V1__GrantRecord *item = from->grants[i];
        out[i] = (struct loyal_grant_record){.grant = grant_of(item->grant),
                                             .state = (enum loyal_grant_state)item->state,
                                             .granted_at_us = item->granted_at_us,
                                             .until_us = item->until_us,
                                             .ended_at_us = item->ended_at_us,
                                             .terminal = item->terminal,
                                             .operator_name = item->operator_};
        if (!sdk_answer_bytes(out[i].grant_key, sizeof out[i].grant_key, &item->grant_key))
            return false;
    }
    box->answer.grants = out;
    box->answer.list_count = from->n_grants;
    return ref_fill(box, &from->ref) && cursor_fill(box, &from->cursor);
}

bool sdk_fill_translate_refs(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__TranslateRefsResponse *from = response->translate_refs;
    uint8_t(*out)[LOYAL_REF_BYTES] = sdk_arena_array(&box->arena, from->n_refs, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_refs; i++)
        if (!sdk_answer_bytes(out[i], sizeof out[i], &from->refs[i]))
            return false;
    box->answer.refs = out;
    box->answer.list_count = from->n_refs;
    return true;
}

/* ---- purchases elsewhere ---- */

/* NULL: a length is wrong, or no memory. */
static const struct loyal_purchase *purchases_of(struct answer_box *box,
                                                 Loyal__V1__NetworkPurchase *const *from, size_t n)
{
    struct loyal_purchase *out = sdk_arena_array(&box->arena, n, sizeof *out);
    for (size_t i = 0; out != NULL && i < n; i++) {
        const Loyal__V1__NetworkPurchase *item = from[i];
        out[i] = (struct loyal_purchase){
            .is_refund = item->kind == LOYAL__V1__PURCHASE_KIND__PURCHASE_KIND_REFUND,
            .fields = fields_of(item->fields, item->n_fields),
            .merchant = item->merchant,
            .business_date = item->business_date,
            .channel = (enum loyal_channel)item->channel,
            .amount_minor = item->amount_minor,
            .points = item->points,
            .currency = item->currency,
            .lines = lines_of(box, item->lines, item->n_lines),
            .line_count = item->n_lines};
        if (out[i].lines == NULL ||
            !sdk_answer_bytes(out[i].purchase_id, sizeof out[i].purchase_id, &item->purchase_id))
            return NULL;
    }
    return out;
}

bool sdk_fill_query_purchases(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__QueryPurchasesResponse *from = response->query_purchases;
    box->answer.purchases = purchases_of(box, from->purchases, from->n_purchases);
    box->answer.list_count = from->n_purchases;
    box->answer.as_of_us = from->as_of_us;
    return box->answer.purchases != NULL && ref_fill(box, &from->ref) &&
           cursor_fill(box, &from->cursor);
}

bool sdk_fill_list_members_never_met(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListMembersNeverMetResponse *from = response->list_members_never_met;
    struct loyal_member_never_met *out = sdk_arena_array(&box->arena, from->n_members, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_members; i++) {
        const Loyal__V1__MemberNeverMet *item = from->members[i];
        out[i].purchases = purchases_of(box, item->purchases, item->n_purchases);
        out[i].purchase_count = item->n_purchases;
        out[i].more = item->more;
        if (out[i].purchases == NULL ||
            !sdk_answer_bytes(out[i].ref, sizeof out[i].ref, &item->ref))
            return false;
    }
    box->answer.members_never_met = out;
    box->answer.list_count = from->n_members;
    box->answer.as_of_us = from->as_of_us;
    return cursor_fill(box, &from->cursor);
}

/* A group that is missing is told as one of fewer than k: never as one of none. */
static void group_fill(const Loyal__V1__GroupCount *from, bool *fewer_out, uint64_t *members_out)
{
    *fewer_out = from == NULL || from->fewer_than_k;
    *members_out = *fewer_out ? 0 : from->members;
}

bool sdk_fill_count_members(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__CountMembersResponse *from = response->count_members;
    struct loyal_count *out = &box->answer.count;
    group_fill(from->with_grant, &out->with_grant_fewer, &out->with_grant);
    group_fill(from->without_grant, &out->without_grant_fewer, &out->without_grant);
    out->k = from->k;
    out->questions_left = from->questions_left;
    out->counted_at_us = from->counted_at_us;
    out->released_before = from->released_before;
    return true;
}

/* ---- records ---- */

static struct loyal_occasion occasion_of(const Loyal__V1__Occasion *from)
{
    static const Loyal__V1__Occasion empty = LOYAL__V1__OCCASION__INIT;
    if (from == NULL)
        from = &empty;
    return (struct loyal_occasion){.store = from->store,
                                   .till = from->till,
                                   .receipt = from->receipt,
                                   .part = from->part,
                                   .business_date = from->business_date,
                                   .occurred_at_us = from->occurred_at_us};
}

static bool entry_fill(struct answer_box *box, struct loyal_entry *out,
                       const Loyal__V1__Entry *from)
{
    *out = (struct loyal_entry){.kind = (enum loyal_entry_kind)from->kind,
                                .decided_at_us = from->decided_at_us,
                                .points = from->points,
                                .balance = from->balance,
                                .debt = from->debt,
                                .merchant = from->merchant,
                                .erased = from->erased,
                                .occasion = occasion_of(from->occasion),
                                .terminal = from->terminal,
                                .currency = from->currency,
                                .channel = (enum loyal_channel)from->channel,
                                .amount_minor = from->amount_minor,
                                .paid_in_points_minor = from->paid_in_points_minor,
                                .lines = lines_of(box, from->lines, from->n_lines),
                                .line_count = from->n_lines};
    return out->lines != NULL && sdk_answer_bytes(out->ref, sizeof out->ref, &from->ref) &&
           sdk_answer_bytes(out->entry_key, sizeof out->entry_key, &from->entry_key) &&
           sdk_answer_bytes(out->original_key, sizeof out->original_key, &from->original_key);
}

bool sdk_fill_list_entries(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListEntriesResponse *from = response->list_entries;
    struct loyal_entry *out = sdk_arena_array(&box->arena, from->n_entries, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_entries; i++)
        if (!entry_fill(box, &out[i], from->entries[i]))
            return false;
    box->answer.entries = out;
    box->answer.list_count = from->n_entries;
    return cursor_fill(box, &from->cursor);
}

static bool disclosure_fill(struct answer_box *box, struct loyal_disclosure *out,
                            const Loyal__V1__Disclosure *from)
{
    struct loyal_disclosed_row *rows = sdk_arena_array(&box->arena, from->n_rows, sizeof *rows);
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < from->n_rows; i++) {
        const Loyal__V1__DisclosedRow *item = from->rows[i];
        rows[i].merchant = item->merchant;
        rows[i].business_date = item->business_date;
        rows[i].fields = fields_of(item->fields, item->n_fields);
        if (!sdk_answer_bytes(rows[i].entry_key, sizeof rows[i].entry_key, &item->entry_key))
            return false;
    }
    *out = (struct loyal_disclosure){.disclosed_at_us = from->disclosed_at_us,
                                     .merchant = from->merchant,
                                     .terminal = from->terminal,
                                     .operator_name = from->operator_,
                                     .verb = from->verb,
                                     .purpose = (enum loyal_purpose)from->purpose,
                                     .reason = from->reason,
                                     .rows = rows,
                                     .row_count = from->n_rows};
    return true;
}

bool sdk_fill_list_disclosures(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListDisclosuresResponse *from = response->list_disclosures;
    struct loyal_disclosure *out = sdk_arena_array(&box->arena, from->n_disclosures, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_disclosures; i++)
        if (!disclosure_fill(box, &out[i], from->disclosures[i]))
            return false;
    box->answer.disclosures = out;
    box->answer.list_count = from->n_disclosures;
    return ref_fill(box, &from->ref) && cursor_fill(box, &from->cursor);
}

bool sdk_fill_erase_member(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__EraseMemberResponse *from = response->erase_member;
    box->answer.points = from->points;
    box->answer.entries_blanked = from->entries;
    return sdk_answer_bytes(box->answer.entry_key, sizeof box->answer.entry_key, &from->entry_key);
}

bool sdk_fill_export_member(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ExportMemberResponse *from = response->export_member;
    struct loyal_exported *out = sdk_arena_array(&box->arena, from->n_rows, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_rows; i++)
        out[i] =
            (struct loyal_exported){.table = from->rows[i]->table, .json = from->rows[i]->json};
    box->answer.exported = out;
    box->answer.list_count = from->n_rows;
    return ref_fill(box, &from->ref) && cursor_fill(box, &from->cursor);
}
