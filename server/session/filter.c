/* Turns filters into values of statements. Called by handle_network.c; asks nobody. */
#include "session/filter.h"

#include <string.h>

#include "outcome.h"
#include "rules.h"
#include "session/query.h"

#define CATEGORY_BYTES_MAX 64

static const char *fault_of(const Loyal__V1__PurchaseFilter *filter, const char **field_out)
{
    *field_out = "merchants";
    for (size_t i = 0; i < filter->n_merchants; i++)
        if (!*filter->merchants[i] || strlen(filter->merchants[i]) > RULE_CODE_BYTES_MAX)
            return "must be codes of merchants, 1 to 32 bytes";
    *field_out = "categories";
    for (size_t i = 0; i < filter->n_categories; i++)
        if (!*filter->categories[i] || strlen(filter->categories[i]) > CATEGORY_BYTES_MAX)
            return "must be 1 to 64 bytes each";
    *field_out = "channels";
    for (size_t i = 0; i < filter->n_channels; i++)
        if (!filter->channels[i])
            return "must be channels";
    *field_out = "date_first";
    if (filter->date_last && filter->date_first > filter->date_last)
        return "must be at most date_last";
    *field_out = "amount_minor_min";
    if (filter->amount_minor_max && filter->amount_minor_min > filter->amount_minor_max)
        return "must be at most amount_minor_max";
    return NULL;
}

bool filter_check(struct request *request, const Loyal__V1__PurchaseFilter *filter,
                  const char *verb, struct answer *answer_out)
{
    const char *name, *fault = filter ? fault_of(filter, &name) : NULL;
    if (!fault)
        return true;
    char path[100];
    int size = snprintf(path, sizeof path, "%s.filter.%s", verb, name);
    const char *field = arena_copy(&request->arena, path, (size_t)size + 1);
    *answer_out = answer_invalid(field ? field : "", fault);
    return false;
}

static int merchants_value(struct request *request, const Loyal__V1__PurchaseFilter *filter,
                           const char **value_out)
{
    const struct reference *reference = engine_reference(request->session->worker->engine);
    int32_t ids[RULE_FILTER_VALUES_MAX];
    for (size_t i = 0; i < filter->n_merchants; i++) {
        const struct reference_merchant *merchant =
            reference_merchant_by_code(reference, filter->merchants[i]);
        if (!merchant)
            return OUTCOME_CODE(UNKNOWN_MERCHANT);
        ids[i] = merchant->merchant_id;
    }
    *value_out = query_array_of_numbers(request, ids, filter->n_merchants);
    return 0;
}

int filter_values(struct request *request, const Loyal__V1__PurchaseFilter *filter,
                  const char *values_out[FILTER_VALUES])
{
    static const Loyal__V1__PurchaseFilter open = LOYAL__V1__PURCHASE_FILTER__INIT;
    const Loyal__V1__PurchaseFilter *from = filter ? filter : &open;
    int32_t channels[8];
    size_t channel_count = from->n_channels < 8 ? from->n_channels : 8;
    for (size_t i = 0; i < channel_count; i++)
        channels[i] = (int32_t)from->channels[i];
    int code = merchants_value(request, from, &values_out[0]);
    values_out[1] = query_array(request, (const char *const *)from->categories, from->n_categories);
    values_out[2] = number_or_null(request, from->date_first);
    values_out[3] = number_or_null(request, from->date_last);
    values_out[4] = number_or_null(request, from->amount_minor_min);
    values_out[5] = number_or_null(request, from->amount_minor_max);
    values_out[6] = request->session->currency;
    values_out[7] = query_array_of_numbers(request, channels, channel_count);
    return code;
}
