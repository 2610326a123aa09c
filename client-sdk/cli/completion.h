/* What the scripts of `loyalctl completion` share: cmd_completion.c makes bash's, completion_zsh.c
 * zsh's. */
#pragma once

#include "commands.h"

/* Whether no row above it has its noun. */
bool completion_is_first(const struct command *command);
void completion_zsh(void);
