/* SPDX-License-Identifier: MIT */
/* Options of a command line, checked against what the command takes. */
#ifndef UPATCHCTL_OPTIONS_H
#define UPATCHCTL_OPTIONS_H

#include <stdio.h>

#include "command.h"

/*
 * argv[0] is the command's name; operands move behind the options.  All
 * arguments are looked at even after a mistake, so that ret_arguments->json is
 * right also when this fails; the first mistake is reported.
 */
UPATCH_MUST_CHECK int options_parse(const struct command *command, int argc,
				    char **argv,
				    struct arguments *ret_arguments,
				    struct upatch_error *err);

/* "12", "0.5", ".25": milliseconds, rounded up. */
UPATCH_MUST_CHECK int options_parse_seconds(const char *text,
					    unsigned int *ret_timeout_ms,
					    struct upatch_error *err);

/* The options of the command, one per line, for its help. */
void options_put_help(FILE *out, const struct command *command);

#endif
