/* SPDX-License-Identifier: MIT */
/*
 * The EINTR of a signal reaches the program, also when it comes while a call
 * that we interrupted is about to be made again.
 */
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Without care, one operation in twenty loses one of a single thread. */
#define PRESET_CYCLES 40

TestSuite(woken, .timeout = 600);

Test(woken, no_wake_up_is_lost)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "woken", "4");
	victim_expect(&victim, "alive", "alive=4");
	for (unsigned int i = 0; i < cycle_count(PRESET_CYCLES); i++) {
		upatchctl_apply(victim.target, "work");
		victim_expect(&victim, "alive", "alive=4");
		upatchctl_revert(victim.target, "work");
		victim_expect(&victim, "alive", "alive=4");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}
