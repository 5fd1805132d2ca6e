/* SPDX-License-Identifier: MIT */
/*
 * Callers that rely on more than the ABI promises get what they rely on,
 * whatever the new functions do to registers and however the stack stands.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(shield, .timeout = 120);

static const char old_results[] =
	"ints=7321 doubles=821 many=11095 longs=414021 mixed=40071 long_double=71 large=424021 variadic=621";
static const char new_results[] =
	"ints=8321 doubles=1821 many=11096 longs=424121 mixed=41171 long_double=171 large=434121 variadic=721";

/* Without AVX the victim reports 0 for vectors. */
static void expect_results(struct victim *victim, const char *results,
			   const char *vectors)
{
	const char *answer = victim_ask(victim, "call");
	const char *tail = strstr(answer, " vectors=");

	if (tail == NULL || strncmp(answer, results, strlen(results)) != 0 ||
	    (strcmp(tail, " vectors=0") != 0 && strcmp(tail, vectors) != 0))
		cr_fatal("%s, expected %s%s", answer, results, vectors);
}

Test(shield, callers_keep_their_registers)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "caller_regs");
	expect_results(&victim, old_results, " vectors=4876.5");
	for (int i = 0; i < 3; i++) {
		upatchctl_apply(victim.target, "caller_regs");
		expect_results(&victim, new_results, " vectors=5987.5");
		upatchctl_revert(victim.target, "caller_regs");
		expect_results(&victim, old_results, " vectors=4876.5");
	}
	victim_stop(&victim);
}

Test(shield, exception_passes)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "thrower");
	victim_expect(&victim, "ok", "value=7321");
	victim_expect(&victim, "bad", "value=14322");
	upatchctl_apply(victim.target, "thrower");
	victim_expect(&victim, "ok", "value=8321");
	victim_expect(&victim, "bad", "caught from the new code");
	victim_expect(&victim, "ok", "value=8321");
	upatchctl_revert(victim.target, "thrower");
	victim_expect(&victim, "bad", "value=14322");
	victim_stop(&victim);
}

Test(shield, check_says_which_functions_need_it)
{
	struct victim victim;
	json_error_t error;
	struct run run;
	json_t *check, *func;
	size_t shielded = 0, i;

	require_ptrace();
	VICTIM_START(&victim, "caller_regs");
	run = UPATCHCTL("check", "--json", path_of_patch("caller_regs"),
			victim.target);
	cr_assert(run.exit_status == EXIT_DONE);
	check = json_loads(run.out, 0, &error);
	json_array_foreach(json_object_get(check, "funcs"), i, func) shielded +=
		upatchctl_has(func, "shielded", JSON_TRUE);
	/* All are leaves. */
	cr_assert(shielded == json_array_size(json_object_get(check, "funcs")));
	cr_assert(shielded > 0);
	json_decref(check);
	run_free(&run);
	victim_stop(&victim);
}
