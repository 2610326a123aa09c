/* Makes messages of rows. Called by the handlers of purchases elsewhere and of records. */
#include "session/shown.h"

#include <jansson.h>
#include <string.h>

#include "session/ref.h"

static char *text_of_json(struct request *request, const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    char *copy = arena_copy(&request->arena, text, strlen(text) + 1);
    return copy ? copy : (char *)(uintptr_t)protobuf_c_empty_string;
}

static void line_fill(struct request *request, const json_t *from, Loyal__V1__BasketLine *out)
{
    loyal__v1__basket_line__init(out);
    out->product = text_of_json(request, json_array_get(from, 0));
    out->category = text_of_json(request, json_array_get(from, 1));
    out->quantity_milli = json_integer_value(json_array_get(from, 2));
    out->amount_minor = json_integer_value(json_array_get(from, 3));
}

bool shown_lines(struct request *request, const char *json, size_t *n_out,
                 Loyal__V1__BasketLine ***lines_out)
{
    json_t *lines = *json ? json_loads(json, 0, NULL) : json_array();
    size_t n = json_array_size(lines);
    Loyal__V1__BasketLine *items =
        lines ? query_messages(request, (int)n, sizeof *items, (void **)lines_out) : NULL;
    for (size_t i = 0; items && i < n; i++)
        line_fill(request, json_array_get(lines, i), &items[i]);
    *n_out = items ? n : 0;
    json_decref(lines);
    return items != NULL;
}

bool shown_fields(struct request *request, int bits, size_t *n_out,
                  Loyal__V1__FieldGroup **fields_out)
{
    Loyal__V1__FieldGroup *fields = arena_alloc(&request->arena, 3 * sizeof *fields);
    *n_out = 0;
    for (int i = 0; fields && i < 3; i++)
        if (bits & 1 << i)
            fields[(*n_out)++] = (Loyal__V1__FieldGroup)(i + 1);
    *fields_out = fields;
    return fields != NULL;
}

int field_bits(const Loyal__V1__FieldGroup *fields, size_t n)
{
    int bits = 0;
    for (size_t i = 0; i < n; i++)
        bits |= fields[i] >= 1 && fields[i] <= 3 ? 1 << (fields[i] - 1) : 0;
    return bits;
}

char *merchant_code(struct request *request, int64_t merchant_id)
{
    const struct reference *reference = engine_reference(request->session->worker->engine);
    const struct reference_merchant *merchant =
        reference_merchant_by_id(reference, (int32_t)merchant_id);
    return (char *)(uintptr_t)(merchant ? merchant->code : protobuf_c_empty_string);
}

bool shown_purchase(struct request *request, const struct query_rows *rows, int row, int column,
                    Loyal__V1__NetworkPurchase *out)
{
    const struct session *session = request->session;
    struct uuid entry = query_uuid(rows, row, column);
    uint8_t *id = arena_alloc(&request->arena, REF_BYTES);
    loyal__v1__network_purchase__init(out);
    if (!id || !ref_make_purchase(session->worker->refs, session->merchant_id, entry.bytes, id) ||
        !shown_fields(request, (int)query_number(rows, row, column + 2), &out->n_fields,
                      &out->fields) ||
        !shown_lines(request, query_rows_value(rows, row, column + 9), &out->n_lines, &out->lines))
        return false;
    out->purchase_id = (ProtobufCBinaryData){.len = REF_BYTES, .data = id};
    out->kind = query_number(rows, row, column + 1) == ENTRY_EARN
                    ? LOYAL__V1__PURCHASE_KIND__PURCHASE_KIND_PURCHASE
                    : LOYAL__V1__PURCHASE_KIND__PURCHASE_KIND_REFUND;
    out->merchant = merchant_code(request, query_number(rows, row, column + 3));
    out->business_date = (uint32_t)query_number(rows, row, column + 4);
    out->channel = (Loyal__V1__Channel)query_number(rows, row, column + 5);
    out->amount_minor = query_number(rows, row, column + 6);
    out->currency = query_text(request, rows, row, column + 7);
    out->points = query_number(rows, row, column + 8);
    return true;
}
