/* SPDX-License-Identifier: MIT */
/*
 * One command on many processes: which ones are meant, and that each goes its
 * own way.  The programs are copies with names that nothing else has.
 */
#include "deadline.h"
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define HERD 12

TestSuite(selectors, .timeout = 120);

static char folder[] = "/tmp/upatch-selectors-XXXXXX";
/* "s" and our pid: short enough for the kernel's name of a thread. */
static char name[16];

/* --- Programs --------------------------------------------------------- */

static void remove_folder(void)
{
	const char *const rm[] = { "rm", "-rf", folder, NULL };
	struct child child;

	child_start(&child, rm, CHILD_QUIET);
	child_stop(&child, DEADLINE_MS);
}

static void make_folder(void)
{
	require_ptrace();
	if (!mkdtemp(folder))
		cr_fatal("mkdtemp: %s", strerror(errno));
	snprintf(name, sizeof(name), "s%d", (int)getpid());
}

/* The copy's path, in a folder of its own below `folder`. */
static const char *copy_victim(const char *victim, const char *subfolder)
{
	static char path[2][128];
	static int turn;
	char *copy = path[turn++ % 2];
	const char *cp[] = { "cp", path_of_victim(victim), copy, NULL };
	struct child child;
	int status;

	snprintf(copy, sizeof(path[0]), "%s/%s", folder, subfolder);
	if (mkdir(copy, 0755) != 0 && errno != EEXIST)
		cr_fatal("mkdir: %s", strerror(errno));
	snprintf(copy, sizeof(path[0]), "%s/%s/%s", folder, subfolder, name);
	child_start(&child, cp, CHILD_QUIET);
	if (!child_wait(&child, DEADLINE_MS, &status) || status != 0)
		cr_fatal("cannot copy %s", victim);
	return copy;
}

static const char *selector(const char *kind, const char *value)
{
	static char text[4][256];
	static int turn;
	char *made = text[turn++ % 4];

	snprintf(made, sizeof(text[0]), "%s:%s", kind, value);
	return made;
}

static void start_herd(struct victim herd[], size_t count, const char *program)
{
	for (size_t i = 0; i < count; i++)
		VICTIM_START(&herd[i], program);
}

static void stop_herd(struct victim herd[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		victim_check_undisturbed(&herd[i]);
		victim_stop(&herd[i]);
	}
}

static void expect_work(struct victim herd[], size_t count, int result)
{
	char answer[64];

	snprintf(answer, sizeof(answer), "work=%d twin=2,11 tiny=0", result);
	for (size_t i = 0; i < count; i++)
		victim_expect(&herd[i], "call", answer);
}

/* --- What upatchctl says ---------------------------------------------- */

#define EXIT_ANY (-1)

static json_t *run_json(int exit_status, const char *const args[])
{
	struct run run = upatchctl_run(args);
	json_t *json = json_loads(run.out, 0, NULL);

	if (exit_status != EXIT_ANY && run.exit_status != exit_status)
		cr_fatal("exit %d, expected %d: %s%s", run.exit_status,
			 exit_status, run.out, run.err);
	run_free(&run);
	return json;
}
#define RUN_JSON(exit_status, ...)                                             \
	run_json((exit_status), (const char *const[]){ __VA_ARGS__, NULL })

static json_t *find_pid(json_t *array, pid_t pid)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element)
	{
		if (json_integer_value(json_object_get(element, "pid")) == pid)
			return element;
	}
	return NULL;
}

static bool has_patch(const json_t *status, const char *patch)
{
	const json_t *element;
	size_t i;

	json_array_foreach(json_object_get(status, "patches"), i, element)
	{
		if (strcmp(json_string_value(json_object_get(element, "name")),
			   patch) == 0)
			return true;
	}
	return false;
}

/* --- Who is meant ----------------------------------------------------- */

static void expect_selected(const char *wanted, const struct victim *inside,
			    const struct victim *outside)
{
	/* Others on the machine may not be there for us to look at. */
	json_t *array = RUN_JSON(EXIT_ANY, "status", "--json", wanted);
	json_t *found = find_pid(array, inside->pid);

	cr_assert(json_object_get(found, "exe") != NULL, "%s", wanted);
	if (outside)
		cr_assert(find_pid(array, outside->pid) == NULL, "%s", wanted);
	json_decref(array);
}

Test(selectors, programs_are_found_by_path_and_name)
{
	struct victim one, other;
	char exe[128], link[128];

	make_folder();
	snprintf(exe, sizeof(exe), "%s", copy_victim("idle", "a"));
	snprintf(link, sizeof(link), "%s/link", folder);
	VICTIM_START(&one, exe);
	VICTIM_START(&other, "idle");
	cr_assert(symlink(exe, link) == 0);
	expect_selected(selector("exe", exe), &one, &other);
	expect_selected(selector("exe", link), &one, &other);
	expect_selected(selector("comm", name), &one, &other);
	cr_assert(unlink(exe) == 0);
	expect_selected(selector("exe", exe), &one, &other);
	victim_stop(&one);
	victim_stop(&other);
	remove_folder();
}

