/* SPDX-License-Identifier: MIT */
/*
 * An ordinary user patches his own processes, and nobody else's.
 */
#include "deadline.h"
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define AS_ORDINARY_USER                                                       \
	"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"

TestSuite(unprivileged, .timeout = 120);

static const char *const as_ordinary_user[] = { AS_ORDINARY_USER, NULL };

/* The build may lie where only its owner can look. */
static bool can_run(const char *path)
{
	const char *const argv[] = { AS_ORDINARY_USER, "test", "-x", path,
				     NULL };
	struct child child;
	int status;

	child_start(&child, argv, 0);
	return child_wait(&child, DEADLINE_MS, &status) && status == 0;
}

/* Root becomes an ordinary user, who else stays the one he is. */
static void start_as_ordinary_user(struct victim *victim)
{
	const char *path = path_of_victim("workers");

	require_ptrace();
	if (geteuid() != 0) {
		VICTIM_START(victim, "workers", "sleep", "4");
		return;
	}
	if (access(as_ordinary_user[0], X_OK) != 0)
		cr_skip("setpriv is not installed");
	if (!can_run(path) || !can_run(path_of_upatchctl()))
		cr_skip("an ordinary user may not run %s", path);
	VICTIM_START(victim, AS_ORDINARY_USER, path, "sleep", "4");
	upatchctl_run_under(as_ordinary_user);
}

Test(unprivileged, user_patches_his_own_process)
{
	struct victim victim;
	struct snapshot before;

	start_as_ordinary_user(&victim);
	snapshot_take(victim.pid, &before);
	for (unsigned int i = 0; i < cycle_count(3); i++) {
		upatchctl_apply(victim.target, "work");
		cr_assert(victim_number(victim_ask(&victim, "round"), "old") ==
			  0);
		upatchctl_revert(victim.target, "work");
		cr_assert(victim_number(victim_ask(&victim, "round"), "new") ==
			  0);
	}
	snapshot_expect_kept(victim.pid, &before, SNAPSHOT_CODE, "reverted");
	victim_check_undisturbed(&victim);
	snapshot_free(&before);
	victim_stop(&victim);
}

Test(unprivileged, process_of_another_user_is_refused)
{
	struct victim victim;
	char other[16] = "1";

	start_as_ordinary_user(&victim);
	/* Run by root, the test itself is such a process. */
	if (geteuid() == 0)
		snprintf(other, sizeof(other), "%d", getpid());
	EXPECT_EXIT(EXIT_NOT_PERMITTED, "apply", other, path_of_patch("work"));
	EXPECT_EXIT(EXIT_NOT_PERMITTED, "revert", other, "work");
	EXPECT_EXIT(EXIT_NOT_PERMITTED, "status", other);
	victim_stop(&victim);
}

/* Root patches the process of an ordinary user. */
Test(unprivileged, root_patches_the_process_of_a_user)
{
	static const char *const as_root[] = { NULL };
	struct victim victim;

	if (geteuid() != 0)
		cr_skip("needs root");
	start_as_ordinary_user(&victim);
	upatchctl_run_under(as_root);
	upatchctl_apply(victim.target, "work");
	cr_assert(victim_number(victim_ask(&victim, "round"), "old") == 0);
	upatchctl_revert(victim.target, "work");
	victim_stop(&victim);
}
