/* SPDX-License-Identifier: MIT */
/* Which operands of upatchctl name a process. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "operand.h"

Test(operand, what_is_no_process_id_is_a_usage_error)
{
	static const struct {
		const char *operand;
		const char *reason;
	} cases[] = {
		{ "nginx", "is not a process id" },
		{ "-1", "is not a process id" },
		{ "1x", "is not a process id" },
		{ "", "is not a process id" },
		{ "0", "cannot be a process id" },
		{ "2147483648", "cannot be a process id" },
		{ "99999999999999999999", "cannot be a process id" },
	};
	pid_t pid = 4711;
	struct upatch_error err;
	bool is_named;
	size_t i;
	int code;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		code = operand_parse_pid(cases[i].operand, &pid, &err);
		cr_assert(eq(int, code, UPATCH_ERROR_ARGUMENT), "%s",
			  cases[i].operand);
		cr_assert(eq(int, pid, 4711), "%s", cases[i].operand);
		is_named = strstr(err.message, cases[i].reason) != NULL;
		cr_assert(is_named, "%s: %s", cases[i].operand, err.message);
	}
}

Test(operand, files_are_told_from_processes)
{
	cr_assert(operand_is_target("4711"));
	cr_assert(operand_is_target("exe:/bin/cat"));
	cr_assert(operand_is_selector("unit:nginx.service"));
	cr_assert(not(operand_is_selector("4711")));
	cr_assert(not(operand_is_selector("./exe:a")));
	cr_assert(not(operand_is_target("./4711")));
	cr_assert(not(operand_is_target("/usr/sbin/nginx")));
	cr_assert(not(operand_is_target("nginx")));
}

Test(operand, process_ids_are_read_up_to_the_largest)
{
	struct upatch_error err;
	pid_t pid = 0;
	int code = operand_parse_pid("2147483647", &pid, &err);

	cr_assert(eq(int, code, 0));
	cr_assert(eq(int, pid, 2147483647));
}