Test(selectors, libraries_are_found_by_file_name_and_soname)
{
	struct victim loads, other;

	require_ptrace();
	/* Its file is called libz.so.1.2.13 or the like. */
	VICTIM_START(&loads, "objects", path_of_victim("libtarget_a.so"),
		     "libz.so.1");
	VICTIM_START(&other, "idle");
	EXPECT_REFUSAL(EXIT_USAGE, "nothing is named", "status", "lib:");
	victim_expect(&loads, "open a", "opened");
	victim_expect(&loads, "open b", "opened");
	expect_selected("lib:libtarget_a.so", &loads, &other);
	expect_selected("lib:libz.so.1", &loads, &other);
	expect_selected("lib:libc.so.6", &other, NULL);
	victim_stop(&loads);
	victim_stop(&other);
}

static bool write_pid(const char *group, pid_t pid)
{
	char path[256];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = dprintf(fd, "%d\n", (int)pid) > 0;
	close(fd);
	return done;
}

/* In the hierarchy of systemd, of version 1, or in the one of version 2. */
static const char *find_hierarchy(void)
{
	static const char *const folders[] = {
		"/sys/fs/cgroup/systemd",
		"/sys/fs/cgroup/unified",
		"/sys/fs/cgroup",
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/cgroup.procs", folders[i]);
		if (access(path, W_OK) == 0)
			return folders[i];
	}
	return NULL;
}

Test(selectors, control_groups_hold_those_below_them)
{
	const char *hierarchy = find_hierarchy();
	char slice[128], unit[192], bare[64], service[64];
	struct victim inside, outside;

	require_ptrace();
	snprintf(bare, sizeof(bare), "/upatch%d.slice", (int)getpid());
	snprintf(service, sizeof(service), "up%d.service", (int)getpid());
	snprintf(slice, sizeof(slice), "%s%s", hierarchy, bare);
	snprintf(unit, sizeof(unit), "%s/%s", slice, service);
	if (!hierarchy || mkdir(slice, 0755) != 0)
		cr_skip("no control group can be made here");
	VICTIM_START(&inside, "idle");
	VICTIM_START(&outside, "idle");
	cr_expect(mkdir(unit, 0755) == 0 && write_pid(unit, inside.pid));
	expect_selected(selector("cgroup", bare), &inside, &outside);
	expect_selected(selector("cgroup", slice), &inside, &outside);
	expect_selected(selector("cgroup", unit), &inside, &outside);
	expect_selected(selector("unit", service), &inside, &outside);
	service[strlen(service) - strlen(".service")] = '\0';
	expect_selected(selector("unit", service), &inside, &outside);
	victim_stop(&inside);
	victim_stop(&outside);
	rmdir(unit);
	rmdir(slice);
}

Test(selectors, nobody_is_no_target_and_upatchctl_is_nobody)
{
	require_ptrace();
	EXPECT_REFUSAL(EXIT_NOT_FOUND, "no process matches", "apply",
		       "exe:/nonexistent", path_of_patch("work"));
	EXPECT_REFUSAL(EXIT_NOT_FOUND, "no process matches", "status",
		       selector("exe", path_of_upatchctl()));
	EXPECT_REFUSAL(EXIT_USAGE, "begins with '/'", "status", "cgroup:a");
}

/* --- What is done to them --------------------------------------------- */

Test(selectors, all_are_patched_and_reverted)
{
	struct victim herd[HERD];
	const char *wanted, *patch = path_of_patch("work");
	json_t *array;

	make_folder();
	start_herd(herd, HERD, copy_victim("idle", "a"));
	wanted = selector("comm", name);
	array = RUN_JSON(EXIT_DONE, "check", "--json", patch, wanted);
	cr_assert(eq(sz, json_array_size(array), HERD));
	json_decref(array);
	EXPECT_EXIT(EXIT_DONE, "apply", "--dry-run", wanted, patch);
	expect_work(herd, HERD, 2);
	array = RUN_JSON(EXIT_DONE, "apply", "--json", wanted, patch);
	cr_assert(eq(sz, json_array_size(array), HERD));
	json_decref(array);
	expect_work(herd, HERD, 3);
	/* Whoever has it already is left alone. */
	EXPECT_EXIT(EXIT_DONE, "apply", wanted, patch);
	cr_assert(eq(sz, upatchctl_log_count(herd[0].target), 5));
	EXPECT_EXIT(EXIT_DONE, "log", wanted);
	EXPECT_EXIT(EXIT_DONE, "revert", wanted, "work");
	expect_work(herd, HERD, 2);
	EXPECT_REFUSAL(EXIT_NOT_FOUND, "has that patch", "revert", wanted,
		       "work");
	EXPECT_EXIT(EXIT_DONE, "wait", wanted);
	EXPECT_REFUSAL(EXIT_REFUSED, "has a running transition", "force",
		       wanted);
	stop_herd(herd, HERD);
	remove_folder();
}

