/* Who may take part: suspends, resumes or revokes a merchant, store, terminal, operator or member,
 * and changes a terminal's certificates. Called through the table in commands.c: the command's two
 * words say whom and what. */
#include "arguments.h"
#include "cert.h"
#include "commands.h"
#include "output.h"
#include "values.h"

#include <string.h>

static enum loyal_subject subject_of(const char *noun)
{
    static const char *const NOUNS[] = {[LOYAL_SUBJECT_MEMBER] = "member",
                                        [LOYAL_SUBJECT_MERCHANT] = "merchant",
                                        [LOYAL_SUBJECT_STORE] = "store",
                                        [LOYAL_SUBJECT_TERMINAL] = "terminal",
                                        [LOYAL_SUBJECT_OPERATOR] = "operator"};
    int subject = LOYAL_SUBJECT_OPERATOR;

    while (subject > LOYAL_SUBJECT_MEMBER && strcmp(NOUNS[subject], noun) != 0)
        subject--;
    return (enum loyal_subject)subject;
}

static enum loyal_standing standing_of(const char *verb)
{
    if (strcmp(verb, "suspend") == 0)
        return LOYAL_SUSPENDED;
    return strcmp(verb, "revoke") == 0 || strcmp(verb, "retire") == 0 ? LOYAL_REVOKED
                                                                      : LOYAL_ACTIVE;
}

/* One of a terminal's certificates: by its file or, where that is not at hand, by its hash. */
static int read_certificate(const struct cli *cli, struct loyal_terminal *terminal)
{
    const char *file = cli->values[OPT_CERTIFICATE], *hash = cli->values[OPT_FINGERPRINT];
    char error[256];

    if (file && !cert_fingerprint(file, terminal->certificate_sha256, error, sizeof error))
        return cli_fail("%s", error);
    if (hash && !value_hex(hash, terminal->certificate_sha256, sizeof terminal->certificate_sha256))
        return cli_usage("--fingerprint: 64 hexadecimal digits, as `terminal list` shows them");
    return EXIT_FINE;
}

/* Fills the subject; its name as typed goes to *name_out. */
static int read_subject(const struct cli *cli, struct loyal_request *request,
                        struct loyal_store *store, const char **name_out)
{
    const char *code = cli->values[OPT_CODE], *merchant = cli->values[OPT_MERCHANT];

    *name_out = code;
    switch (request->subject) {
    case LOYAL_SUBJECT_MERCHANT: request->merchant.code = code; return EXIT_FINE;
    case LOYAL_SUBJECT_STORE:
        *store = (struct loyal_store){.merchant = merchant, .code = code};
        request->stores = store;
        request->store_count = 1;
        return EXIT_FINE;
    case LOYAL_SUBJECT_TERMINAL:
        request->terminal = (struct loyal_terminal){.merchant = merchant, .code = code};
        return EXIT_FINE;
    case LOYAL_SUBJECT_CERTIFICATE:
        request->terminal = (struct loyal_terminal){.merchant = merchant, .code = code};
        return read_certificate(cli, &request->terminal);
    case LOYAL_SUBJECT_OPERATOR:
        *name_out = request->operator_name = cli->values[OPT_OPERATOR];
        return EXIT_FINE;
    case LOYAL_SUBJECT_MEMBER: break;
    }
    *name_out = cli->values[OPT_REF] ? cli->values[OPT_REF] : cli->identifiers[0].value;
    return args_member(cli, &request->member);
}

int cmd_standing(struct cli *cli)
{
    static const char *const columns[] = {"subject", "merchant", "name", "standing", NULL};
    struct loyal_request request = {.verb = LOYAL_SET_STANDING,
                                    .subject = subject_of(cli->command->noun),
                                    .standing = standing_of(cli->command->verb),
                                    .reason = cli->values[OPT_REASON]};
    struct loyal_store store;
    struct loyal_client *client;
    const struct loyal_answer *answer;
    const char *name;
    bool is_certificate = cli_takes(cli, OPT_CERTIFICATE) || cli_takes(cli, OPT_FINGERPRINT);
    int status;

    if (is_certificate)
        request.subject = LOYAL_SUBJECT_CERTIFICATE;
    status = read_subject(cli, &request, &store, &name);
    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE) {
        struct table *table = table_create(columns);

        table_text(table, is_certificate ? "certificate" : cli->command->noun);
        cli_takes(cli, OPT_MERCHANT) ? table_text(table, cli->values[OPT_MERCHANT])
                                     : table_none(table);
        table_text(table, name);
        table_text(table, value_standing_text(request.standing));
        output_object(cli->values[OPT_JSON], table);
    }
    loyal_client_destroy(&client);
    return status;
}
