/* SPDX-License-Identifier: MIT */
/* What --help prints. */
#ifndef UPATCHCTL_HELP_H
#define UPATCHCTL_HELP_H

#include <stdio.h>

#include "command.h"

/* `commands` ends with NULL. */
void help_put_program(FILE *out, const struct command *const *commands);
void help_put_command(FILE *out, const struct command *command);

#endif
