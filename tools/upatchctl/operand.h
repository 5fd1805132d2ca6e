/* SPDX-License-Identifier: MIT */
/* What an operand is meant to be. */
#ifndef UPATCHCTL_OPERAND_H
#define UPATCHCTL_OPERAND_H

#include <stdbool.h>

#include <upatch/upatch.h>

/* exe:PATH and the like: all processes of which this is true. */
bool operand_is_selector(const char *operand);
/* Can only be meant as a process: a number, or a selector such as exe:PATH. */
bool operand_is_target(const char *operand);

UPATCH_MUST_CHECK int operand_parse_pid(const char *operand, pid_t *ret_pid,
					struct upatch_error *err);

#endif