Test(selectors, one_that_the_patch_does_not_fit_keeps_all_from_being_touched)
{
	struct victim herd[HERD], other;
	json_t *array, *element;

	make_folder();
	start_herd(herd, HERD, copy_victim("idle", "a"));
	/* It has no function work. */
	VICTIM_START(&other, copy_victim("blocker", "b"));
	array = RUN_JSON(EXIT_REFUSED, "apply", "--json",
			 selector("comm", name), path_of_patch("work"));
	element = find_pid(array, other.pid);
	cr_assert(eq(int,
		     (int)json_integer_value(json_object_get(element, "exit")),
		     EXIT_REFUSED));
	json_decref(array);
	for (size_t i = 0; i < HERD; i++)
		cr_assert(eq(sz, upatchctl_log_count(herd[i].target), 0));
	EXPECT_REFUSAL(EXIT_REFUSED, "none was touched", "apply",
		       selector("comm", name), path_of_patch("work"));
	expect_work(herd, HERD, 2);
	stop_herd(herd, HERD);
	stop_herd(&other, 1);
	remove_folder();
}

Test(selectors, one_that_fails_stops_no_other_and_decides_the_exit_status)
{
	struct victim herd[3];
	const char *wanted;

	make_folder();
	start_herd(herd, 3, copy_victim("blocker", "a"));
	wanted = selector("comm", name);
	victim_expect(&herd[1], "enter", "entered");
	EXPECT_REFUSAL(EXIT_TIMED_OUT, "1 of 3 processes", "apply", "--timeout",
		       "0.5", "--on-timeout", "leave", wanted,
		       path_of_patch("guarded"));
	victim_expect(&herd[0], "call", "guarded=2 plain=2 wrapper=21");
	victim_expect(&herd[2], "call", "guarded=2 plain=2 wrapper=21");
	victim_expect(&herd[1], "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", wanted);
	victim_expect(&herd[1], "call", "guarded=2 plain=2 wrapper=21");
	stop_herd(herd, 3);
	remove_folder();
}

Test(selectors, more_that_wait_than_workers_do_not_add_up)
{
	struct victim herd[HERD];
	int64_t begin;

	make_folder();
	start_herd(herd, HERD, copy_victim("blocker", "a"));
	for (size_t i = 0; i < HERD; i++)
		victim_expect(&herd[i], "enter", "entered");
	begin = deadline_now_ms();
	EXPECT_EXIT(EXIT_TIMED_OUT, "apply", "--timeout", "4", "--on-timeout",
		    "leave", selector("comm", name), path_of_patch("guarded"));
	cr_assert(lt(llong, deadline_now_ms() - begin, HERD * 4000 / 2));
	for (size_t i = 0; i < HERD; i++)
		victim_expect(&herd[i], "leave", "left 1");
	EXPECT_EXIT(EXIT_DONE, "wait", selector("comm", name));
	stop_herd(herd, HERD);
	remove_folder();
}

/* --- Those that come and go ------------------------------------------- */

Test(selectors, those_that_are_forked_meanwhile_are_patched_as_well)
{
	struct victim breeder;
	json_t *array, *element;
	const char *exe, *wanted;
	size_t i;

	make_folder();
	exe = copy_victim("breeder", "a");
	wanted = selector("exe", exe);
	VICTIM_START(&breeder, exe, "100");
	EXPECT_EXIT(EXIT_DONE, "apply", wanted, path_of_patch("work"));
	array = RUN_JSON(EXIT_DONE, "status", "--json", wanted);
	json_array_foreach(array, i, element)
		cr_assert(has_patch(element, "work"), "process %d",
			  (int)json_integer_value(
				  json_object_get(element, "pid")));
	json_decref(array);
	cr_assert(eq(long, victim_number(victim_ask(&breeder, "call"), "work"),
		     3));
	victim_stop(&breeder);
	remove_folder();
}

Test(selectors, those_that_end_meanwhile_are_no_failure)
{
	struct victim herd[2 * HERD];
	const char *argv[] = { path_of_upatchctl(), "apply", NULL,
			       path_of_patch("work"), NULL };
	struct child apply;
	int status;

	make_folder();
	start_herd(herd, 2 * HERD, copy_victim("idle", "a"));
	argv[2] = selector("comm", name);
	child_start(&apply, argv, 0);
	for (size_t i = 2 * HERD; i-- > HERD;) {
		kill(herd[i].pid, SIGKILL);
		cr_assert(child_wait(&herd[i].child, DEADLINE_MS, &status));
	}
	cr_assert(child_wait(&apply, DEADLINE_MS, &status));
	cr_assert(eq(int, status, 0));
	expect_work(herd, HERD, 3);
	stop_herd(herd, HERD);
	remove_folder();
}
