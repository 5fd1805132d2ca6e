/* SPDX-License-Identifier: MIT */
/*
 * SIGINT, SIGTERM, SIGHUP: the first ends an operation soon and says what has
 * become of it, whatever it waits for; the second ends upatchctl at once.
 */
#include "child.h"
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "tried.h"
#include "upatchctl.h"
#include "victim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

/* What lasts here lasts for as long as the time-out, 30 s. */
#define SOON_MS 2000
/* Long enough to reach the phase; one that comes earlier must do as well. */
#define REACH_MS 150
/* UPATCH_CYCLES=1000 is the long run. */
#define RANDOM_SIGNALS 16
#define RANDOM_MAX_MS  25

extern char **environ;

TestSuite(interrupt, .timeout = 120);

static struct victim victim;

enum before {
	NOTHING,
	APPLIED, /* lasting */
	MOVING,	 /* lasting, which a thread inside held() keeps from ending */
	HANGING	 /* hanging_pre_unpatch is applied */
};

struct row {
	char name[40];
	enum before before;
	/* what the victim is told then, "" nothing; and to go on */
	char command[8], go_on[8];
	/* the operation; "PATCH" stands for a patch file */
	char operation[8], operand[24], option[24];
	/* what is said */
	char message[48];
	size_t patches; /* that are there in the end */
	bool is_moving; /* then: a transition is running */
};

static struct row rows[] = {
	{ "apply_blocked", NOTHING, "hold", "free", "apply", "lasting", "",
	  "turned around and undone", 0, false },
	{ "apply_left", NOTHING, "hold", "free", "apply", "lasting",
	  "--on-timeout=leave", "was left running", 1, true },
	{ "apply_not_forced", NOTHING, "hold", "free", "apply", "lasting",
	  "--on-timeout=force", "turned around and undone", 0, false },
	{ "apply_without_host", NOTHING, "sort", "out", "apply", "lasting", "",
	  "nothing was changed", 0, false },
	{ "apply_vfork", NOTHING, "vfork", "", "apply", "lasting", "",
	  "nothing was changed", 0, false },
	{ "apply_constructor", NOTHING, "", "", "apply", "hanging_constructor",
	  "", "left unused", 0, false },
	{ "apply_pre_patch", NOTHING, "", "", "apply", "hanging_pre_patch", "",
	  "the patch is cancelled", 0, false },
	{ "revert_blocked", APPLIED, "hold", "free", "revert", "lasting", "",
	  "turned around and undone", 1, false },
	{ "revert_without_host", APPLIED, "sort", "out", "revert", "lasting",
	  "", "nothing was changed", 1, false },
	{ "revert_pre_unpatch", HANGING, "", "", "revert",
	  "hanging_pre_unpatch", "", "left running", 1, true },
	{ "wait_blocked", MOVING, "", "", "wait", "", "", "was left running", 1,
	  true },
	{ "wait_without_host", MOVING, "sort", "out", "wait", "", "",
	  "was left running", 1, true },
	{ "reverse_without_host", MOVING, "sort", "out", "reverse", "", "",
	  "was left running", 1, true },
};

static const char *hanging_file(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/upatch-hanging.%d", victim.pid);
	return path;
}

