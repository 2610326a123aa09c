/* Owns the table of results; see outcome.h. Called by server, SDK and tests. A row's place is its
 * precedence: where several results would apply, the first one listed is answered.
 */
#include "outcome.h"

#include <stdio.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define ROW(name, kind, recorded, closes, fields, text)                               \
    {                                                                                 \
        OUTCOME_CODE(name), OUTCOME_KIND(kind), recorded, closes, #name, fields, text \
    }
#define RECORDED     true
#define NOT_RECORDED false
#define CLOSES       true
#define STAYS        false

static const struct outcome OUTCOMES[] = {
    ROW(OK, OK, NOT_RECORDED, STAYS, "", "Done."),
    ROW(MALFORMED, REFUSED, NOT_RECORDED, CLOSES, "",
        "The frame or its protobuf cannot be read. Correct the client's encoder and connect anew."),
    ROW(INVALID_FIELD, REFUSED, NOT_RECORDED, STAYS, "",
        "A field is missing, out of its range or of no use here. Correct the field named."),
    ROW(UNSUPPORTED_VERSION, REFUSED, NOT_RECORDED, STAYS, "version_min",
        "The server speaks none of the client's protocol versions. Upgrade the older side."),
    ROW(NOT_IDENTIFIED, REFUSED, NOT_RECORDED, CLOSES, "",
        "The certificate is not, or no longer, one of this network. Have the operator register "
        "it."),
    ROW(WRONG_MERCHANT, REFUSED, NOT_RECORDED, CLOSES, "merchant",
        "Hello names another merchant than the certificate. Correct the client's configuration."),
    ROW(UNEXPECTED_MESSAGE, REFUSED, NOT_RECORDED, STAYS, ".",
        "The session does not take this message now. Send Hello first, and once."),
    ROW(NOT_ALLOWED, REFUSED, NOT_RECORDED, STAYS, ". grant.recipient",
        "This role may not send this message. Use a certificate of the right role."),
    ROW(OVERLOADED, RETRY, NOT_RECORDED, STAYS, "",
        "A queue is full or a limit is reached. Ask again after the delay given."),
    ROW(NOT_READY, RETRY, NOT_RECORDED, STAYS, "",
        "The daemon has no usable database at the moment. Ask again after the delay given."),
    ROW(DEADLINE_EXCEEDED, RETRY, NOT_RECORDED, STAYS, "",
        "The deadline passed before the request reached the database. Ask again with more time."),
    ROW(TRANSIENT, RETRY, NOT_RECORDED, STAYS, "",
        "The database rolled the request back for a passing reason. Ask again after the delay."),
    ROW(OUTCOME_UNKNOWN, UNKNOWN, NOT_RECORDED, STAYS, "",
        "The database was lost while committing. Ask again under the same key to learn the "
        "answer."),
    ROW(INTERNAL, REFUSED, NOT_RECORDED, STAYS, "",
        "A fault inside the daemon stops this request; it had no effect. Tell the operator."),
    ROW(UNKNOWN_MEMBER, REFUSED, NOT_RECORDED, STAYS, "member identifier",
        "No member has this identifier, or the ref was not issued to this merchant. Enrol him."),
    ROW(KEY_REUSED, REFUSED, NOT_RECORDED, STAYS, "key",
        "The key belongs to another request. Make a new key for each new request."),
    ROW(KEY_IN_FUTURE, REFUSED, NOT_RECORDED, STAYS, "key",
        "The key's time is ahead of the server's. Make keys in the time that Hello tells."),
    ROW(TOO_OLD, REFUSED, NOT_RECORDED, STAYS, "key",
        "The key is unknown and older than the window. Check the member's entries by hand."),
    ROW(REVERSED_BEFORE, REFUSED, RECORDED, STAYS, "key",
        "A reversal of this request came first, so it has no effect. Nothing is left to do."),
    ROW(ALREADY_ENROLLED, REFUSED, NOT_RECORDED, STAYS, "identifiers",
        "An identifier belongs to a member already. Use the ref in the answer."),
    ROW(UNKNOWN_STORE, REFUSED, NOT_RECORDED, STAYS,
        "purchase.occasion.store occasion.store terminal.store store",
        "The merchant has no such store, or not for this terminal. Have the operator add it."),
    ROW(WRONG_CURRENCY, REFUSED, NOT_RECORDED, STAYS, "purchase.currency",
        "The purchase is not in the merchant's currency. Send amounts in the one that Hello "
        "tells."),
    ROW(DUPLICATE_RECEIPT, REFUSED, RECORDED, STAYS, "purchase.occasion.receipt occasion.receipt",
        "The receipt is recorded under another key. Take the original's result from the answer."),
    ROW(NO_ORIGINAL, REFUSED, RECORDED, STAYS, "original_key",
        "The reversal names no original of this merchant and kind. Check key, member and kind."),
    ROW(ALREADY_REVERSED, REFUSED, RECORDED, STAYS, "original_key",
        "Nothing of the original is left to reverse. Take the reversal as done."),
    ROW(EXCEEDS_ORIGINAL, REFUSED, RECORDED, STAYS, "amount_minor",
        "More would be reversed than is left of the original. Reverse less, or the whole."),
    ROW(NOT_ENOUGH_POINTS, REFUSED, RECORDED, STAYS, "points",
        "The member has fewer points than asked for. Redeem at most what is available."),
    ROW(BALANCE_LIMIT, REFUSED, RECORDED, STAYS, "purchase.amount_minor amount_minor original_key",
        "A sum of points would leave the range of 64 bits. Tell the operator."),
    ROW(UNKNOWN_MERCHANT, REFUSED, NOT_RECORDED, STAYS,
        "merchant terminal.merchant rate.merchant stores filter.merchants recipient "
        "grant.recipient grant.source store.merchant certificate.merchant",
        "The network has no such merchant. Check the code, or add the merchant first."),
    ROW(ALREADY_EXISTS, REFUSED, NOT_RECORDED, STAYS, "merchant.code stores terminal certificate",
        "The name is taken by an object with other properties. Choose another, or list it first."),
    ROW(MEMBER_SUSPENDED, REFUSED, RECORDED, STAYS, "member",
        "The member is suspended or revoked. Refer him to the network's operator."),
    ROW(NOT_PRESENT, REFUSED, NOT_RECORDED, STAYS, "member",
        "The member's identifier was not presented on this connection within ten minutes. Have him "
        "present it."),
    ROW(CURSOR_INVALID, REFUSED, NOT_RECORDED, STAYS, "cursor",
        "The cursor is of another question, changed, or older than an hour. Ask for the first "
        "page."),
    ROW(BUDGET_EXHAUSTED, REFUSED, NOT_RECORDED, STAYS, "",
        "The merchant's questions of this day are used up. Repeat an earlier one, or ask "
        "tomorrow."),
    ROW(UNKNOWN_SUBJECT, REFUSED, NOT_RECORDED, STAYS, "terminal certificate operator",
        "The network has no such terminal, certificate or operator. Check the name."),
    ROW(REVOKED, REFUSED, NOT_RECORDED, STAYS,
        "member merchant store terminal certificate operator",
        "What was revoked stays so. Register it anew under another name."),
};

