/* What a merchant asks about purchases elsewhere: a member's, those of members never met, and how
 * many there are (R38, R39); and its refs under the network's newest key. Called through the table
 * in commands.c. */
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "listing.h"
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- purchases elsewhere ---- */

/* A request that narrows purchases, and what it points to. */
struct question {
    struct loyal_request request;
    struct filter_values values;
};

static int question_read(struct question *question, struct cli *cli, enum loyal_verb verb)
{
    int status;

    *question = (struct question){.request.verb = verb};
    status = args_purpose(cli, &question->request.purpose);
    return status == EXIT_FINE ? args_filter(cli, &question->values, &question->request.filter)
                               : status;
}

static void purchase_rows(void *context, const struct loyal_answer *answer, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++)
        cell_purchase(context, &answer->purchases[i]);
}

int cmd_purchase_query(struct cli *cli)
{
    static const char *const columns[] = {PURCHASE_COLUMNS, NULL};
    struct question question;
    int status = question_read(&question, cli, LOYAL_QUERY_PURCHASES);

    if (status == EXIT_FINE)
        status = args_member(cli, &question.request.member);
    if (status != EXIT_FINE)
        return status;
    return listing_print(cli, &question.request, columns, purchase_rows);
}

/* For people: a row for each purchase shown. */
static void customer_rows(void *context, const struct loyal_answer *answer, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        const struct loyal_member_never_met *member = &answer->members_never_met[i];

        for (size_t j = 0; j < member->purchase_count; j++) {
            bool last = j + 1 == member->purchase_count;

            cell_ref(context, member->ref);
            cell_purchase(context, &member->purchases[j]);
            table_text(context, last && member->more ? "and more" : "");
        }
    }
}

/* For programs: a row for each member, his purchases in it. */
static void customer_objects(void *context, const struct loyal_answer *answer, size_t row_count)
{
    static const char *const columns[] = {PURCHASE_COLUMNS, NULL};

    for (size_t i = 0; i < row_count; i++) {
        const struct loyal_member_never_met *member = &answer->members_never_met[i];
        struct table *purchases = table_create(columns);

        for (size_t j = 0; j < member->purchase_count; j++)
            cell_purchase(purchases, &member->purchases[j]);
        cell_ref(context, member->ref);
        table_nested(context, purchases, "");
        table_flag(context, member->more);
    }
}

int cmd_customer_list(struct cli *cli)
{
    static const char *const rows[] = {"ref", PURCHASE_COLUMNS, "more", NULL};
    static const char *const objects[] = {"ref", "purchases", "more", NULL};
    struct question question;
    int status = question_read(&question, cli, LOYAL_LIST_MEMBERS_NEVER_MET);

    if (status != EXIT_FINE)
        return status;
    if (cli->values[OPT_JSON])
        return listing_print(cli, &question.request, objects, customer_objects);
    return listing_print(cli, &question.request, rows, customer_rows);
}

/* ---- count ---- */

static void cell_group(struct table *table, bool fewer, uint64_t members, uint32_t k)
{
    char text[32];

    snprintf(text, sizeof text, "fewer than %" PRIu32, k);
    fewer ? table_means(table, text) : table_number(table, (int64_t)members);
}

static void show_count(struct cli *cli, const struct loyal_count *count)
{
    static const char *const columns[] = {"with_grant",   "without_grant",  "k", "counted_at",
                                          "asked_before", "questions_left", NULL};
    struct table *table = table_create(columns);

    cell_group(table, count->with_grant_fewer, count->with_grant, count->k);
    cell_group(table, count->without_grant_fewer, count->without_grant, count->k);
    table_number(table, count->k);
    cell_time(table, count->counted_at_us);
    table_flag(table, count->released_before);
    table_number(table, count->questions_left);
    output_object(cli->values[OPT_JSON], table);
}

int cmd_customer_count(struct cli *cli)
{
    struct question question;
    struct loyal_client *client;
    const struct loyal_answer *answer;
    int64_t k = 0;
    int status = question_read(&question, cli, LOYAL_COUNT_MEMBERS);

    if (status != EXIT_FINE)
        return status;
    if (cli->values[OPT_K] && !value_integer(cli->values[OPT_K], 1, 1000000, &k))
        return cli_usage("--k: a number from 1 to 1000000");
    question.request.k = (uint32_t)k;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &question.request, &answer);
    if (status == EXIT_FINE)
        show_count(cli, &answer->count);
    loyal_client_destroy(&client);
    return status;
}

/* ---- refs ---- */

enum { REFS_A_CALL = 500 };

struct translation {
    struct loyal_client *client;
    struct table *table;
    uint8_t refs[REFS_A_CALL][LOYAL_REF_BYTES];
    size_t count;
};

static int translation_flush(struct translation *translation)
{
    struct loyal_request request = {.verb = LOYAL_TRANSLATE_REFS,
                                    .refs = (const uint8_t(*)[LOYAL_REF_BYTES])translation->refs,
                                    .ref_count = translation->count};
    const struct loyal_answer *answer;
    int status =
        translation->count > 0 ? cli_call(translation->client, &request, &answer) : EXIT_FINE;

    if (status != EXIT_FINE || translation->count == 0)
        return status;
    if (answer->list_count != translation->count)
        return cli_fail("the daemon answered %zu refs for %zu", answer->list_count,
                        translation->count);
    for (size_t i = 0; i < translation->count; i++) {
        cell_ref(translation->table, translation->refs[i]);
        cell_ref(translation->table, answer->refs[i]);
    }
    translation->count = 0;
    return EXIT_FINE;
}

static int translation_read(struct translation *translation, FILE *file)
{
    char line[128];
    int status = EXIT_FINE;

    for (int number = 1; status == EXIT_FINE && fgets(line, sizeof line, file); number++) {
        line[strcspn(line, " \t\r\n")] = '\0';
        if (line[0] == '\0')
            continue;
        if (!value_hex(line, translation->refs[translation->count], LOYAL_REF_BYTES))
            return cli_usage("line %d: not a ref of %d hexadecimal digits", number,
                             2 * LOYAL_REF_BYTES);
        if (++translation->count == REFS_A_CALL)
            status = translation_flush(translation);
    }
    if (ferror(file))
        return cli_fail("cannot read: %s", strerror(errno));
    return status == EXIT_FINE ? translation_flush(translation) : status;
}

int cmd_ref_translate(struct cli *cli)
{
    static const char *const columns[] = {"old", "new", NULL};
    bool is_stdin = strcmp(cli->argument, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(cli->argument, "re");
    struct translation translation = {0};
    int status;

    if (!file)
        return cli_fail("%s: %s", cli->argument, strerror(errno));
    translation.client = cli_client(cli);
    translation.table = table_create(columns);
    status = translation.client ? translation_read(&translation, file) : EXIT_USAGE;
    if (status == EXIT_FINE)
        output_rows(cli->values[OPT_JSON], translation.table);
    else
        table_destroy(&translation.table);
    loyal_client_destroy(&translation.client);
    if (!is_stdin)
        fclose(file);
    return status;
}
