/* `loyalctl cert`: authority, server, terminal and operator bundles. Called through the table in
 * commands.c. */
#include "cert.h"
#include "commands.h"
#include "output.h"
#include "values.h"

#include <string.h>

/* Codes stand in a URI of the certificate: letters, digits, - and _ only, as the network takes
 * them. */
static bool is_code(const char *text)
{
    size_t length = strlen(text);

    return length >= 1 && length <= 32 && text[0] != '-' && text[0] != '_' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

static int check_codes(const struct cert_request *request)
{
    const char *const codes[] = {request->network, request->merchant, request->terminal,
                                 request->operator_name};

    for (size_t i = 0; i < 4; i++)
        if (codes[i] && !is_code(codes[i]))
            return cli_usage("%s: 1 to 32 of a to z, digits, - and _, a letter or digit first",
                             codes[i]);
    return EXIT_FINE;
}

static int make(struct cli *cli, struct cert_request *request)
{
    static const char *const columns[] = {"certificate", "key", "sha256", NULL};
    uint8_t fingerprint[32];
    char text[65], path[4096], error[512];
    int64_t days = request->role == CERT_AUTHORITY ? 3650 : 825;
    struct table *table;

    if (cli->values[OPT_DAYS] && !value_integer(cli->values[OPT_DAYS], 1, 36500, &days))
        return cli_usage("--days: 1 to 36500");
    if (check_codes(request) != EXIT_FINE)
        return EXIT_USAGE;
    request->days = (int)days;
    request->ca_folder = cli->values[OPT_CA];
    request->out_folder = cli->values[OPT_OUT];
    if (!cert_make(request, fingerprint, error, sizeof error))
        return cli_fail("%s", error);
    table = table_create(columns);
    snprintf(path, sizeof path, "%s/%s.crt", request->out_folder, cert_file_name(request->role));
    table_text(table, path);
    snprintf(path, sizeof path, "%s/%s.key", request->out_folder, cert_file_name(request->role));
    table_text(table, path);
    value_hex_text(fingerprint, sizeof fingerprint, text);
    table_text(table, text);
    output_object(cli->values[OPT_JSON], table);
    return EXIT_FINE;
}

int cmd_cert_authority(struct cli *cli)
{
    struct cert_request request = {.role = CERT_AUTHORITY, .network = cli->values[OPT_NETWORK]};

    return make(cli, &request);
}

int cmd_cert_server(struct cli *cli)
{
    struct cert_request request = {.role = CERT_SERVER, .names = cli->values[OPT_NAMES]};

    return make(cli, &request);
}

int cmd_cert_terminal(struct cli *cli)
{
    struct cert_request request = {.role = CERT_TERMINAL,
                                   .merchant = cli->values[OPT_MERCHANT],
                                   .terminal = cli->values[OPT_CODE]};

    return make(cli, &request);
}

int cmd_cert_operator(struct cli *cli)
{
    struct cert_request request = {.role = CERT_OPERATOR,
                                   .operator_name = cli->values[OPT_OPERATOR]};

    return make(cli, &request);
}