const struct outcome *outcome_of(Loyal__V1__ResultCode code)
{
    for (size_t i = 0; i < LENGTH(OUTCOMES); i++) {
        if (OUTCOMES[i].code == code)
            return &OUTCOMES[i];
    }
    return NULL;
}

/* Whether the request has this path; of a oneof, whether that member is the one set. */
static bool has_path(const ProtobufCMessage *message, const char *path)
{
    while (message) {
        char name[OUTCOME_FIELD_BYTES_MAX + 1] = "";
        size_t size = strcspn(path, ".");
        memcpy(name, path, size);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
        if (!field)
            return false;
        const char *at = (const char *)message;
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            *(const uint32_t *)(const void *)(at + field->quantifier_offset) != field->id)
            return false;
        if (path[size] == '\0')
            return true;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED)
            return false;
        memcpy(&message, at + field->offset, sizeof message);
        path += size + 1;
    }
    return false;
}

bool outcome_field(const struct outcome *row, const Loyal__V1__Request *request,
                   char field_out[OUTCOME_FIELD_BYTES_MAX + 1])
{
    const ProtobufCFieldDescriptor *body = protobuf_c_message_descriptor_get_field(
        request->base.descriptor, (unsigned)request->body_case);
    if (!row || !body)
        return false;
    for (const char *path = row->fields; *path; path += strspn(path, " ")) {
        int size = (int)strcspn(path, " ");
        bool is_itself = *path == '.';
        snprintf(field_out, OUTCOME_FIELD_BYTES_MAX + 1, "%s%s%.*s", body->name,
                 is_itself ? "" : ".", is_itself ? 0 : size, path);
        if (has_path(&request->base, field_out))
            return true;
        path += size;
    }
    return false;
}

const struct outcome *outcome_by_name(const char *name)
{
    for (size_t i = 0; i < LENGTH(OUTCOMES); i++) {
        if (strcmp(OUTCOMES[i].name, name) == 0)
            return &OUTCOMES[i];
    }
    return NULL;
}

const struct outcome *outcome_all(size_t *n_out)
{
    *n_out = LENGTH(OUTCOMES);
    return OUTCOMES;
}

const char *outcome_kind_name(Loyal__V1__OutcomeKind kind)
{
    switch (kind) {
    case OUTCOME_KIND(OK): return "OK";
    case OUTCOME_KIND(REFUSED): return "REFUSED";
    case OUTCOME_KIND(RETRY): return "RETRY";
    case OUTCOME_KIND(UNKNOWN): return "UNKNOWN";
    default: return NULL;
    }
}