static void make_hanging_file(void)
{
	int fd = open(hanging_file(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		cr_fatal("cannot create %s", hanging_file());
	close(fd);
}

static void tell(const char *command)
{
	if (command[0] != '\0')
		(void)victim_ask(&victim, command);
}

static void prepare(const struct row *row)
{
	require_ptrace();
	VICTIM_START(&victim,
		     strstr(row->operand, "hanging") ? "idle" : "lasting");
	if (row->before == APPLIED)
		upatchctl_apply(victim.target, "lasting");
	if (row->before == HANGING)
		upatchctl_apply(victim.target, "hanging_pre_unpatch");
	if (row->before == MOVING) {
		tell("hold");
		EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "0.1",
			    "--on-timeout", "leave", victim.target,
			    path_of_patch("lasting"));
	}
	if (strstr(row->operand, "hanging"))
		make_hanging_file();
	tell(row->command);
}

static void start(struct child *operator, const struct row * row)
{
	const char *argv[6] = { path_of_upatchctl(), row->operation,
				victim.target };
	size_t count = 3;

	if (strcmp(row->operation, "apply") == 0)
		argv[count++] = path_of_patch(row->operand);
	else if (row->operand[0] != '\0')
		argv[count++] = row->operand;
	if (row->option[0] != '\0')
		argv[count++] = row->option;
	child_start(operator, argv, CHILD_CATCH_STDERR);
}

/* Its handlers are there. */
static bool takes_signals(void *arg)
{
	const struct child *operator= arg;
	unsigned long caught = 0;
	char path[32], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", operator->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "SigCgt: %lx", &caught);
	if (file)
		fclose(file);
	return caught & 1UL << (SIGTERM - 1);
}

static void await_phase(struct child *operator)
{
	cr_assert(wait_until(takes_signals, operator, DEADLINE_MS));
	poll(NULL, 0, REACH_MS);
}

/* Whether there is a transition. */
static bool is_moving(void)
{
	json_t *status = upatchctl_status(victim.target);
	bool is_null = upatchctl_has(status, "transition", JSON_NULL);

	json_decref(status);
	return !is_null;
}

static bool is_settled(void *arg)
{
	const struct row *row = arg;

	return is_moving() == row->is_moving &&
	       upatchctl_patch_count(victim.target) == row->patches;
}

/* Nothing keeps the phase any more; a later command ends what is left. */
static void finish(const struct row *row)
{
	unlink(hanging_file());
	victim_check_undisturbed(&victim);
	tell(row->go_on);
	if (row->before == MOVING)
		tell("free");
	EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
	cr_assert(not(is_moving()));
	if (upatchctl_patch_count(victim.target) > 0 &&
	    strcmp(row->name, "apply_vfork") != 0)
		upatchctl_revert(victim.target, row->operand[0] != '\0'
							? row->operand
							: "lasting");
	victim_stop(&victim);
}

/* What it says until it ends; fails where that is not soon. */
static void read_all(const struct child *operator, const struct row * row,
		     char *text, size_t size)
{
	const int64_t deadline_ms = deadline_now_ms() + SOON_MS;
	struct pollfd end = { .fd = operator->stderr_fd, .events = POLLIN };
	size_t len = 0;
	ssize_t now;

	do {
		if (poll(&end, 1, deadline_left_ms(deadline_ms)) <= 0)
			cr_fatal("%s: it goes on", row->name);
		now = read(end.fd, text + len, size - 1 - len);
		len += now > 0 ? (size_t)now : 0;
	} while (now > 0);
	text[len] = '\0';
}

ParameterizedTestParameters(interrupt, once)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, interrupt, once)
{
	const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct child operator;
	char text[512];
	int status = 0;

	prepare(row);
	start(&operator, row);
	await_phase(&operator);
	kill(operator.pid, signals[(size_t)(unsigned char)row->name[1] % 3]);
	read_all(&operator, row, text, sizeof(text));
	cr_assert(child_wait(&operator, SOON_MS, &status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED ||
	    strncmp(text, "upatchctl: interrupted; ", 24) != 0 ||
	    strstr(text, row->message) == NULL)
		cr_fatal("%s: status 0x%x, '%s'", row->name,
			 (unsigned int)status, text);
	victim_check_undisturbed(&victim);
	unlink(hanging_file());
	cr_assert(wait_until(is_settled, row, DEADLINE_MS), "%s", row->name);
	tried(1, "single signals");
	if (strcmp(row->command, "vfork") == 0)
		return;
	finish(row);
}

ParameterizedTestParameters(interrupt, twice)
{
	return cr_make_param_array(struct row, rows,
				   sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, interrupt, twice)
{
	struct child operator;
	int status;

	prepare(row);
	start(&operator, row);
	await_phase(&operator);
	kill(operator.pid, SIGINT);
	/* Another one, so that none is lost among its like. */
	kill(operator.pid, SIGTERM);
	if (!child_wait(&operator, SOON_MS, &status))
		cr_fatal("%s: it goes on", row->name);
	if (WIFEXITED(status)
		    ? WEXITSTATUS(status) != EXIT_FAILED
		    : WTERMSIG(status) != SIGTERM && WTERMSIG(status) != SIGINT)
		cr_fatal("%s: status 0x%x", row->name, (unsigned int)status);
	victim_check_undisturbed(&victim);
	tried(1, "double signals");
	if (strcmp(row->command, "vfork") == 0)
		return;
	finish(row);
}

static bool is_in_callback(void *unused)
{
	json_t *status = upatchctl_status(victim.target);
	bool is_running = json_object_get(status, "callbacks") != NULL;

	(void)unused;
	json_decref(status);
	return is_running;
}

/* A stop is one; the main thread does nothing but wait. */
static unsigned long main_switches(void)
{
	char text[32];

	procfs_status_field(victim.pid, victim.pid, "voluntary_ctxt_switches",
			    text, sizeof(text));
	return strtoul(text, NULL, 10);
}

/* The first try holds all, the next one waits until the thread can stop. */
static bool is_held_again(void *before)
{
	return main_switches() - *(unsigned long *)before > 3;
}

/* What had no thread in vfork when it was entered has one at the barrier. */
Test(interrupt, barrier)
{
	static const struct row row = {
		.name = "barrier",
		.operation = "apply",
		.operand = "hanging_pre_patch",
	};
	struct child operator;
	unsigned long before;
	char text[512];
	int status;

	require_ptrace();
	VICTIM_START(&victim, "lasting");
	make_hanging_file();
	start(&operator, & row);
	cr_assert(wait_until(is_in_callback, NULL, DEADLINE_MS));
	victim_expect(&victim, "vfork", "forked");
	before = main_switches();
	unlink(hanging_file());
	await_phase(&operator);
	cr_expect(not(wait_until(is_held_again, &before, 1000)));
	kill(operator.pid, SIGINT);
	read_all(&operator, & row, text, sizeof(text));
	cr_assert(child_wait(&operator, SOON_MS, &status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED ||
	    strstr(text, "it was undone") == NULL)
		cr_fatal("status 0x%x, '%s'", (unsigned int)status, text);
	cr_assert(not(is_moving()));
	cr_assert(eq(sz, upatchctl_patch_count(victim.target), 0));
	victim_expect(&victim, "call", "work=2");
}

/* --- At any moment -------------------------------------------------------- */

static void expect_end(struct child *operator, const struct row * row)
{
	int status;

	if (!child_wait(operator, SOON_MS, &status))
		cr_fatal("%s: it goes on", row->name);
	/* Before its handlers are there, and after them, it is killed. */
	if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_FAILED &&
	    WEXITSTATUS(status) != EXIT_DONE)
		cr_fatal("%s: exit status %d", row->name, WEXITSTATUS(status));
	victim_check_undisturbed(&victim);
}

Test(interrupt, at_random_moments)
{
	static const struct row operations[] = {
		{ "apply", NOTHING, "", "", "apply", "lasting", "", "", 0,
		  false },
		{ "revert", NOTHING, "", "", "revert", "lasting", "", "", 0,
		  false },
		{ "status", NOTHING, "", "", "status", "", "", "", 0, false },
	};
	struct child operator;

	require_ptrace();
	VICTIM_START(&victim, "lasting");
	for (unsigned int i = 0; i < cycle_count(RANDOM_SIGNALS); i++) {
		const bool is_there = upatchctl_patch_count(victim.target) > 0;
		const struct row *row =
			i % 8 == 7 ? &operations[2] : &operations[is_there];

		start(&operator, row);
		poll(NULL, 0, rand() % RANDOM_MAX_MS);
		kill(operator.pid, SIGINT);
		if (i % 4 == 3)
			kill(operator.pid, SIGTERM);
		expect_end(&operator, row);
		EXPECT_EXIT(EXIT_DONE, "wait", victim.target);
		cr_assert(not(is_moving()));
		tried(1, "signals at random moments");
	}
	victim_stop(&victim);
}

/* --- Nobody reads, the terminal goes, many processes ---------------------- */

Test(interrupt, nobody_reads)
{
	struct child operator;

	prepare(&rows[0]);
	start(&operator, & rows[0]);
	close(operator.stdout_fd);
	close(operator.stderr_fd);
	operator.stdout_fd = operator.stderr_fd = - 1;
	await_phase(&operator);
	kill(operator.pid, SIGINT);
	expect_end(&operator, & rows[0]);
	cr_assert(is_settled(&rows[0]));
	finish(&rows[0]);
}

/*
 * In a session of its own, whose terminal is `path`.  SIGHUP does what it
 * usually does, also where these tests run under nohup.
 */
static void spawn_on_terminal(struct child *operator, const char * path)
{
	const char *const argv[] = { path_of_upatchctl(), "apply",
				     victim.target, path_of_patch("lasting"),
				     NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t hangup;

	*operator=(struct child){ .stdin_fd = -1,
				  .stdout_fd = -1,
				  .stderr_fd = -1 };
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	posix_spawnattr_setsigdefault(&attributes, &hangup);
	if (posix_spawn(&operator->pid, argv[0], &actions, &attributes,
			(char *const *)(const void *)argv, environ) != 0)
		cr_fatal("cannot start upatchctl");
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
}

Test(interrupt, terminal_goes)
{
	struct child operator;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
		cr_fatal("no terminal");
	prepare(&rows[0]);
	spawn_on_terminal(&operator, ptsname(terminal));
	await_phase(&operator);
	close(terminal);
	expect_end(&operator, & rows[0]);
	EXPECT_EXIT(EXIT_DONE, "status", victim.target);
	cr_assert(is_settled(&rows[0]));
	finish(&rows[0]);
}

Test(interrupt, many_processes)
{
	struct victim other;
	char wanted[4200];
	const char *argv[] = { path_of_upatchctl(), "apply", wanted,
			       path_of_patch("lasting"), NULL };
	struct child operator;
	int status;

	prepare(&rows[0]);
	VICTIM_START(&other, "lasting");
	victim_expect(&other, "sort", "sorting");
	snprintf(wanted, sizeof(wanted), "exe:%s", path_of_victim("lasting"));
	child_start(&operator, argv, CHILD_QUIET);
	await_phase(&operator);
	kill(operator.pid, SIGINT);
	cr_assert(child_wait(&operator, SOON_MS, &status));
	cr_assert(eq(int, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		     EXIT_FAILED));
	cr_assert(is_settled(&rows[0]));
	cr_assert(eq(sz, upatchctl_patch_count(other.target), 0));
	victim_expect(&other, "out", "out");
	victim_stop(&other);
	finish(&rows[0]);
}
