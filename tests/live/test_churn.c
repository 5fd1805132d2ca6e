/* SPDX-License-Identifier: MIT */
/*
 * Processes that hold the locks of the allocator and of the loader nearly all
 * the time, and processes whose threads come and go.
 */
#include "paths.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* UPATCH_CYCLES=200 is the long run. */
#define PRESET_CYCLES 15
#define SETXID_CYCLES 10
#define SETXID_FIRSTS 6
#define PARENTS	      3
#define STORM_CYCLES  5

TestSuite(churn, .timeout = 600);

static void run_churn(const char *kind)
{
	struct victim victim;
	const char *answer;

	require_ptrace();
	VICTIM_START(&victim, "churn", kind, path_of_victim("libtarget_a.so"));
	for (unsigned int i = 0; i < cycle_count(PRESET_CYCLES); i++) {
		upatchctl_apply(victim.target, "work");
		answer = victim_ask(&victim, "round");
		if (victim_number(answer, "old") != 0)
			cr_fatal("cycle %u, applied: %s", i, answer);
		upatchctl_revert(victim.target, "work");
		answer = victim_ask(&victim, "round");
		if (victim_number(answer, "new") != 0)
			cr_fatal("cycle %u, reverted: %s", i, answer);
		tried(1, "cycles amid malloc and dlopen");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

Test(churn, allocating_and_loading_threads_with_an_idle_one)
{
	run_churn("idle");
}

Test(churn, allocating_and_loading_threads_without_an_idle_one)
{
	run_churn("busy");
}

/* It holds the lock of libc's stacks when it unmaps one: not then. */
Test(churn, main_thread_is_not_borrowed_while_it_frees_a_stack)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "joins");
	for (unsigned int i = 0; i < 4 * cycle_count(PRESET_CYCLES); i++) {
		upatchctl_apply(victim.target, "work");
		victim_ask(&victim, "calls");
		upatchctl_revert(victim.target, "work");
		victim_ask(&victim, "calls");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* Threads of the program are born long before the agent. */
Test(churn, thread_is_borrowed_while_another_creates_threads)
{
	require_ptrace();
	for (int i = 0; i < PARENTS; i++) {
		struct victim victim;

		VICTIM_START(&victim, "parent");
		upatchctl_apply(victim.target, "work");
		victim_expect(&victim, "call", "work=3");
		upatchctl_revert(victim.target, "work");
		victim_expect(&victim, "call", "work=2");
		victim_check_undisturbed(&victim);
		victim_stop(&victim);
	}
}

static struct victim storm;

static void expect_round(const char *absent)
{
	const char *answer = victim_ask(&storm, "round");

	if (victim_number(answer, absent) != 0)
		cr_fatal("%s", answer);
}

/* A thread inside held() keeps the transition from ending. */
static void leave_running(void)
{
	victim_expect(&storm, "hold", "held");
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "2", "--on-timeout",
		    "leave", storm.target, path_of_patch("storm"));
}

static void run_storm(unsigned int cycle)
{
	upatchctl_apply(storm.target, "storm");
	expect_round("old");
	upatchctl_revert(storm.target, "storm");
	expect_round("new");
	if (cycle % 50 != 0)
		return;
	leave_running();
	EXPECT_EXIT(EXIT_DONE, "reverse", storm.target);
	expect_round("new");
	victim_expect(&storm, "free", "free");
	leave_running();
	victim_expect(&storm, "free", "free");
	EXPECT_EXIT(EXIT_DONE, "wait", storm.target);
	expect_round("old");
	upatchctl_revert(storm.target, "storm");
	expect_round("new");
}

/* What each operation has read is out of date at once: it is made again. */
Test(churn, patch_of_the_library_that_all_threads_load_and_unload)
{
	require_ptrace();
	VICTIM_START(&storm, "churn", "turns",
		     path_of_victim("libtarget_a.so"));
	for (unsigned int i = 0; i < cycle_count(STORM_CYCLES); i++) {
		run_storm(i);
		tried(1, "cycles amid dlopen of what is patched");
	}
	victim_check_undisturbed(&storm);
	victim_stop(&storm);
}

/*
 * The borrowed thread, the agent and every thread that is stopped have to
 * answer libc's signal, or no call ever returns.
 */
Test(churn, threads_that_change_their_group_all_the_time)
{
	struct victim victim;

	require_ptrace();
	VICTIM_START(&victim, "setxid");
	for (unsigned int i = 0; i < cycle_count(SETXID_CYCLES); i++) {
		upatchctl_apply(victim.target, "work");
		victim_expect(&victim, "round", "work=3");
		upatchctl_revert(victim.target, "work");
		victim_expect(&victim, "round", "work=2");
		tried(1, "cycles amid setegid");
	}
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/*
 * setegid(), pthread_create() and the dlopen() that loads the runtime wait for
 * each other in most of these, until setegid() is let go on.
 */
Test(churn, first_patch_amid_threads_that_change_their_group)
{
	require_ptrace();
	for (unsigned int i = 0; i < cycle_count(SETXID_FIRSTS); i++) {
		struct victim victim;

		VICTIM_START(&victim, "setxid");
		upatchctl_apply(victim.target, "work");
		victim_expect(&victim, "round", "work=3");
		victim_check_undisturbed(&victim);
		victim_stop(&victim);
		tried(1, "first patches amid setegid");
	}
}

/* Within one transition a thread changes sides once, or never. */
Test(churn, short_lived_threads_never_change_back)
{
	struct victim victim;
	long new_seen = 0;

	require_ptrace();
	VICTIM_START(&victim, "threads_born", "4");
	for (unsigned int i = 0; i < cycle_count(PRESET_CYCLES); i++) {
		const char *answer;

		upatchctl_apply(victim.target, "work");
		answer = victim_ask(&victim, "phase");
		if (victim_number(answer, "new_old") != 0 ||
		    victim_number(answer, "other") != 0)
			cr_fatal("apply %u: %s", i, answer);
		upatchctl_revert(victim.target, "work");
		answer = victim_ask(&victim, "phase");
		if (victim_number(answer, "old_new") != 0 ||
		    victim_number(answer, "other") != 0)
			cr_fatal("revert %u: %s", i, answer);
		new_seen += victim_number(answer, "new_new");
		tried(1, "cycles amid short-lived threads");
	}
	cr_assert(new_seen > 0);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}
