/* The script of `loyalctl completion --shell zsh`: what bash's offers, and beside each word what it
 * means. Called by cmd_completion.c. */
#include "completion.h"

#include <string.h>

static const char HEAD[] =
    "#compdef loyalctl\n"
    "# zsh completion of loyalctl, made by `loyalctl completion --shell zsh`: put it into a folder "
    "of\n"
    "# $fpath as _loyalctl.\n"
    "_loyalctl() {\n"
    "    local -a nouns verbs\n";

static const char VERBS_OFFERED[] =
    "    if ((CURRENT == 3 && $#verbs)) && [[ $words[3] != -* ]]; then\n"
    "        _describe -t commands command verbs\n"
    "        [[ $words[2] != replay ]] || _files\n"
    "        return\n"
    "    fi\n";

/* Inside single quotes; a colon ends a field there, brackets a text. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            printf("%s%c", strchr(":[]\\", *text) ? "\\" : "", *text);
    }
}

static void print_nouns(void)
{
    fputs("    nouns=(--help --version", stdout);
    for (const struct command *c = COMMANDS; c->noun; c++)
        if (completion_is_first(c))
            printf(" %s", c->noun);
    fputs(")\n"
          "    if ((CURRENT == 2)); then\n"
          "        compadd -- $nouns\n"
          "        return\n"
          "    fi\n",
          stdout);
}

static void print_verbs(void)
{
    fputs("    case $words[2] in\n", stdout);
    for (const struct command *c = COMMANDS; c->noun; c++) {
        if (!completion_is_first(c))
            continue;
        printf("        %s) verbs=(", c->noun);
        for (const struct command *of = c; of->noun; of++) {
            if (!of->verb || strcmp(of->noun, c->noun) != 0)
                continue;
            printf("\n            '%s:", of->verb);
            print_quoted(of->summary);
            fputs("'", stdout);
        }
        fputs(") ;;\n", stdout);
    }
    fputs("    esac\n", stdout);
    fputs(VERBS_OFFERED, stdout);
}

static void print_option(enum option option)
{
    const char *value = cli_option_value(option);

    printf(" \\\n            '%s--%s[", option == OPT_LINE ? "*" : "", cli_option_name(option));
    print_quoted(cli_option_help(option));
    fputs("]", stdout);
    if (value)
        printf(":%s:%s", value,
               strcmp(value, "FILE") == 0  ? "_files"
               : strcmp(value, "DIR") == 0 ? "_files -/"
                                           : "");
    fputs("'", stdout);
}

/* The words that are there already come first; _arguments counts them. */
static void print_command(const struct command *command)
{
    unsigned char options[OPT_COUNT];
    size_t count = cli_options_of(command, options);

    printf("        '%s %s'%s) _arguments '1: :' ", command->noun,
           command->verb ? command->verb : "", command->verb ? "" : "*");
    if (command->verb)
        fputs("'2: :' ", stdout);
    fputs(command->argument ? "'*:FILE:_files'" : "'*: :'", stdout);
    for (size_t i = 0; i < count; i++)
        print_option(options[i]);
    fputs(" ;;\n", stdout);
}

void completion_zsh(void)
{
    fputs(HEAD, stdout);
    print_nouns();
    print_verbs();
    fputs("    case \"$words[2] $words[3]\" in\n", stdout);
    for (int with_verb = 1; with_verb >= 0; with_verb--)
        for (const struct command *c = COMMANDS; c->noun; c++)
            if ((c->verb != NULL) == with_verb)
                print_command(c);
    fputs("    esac\n"
          "}\n"
          "_loyalctl \"$@\"\n",
          stdout);
}
