/* `loyalctl completion`: a script for bash or zsh, made of the table of commands, so that it cannot
 * miss one. Called through the table in commands.c. */
#include "completion.h"

#include <string.h>

static const char HEAD[] =
    "# bash completion of loyalctl, made by `loyalctl completion`: source it, or put it where\n"
    "# bash-completion looks, as share/bash-completion/completions/loyalctl.\n"
    "_loyalctl() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verbs='' "
    "words=''\n"
    "    COMPREPLY=()\n";

static const char TAIL[] = "    if ((COMP_CWORD == 2)) && [[ -n $verbs && $current != -* ]]; then\n"
                           "        words=$verbs\n"
                           "    fi\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
                           "    [[ $current == -* || ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t "
                           "COMPREPLY < <(compgen -f -- \"$current\")\n"
                           "}\n"
                           "complete -o filenames -F _loyalctl loyalctl\n";

bool completion_is_first(const struct command *command)
{
    for (const struct command *c = COMMANDS; c < command; c++)
        if (strcmp(c->noun, command->noun) == 0)
            return false;
    return true;
}

/* Options whose value is a file: completed as one. */
static void print_files(void)
{
    bool any = false;

    fputs("    case $before in\n        ", stdout);
    for (int option = OPT_NONE + 1; option < OPT_COUNT; option++) {
        const char *value = cli_option_value((enum option)option);

        if (!value || (strcmp(value, "FILE") != 0 && strcmp(value, "DIR") != 0))
            continue;
        printf("%s--%s", any ? " | " : "", cli_option_name((enum option)option));
        any = true;
    }
    fputs(")\n"
          "            mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "            return\n"
          "            ;;\n"
          "    esac\n",
          stdout);
}

static void print_nouns(void)
{
    fputs("    if ((COMP_CWORD == 1)); then\n        words='--help --version", stdout);
    for (const struct command *c = COMMANDS; c->noun; c++)
        if (completion_is_first(c))
            printf(" %s", c->noun);
    fputs("'\n    fi\n", stdout);
}

static void print_verbs(void)
{
    fputs("    case ${COMP_WORDS[1]} in\n", stdout);
    for (const struct command *c = COMMANDS; c->noun; c++) {
        if (!completion_is_first(c))
            continue;
        printf("        %s) verbs='", c->noun);
        for (const struct command *of = c; of->noun; of++)
            if (of->verb && strcmp(of->noun, c->noun) == 0)
                printf("%s%s", of == c ? "" : " ", of->verb);
        fputs("' ;;\n", stdout);
    }
    fputs("    esac\n", stdout);
}

static void print_options(void)
{
    unsigned char options[OPT_COUNT];

    fputs("    ((COMP_CWORD < 2)) || case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n", stdout);
    for (int with_verb = 1; with_verb >= 0; with_verb--)
        for (const struct command *c = COMMANDS; c->noun; c++) {
            size_t count = cli_options_of(c, options);

            if ((c->verb != NULL) != with_verb)
                continue;
            printf("        '%s %s'%s) words='", c->noun, c->verb ? c->verb : "",
                   c->verb ? "" : "*");
            for (size_t i = 0; i < count; i++)
                printf("%s--%s", i == 0 ? "" : " ", cli_option_name(options[i]));
            fputs("' ;;\n", stdout);
        }
    fputs("    esac\n", stdout);
}

static void completion_bash(void)
{
    fputs(HEAD, stdout);
    print_files();
    print_nouns();
    print_verbs();
    print_options();
    fputs(TAIL, stdout);
}

int cmd_completion(struct cli *cli)
{
    const char *shell = cli->values[OPT_SHELL];

    if (shell && strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
        return cli_usage("--shell: bash or zsh");
    if (shell && shell[0] == 'z')
        completion_zsh();
    else
        completion_bash();
    return EXIT_FINE;
}
