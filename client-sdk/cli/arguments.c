/* Owns the reading of options that several commands share. Called by the cmd_*.c; it never
 * connects, and leaves to the daemon what only the daemon can judge. */
#include "arguments.h"
#include "values.h"

#include <string.h>

int args_member(const struct cli *cli, struct loyal_member *member_out)
{
    const char *ref = cli->values[OPT_REF];

    if (ref) {
        member_out->has_ref = true;
        if (cli->identifier_count > 0 || !value_hex(ref, member_out->ref, LOYAL_REF_BYTES))
            return cli_usage("--ref: %d hexadecimal digits, and no other identifier",
                             2 * LOYAL_REF_BYTES);
        return EXIT_FINE;
    }
    if (cli->identifier_count != 1)
        return cli_usage("name the member once: --card, --phone, --email%s",
                         cli_takes(cli, OPT_REF) ? " or --ref" : "");
    member_out->identifier = cli->identifiers[0];
    return EXIT_FINE;
}

int args_key(const struct cli *cli, int64_t now_us, uint8_t key_out[LOYAL_KEY_BYTES])
{
    char text[UUID_TEXT_SIZE];

    if (cli->values[OPT_KEY])
        return value_uuid(cli->values[OPT_KEY], key_out)
                   ? EXIT_FINE
                   : cli_usage("--key: a UUID, 32 hexadecimal digits");
    loyal_key_make(now_us, key_out);
    value_uuid_text(key_out, text);
    fprintf(stderr, "key %s\n", text);
    return EXIT_FINE;
}

int args_purpose(const struct cli *cli, enum loyal_purpose *purpose_out)
{
    *purpose_out = 0;
    if (!cli->values[OPT_PURPOSE] || value_purpose(cli->values[OPT_PURPOSE], purpose_out))
        return EXIT_FINE;
    return cli_usage("--purpose: service, offer or analysis");
}

int args_limit(const struct cli *cli, int64_t *limit_out)
{
    const char *limit = cli->values[OPT_LIMIT];

    *limit_out = cli_takes(cli, OPT_LIMIT) ? LIMIT_DEFAULT : 0;
    if (!limit || value_integer(limit, 0, INT32_MAX, limit_out))
        return EXIT_FINE;
    return cli_usage("--limit: a number; 0 for all");
}

/* ---- filters ---- */

static int read_list(struct cli *cli, enum option option, const char **values_out,
                     size_t *count_out)
{
    const char *text = cli->values[option];

    if (!text ||
        value_split((char *)cli_own(cli, strdup(text)), values_out, FILTER_VALUES_MAX, count_out))
        return EXIT_FINE;
    return cli_usage("--%s: at most %d, with commas between them, none empty",
                     option == OPT_MERCHANTS ? "merchants" : "categories", FILTER_VALUES_MAX);
}

static int read_channels(struct cli *cli, struct loyal_filter *filter_out)
{
    enum { CHANNELS_MAX = sizeof filter_out->channels / sizeof filter_out->channels[0] };
    const char *text = cli->values[OPT_CHANNELS], *parts[CHANNELS_MAX] = {NULL};
    bool good = !text || value_split((char *)cli_own(cli, strdup(text)), parts, CHANNELS_MAX,
                                     &filter_out->channel_count);

    for (size_t i = 0; good && i < filter_out->channel_count; i++)
        good = value_channel(parts[i], &filter_out->channels[i]);
    return good ? EXIT_FINE
                : cli_usage("--channels: of pos, web, mobile, call-centre, kiosk, with commas");
}

static int read_days(const struct cli *cli, struct loyal_filter *filter_out)
{
    const char *first = cli->values[OPT_FIRST_DAY], *last = cli->values[OPT_LAST_DAY];

    if (first && !value_date(first, &filter_out->date_first))
        return cli_usage("--first-day: such as 2024-02-29");
    if (last && !value_date(last, &filter_out->date_last))
        return cli_usage("--last-day: such as 2024-02-29");
    if (first && last && filter_out->date_first > filter_out->date_last)
        return cli_usage("--first-day is after --last-day");
    return EXIT_FINE;
}

/* 0 is no bound on the wire, and no purchase is below it: hence not taken. */
static int read_amounts(const struct cli *cli, struct loyal_filter *filter_out)
{
    const char *currency = cli->values[OPT_CURRENCY];
    const char *min = cli->values[OPT_AMOUNT_MIN], *max = cli->values[OPT_AMOUNT_MAX];

    if (min && (!value_amount(min, currency, &filter_out->amount_minor_min) ||
                filter_out->amount_minor_min == 0))
        return cli_usage("--amount-min: such as 21.90, above 0");
    if (max && (!value_amount(max, currency, &filter_out->amount_minor_max) ||
                filter_out->amount_minor_max == 0))
        return cli_usage("--amount-max: such as 21.90, above 0");
    if (min && max && filter_out->amount_minor_min > filter_out->amount_minor_max)
        return cli_usage("--amount-min is above --amount-max");
    return EXIT_FINE;
}

int args_filter(struct cli *cli, struct filter_values *values, struct loyal_filter *filter_out)
{
    int status;

    *filter_out =
        (struct loyal_filter){.merchants = values->merchants, .categories = values->categories};
    status = read_list(cli, OPT_MERCHANTS, values->merchants, &filter_out->merchant_count);
    if (status == EXIT_FINE)
        status = read_list(cli, OPT_CATEGORIES, values->categories, &filter_out->category_count);
    if (status == EXIT_FINE)
        status = read_channels(cli, filter_out);
    if (status == EXIT_FINE)
        status = read_days(cli, filter_out);
    return status == EXIT_FINE ? read_amounts(cli, filter_out) : status;
}
