/* SPDX-License-Identifier: MIT */
/* What an operand is meant to be. */
#include "operand.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libupatch/error.h"

static const char *const selector_kinds[] = {
	"exe:", "comm:", "lib:", "cgroup:", "unit:",
};

bool operand_is_selector(const char *operand)
{
	const char *kind;
	size_t i;

	for (i = 0; i < sizeof(selector_kinds) / sizeof(*selector_kinds); i++) {
		kind = selector_kinds[i];
		if (strncmp(operand, kind, strlen(kind)) == 0)
			return true;
	}
	return false;
}

static bool is_number(const char *operand)
{
	return operand[0] != '\0' &&
	       operand[strspn(operand, "0123456789")] == '\0';
}

bool operand_is_target(const char *operand)
{
	return is_number(operand) || operand_is_selector(operand);
}

int operand_parse_pid(const char *operand, pid_t *ret_pid,
		      struct upatch_error *err)
{
	unsigned long pid;

	if (!is_number(operand))
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "'%s' is not a process id", operand);
	errno = 0;
	pid = strtoul(operand, NULL, 10);
	if (errno != 0 || pid == 0 || pid > INT_MAX)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "'%s' cannot be a process id", operand);
	*ret_pid = (pid_t)pid;
	return 0;
}
