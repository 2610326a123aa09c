/* What every command of loyalctl gets: its options, an answer's way to the screen, and the exit
 * codes. Owned by main.c, options.c and call.c; each cmd_*.c is called through the table in
 * commands.c and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <loyal/loyal.h>

#include "options.h"

enum exit_status {
    EXIT_FINE = 0,
    EXIT_REFUSED = 1,  /* refused by the network, or something local went wrong: no effect */
    EXIT_USAGE = 2,    /* nothing was sent */
    EXIT_FINDINGS = 3, /* `conservation check` found rows that disagree */
    EXIT_AGAIN = 75,   /* retry or unknown (EX_TEMPFAIL): run it again, with the same --key */
};

enum role { ROLE_LOCAL, ROLE_OPERATOR, ROLE_TERMINAL, ROLE_ANY };

enum { IDENTIFIERS_MAX = 8, LINES_MAX = 200, COMMAND_OPTIONS_MAX = 16 };

struct cli {
    const struct command *command;
    const char *values[OPT_COUNT]; /* NULL: not given; a flag: "" */
    const char *argument;          /* the FILE, where the command takes one */
    struct loyal_identifier identifiers[IDENTIFIERS_MAX];
    size_t identifier_count;
    const char *lines[LINES_MAX];
    size_t line_count;
    char **owned; /* strings that live as long as this */
    size_t owned_count;
};

struct command {
    const char *noun, *verb; /* verb NULL: the noun alone */
    const char *argument;    /* its name in the usage; NULL: takes none */
    const char *summary;     /* one line */
    enum role role;          /* as whom it connects */
    int (*run)(struct cli *cli);
    unsigned char required[COMMAND_OPTIONS_MAX]; /* enum option, ended by OPT_NONE */
    unsigned char optional[COMMAND_OPTIONS_MAX];
    const char *details; /* printed below --help; NULL: none */
};

/* commands.c: ended by a row without noun. */
extern const struct command COMMANDS[];

/* ---- options.c ---- */

/* Reads what follows the command's words. False: *exit_out says how to leave (help was asked for,
 * or a mistake was reported). */
__attribute__((warn_unused_result)) bool cli_parse(struct cli *cli, int argc, char **argv,
                                                   int *exit_out);
void cli_close(struct cli *cli);
/* The command has this option of its own. */
bool cli_takes(const struct cli *cli, enum option option);
/* All options that it has, OPT_COUNT at most; how one is spelt, and what stands for its value
 * (NULL: a flag). */
size_t cli_options_of(const struct command *command, unsigned char *options_out);
const char *cli_option_name(enum option option);
const char *cli_option_value(enum option option); /* NULL: a flag */
const char *cli_option_help(enum option option);
/* Takes over a malloc'ed string until cli_close. */
const char *cli_own(struct cli *cli, char *text);
/* One line on stderr; returns EXIT_USAGE or EXIT_REFUSED, to be returned by the command. */
__attribute__((format(printf, 1, 2))) int cli_usage(const char *format, ...);
__attribute__((format(printf, 1, 2))) int cli_fail(const char *format, ...);

/* ---- call.c ---- */

/* The client of this command's connection options; NULL when one is missing or unreadable
 * (reported). */
struct loyal_client *cli_client(struct cli *cli);
/* The same, connected: the server's time is known. Returns an exit status. */
int cli_connect(struct cli *cli, struct loyal_client **client_out);
/* Fills everything of loyal_options but certificate, key and merchant. False: no authority is named
 * (reported). */
__attribute__((warn_unused_result)) bool cli_connection(const struct cli *cli,
                                                        struct loyal_options *options_out);
/* One call; anything but OK is reported on stderr. Returns an exit status; the answer lives until
 * the next call. */
int cli_call(struct loyal_client *client, const struct loyal_request *request,
             const struct loyal_answer **answer_out);
/* Reports an answer that is not OK, and gives its exit status. */
int cli_report(const struct loyal_answer *answer);
