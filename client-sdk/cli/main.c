/* loyalctl: finds the command of the words given, has its options read, and runs it. Owns main and
 * the overview of all commands; what a command does lies in its cmd_*.c. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void overview(FILE *stream)
{
    fputs("Usage: loyalctl NOUN VERB [OPTION...]\n"
          "The command line of a loyald network, for operators and merchants.\n\n",
          stream);
    for (const struct command *c = COMMANDS; c->noun; c++) {
        char words[64];

        snprintf(words, sizeof words, "%s%s%s%s%s", c->noun, c->verb ? " " : "",
                 c->verb ? c->verb : "", c->argument ? " " : "", c->argument ? c->argument : "");
        fprintf(stream, "  %-22s %s\n", words, c->summary);
    }
    fputs("\n`loyalctl NOUN VERB --help` shows the options of a command. Where the daemon is and "
          "who you\n"
          "are stands in a profile (--profile FILE or $LOYALCTL_PROFILE), a file of `name = value` "
          "with\n"
          "host, port, server_name, certificate, key, authority, merchant; each also as "
          "$LOYALCTL_HOST ...\n"
          "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 the check found something;\n"
          "75 no answer yet: repeat it with the same --key.\n",
          stream);
}

/* The row of these words; how many words it took in *words_out. NULL when there is none. */
static const struct command *find_command(int argc, char **argv, int *words_out)
{
    const struct command *alone = NULL;

    for (const struct command *c = COMMANDS; c->noun; c++) {
        if (strcmp(c->noun, argv[1]) != 0)
            continue;
        if (c->verb && argc > 2 && strcmp(c->verb, argv[2]) == 0) {
            *words_out = 2;
            return c;
        }
        if (!c->verb)
            alone = c;
    }
    *words_out = 1;
    return alone;
}

static int unknown_command(int argc, char **argv)
{
    bool noun_known = false;

    for (const struct command *c = COMMANDS; c->noun; c++) {
        if (strcmp(c->noun, argv[1]) != 0)
            continue;
        if (!noun_known && argc > 2 && strcmp(argv[2], "--help") != 0)
            fprintf(stderr, "loyalctl: %s cannot %s; it can:\n", argv[1], argv[2]);
        noun_known = true;
        fprintf(stderr, "  loyalctl %s %-10s %s\n", c->noun, c->verb, c->summary);
    }
    if (noun_known)
        return argc > 2 && strcmp(argv[2], "--help") == 0 ? EXIT_FINE : EXIT_USAGE;
    return cli_usage("no such command: %s; see loyalctl --help", argv[1]);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    char title[64];
    int status;

    snprintf(title, sizeof title, "loyalctl %s%s%s", command->noun, command->verb ? " " : "",
             command->verb ? command->verb : "");
    argv[0] = title;
    if (cli_parse(&cli, argc, argv, &status))
        status = command->run(&cli);
    cli_close(&cli);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = status == EXIT_FINE ? EXIT_AGAIN : status; /* it is done, but nobody reads so */
    return status;
}

int main(int argc, char **argv)
{
    const struct command *command;
    int words;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        overview(stdout);
        return EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("loyalctl %s (libloyal %s)\n", LOYAL_VERSION, loyal_version());
        return EXIT_FINE;
    }
    command = find_command(argc, argv, &words);
    if (!command)
        return unknown_command(argc, argv);
    return run_command(command, argc - words, argv + words);
}
