/* Owns a command's way to the daemon: which certificate, which host, one call, and what to say when
 * the answer is not OK. Called by the cmd_*.c; it never decides what to ask. */
#include "cli.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

bool cli_connection(const struct cli *cli, struct loyal_options *options_out)
{
    int64_t deadline_ms = 0;

    memset(options_out, 0, sizeof *options_out);
    if (!cli->values[OPT_AUTHORITY]) {
        cli_usage("no --authority: name one, or a --profile that does");
        return false;
    }
    if (cli->values[OPT_DEADLINE] &&
        !value_integer(cli->values[OPT_DEADLINE], 1, 3600000, &deadline_ms)) {
        cli_usage("--deadline: milliseconds, 1 to 3600000");
        return false;
    }
    options_out->host = cli->values[OPT_HOST] ? cli->values[OPT_HOST] : "localhost";
    options_out->port = cli->values[OPT_PORT];
    options_out->server_name = cli->values[OPT_SERVER_NAME];
    options_out->authority_file = cli->values[OPT_AUTHORITY];
    options_out->deadline_ms = (uint32_t)deadline_ms;
    options_out->software = "loyalctl " LOYAL_VERSION;
    return true;
}

struct loyal_client *cli_client(struct cli *cli)
{
    struct loyal_options options;
    struct loyal_client *client;
    char error[256];

    if (!cli_connection(cli, &options))
        return NULL;
    if (!cli->values[OPT_MY_CERTIFICATE] || !cli->values[OPT_MY_KEY]) {
        cli_usage("no --my-certificate or --my-key: name them, or a --profile that does");
        return NULL;
    }
    options.certificate_file = cli->values[OPT_MY_CERTIFICATE];
    options.key_file = cli->values[OPT_MY_KEY];
    if (cli->command->role != ROLE_OPERATOR)
        options.merchant = cli->values[OPT_MERCHANT];
    client = loyal_client_create(&options, error, sizeof error);
    if (!client)
        cli_fail("%s", error);
    return client;
}

int cli_connect(struct cli *cli, struct loyal_client **client_out)
{
    const struct loyal_answer *answer;

    *client_out = cli_client(cli);
    if (!*client_out)
        return EXIT_USAGE;
    if (loyal_connect(*client_out, &answer) == LOYAL_OK)
        return EXIT_FINE;
    return cli_report(answer);
}

int cli_report(const struct loyal_answer *answer)
{
    static const char *const KINDS[] = {[LOYAL_OK] = "ok",
                                        [LOYAL_REFUSED] = "refused",
                                        [LOYAL_RETRY] = "no effect yet, try again",
                                        [LOYAL_UNKNOWN] = "unknown, ask again with the same key"};

    fprintf(stderr, "loyalctl: %s: %s: %s%s%s\n", KINDS[answer->kind], answer->code_name,
            answer->text, answer->field[0] ? ", field " : "", answer->field);
    return answer->kind == LOYAL_REFUSED ? EXIT_REFUSED : EXIT_AGAIN;
}

int cli_call(struct loyal_client *client, const struct loyal_request *request,
             const struct loyal_answer **answer_out)
{
    if (loyal_call(client, request, answer_out) == LOYAL_OK)
        return EXIT_FINE;
    return cli_report(*answer_out);
}
