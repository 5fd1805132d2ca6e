/* SPDX-License-Identifier: MIT */
/*
 * Running upatchctl and judging what it says.
 */
#ifndef SUPPORT_UPATCHCTL_H
#define SUPPORT_UPATCHCTL_H

#include <jansson.h>
#include <stdbool.h>

/* Those exit statuses of the manual that tests can bring about. */
enum upatchctl_exit {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_NOT_PERMITTED = 4,
	EXIT_REFUSED = 5,
	EXIT_BUSY = 6,
	EXIT_TIMED_OUT = 7
};

struct run {
	/* -1: killed by a signal, or by us as it did not end */
	int exit_status;
	/* whole output, NUL-terminated */
	char *out;
	char *err;
};

/* UPATCHCTL("apply", target, patch); release with run_free. */
#define UPATCHCTL(...) upatchctl_run((const char *const[]){ __VA_ARGS__, NULL })
struct run upatchctl_run(const char *const args[]);
void run_free(struct run *run);
/* Words to put before the command line from now on, as in "setpriv ...". */
void upatchctl_run_under(const char *const prefix[]);

/* The exit status has to be 0. */
void upatchctl_apply(const char *target, const char *patch_name);
void upatchctl_revert(const char *target, const char *patch_name);

/*
 * EXPECT_EXIT(EXIT_REFUSED, "apply", target, patch): fails the test on another
 * exit status, and unless stderr holds exactly one line "upatchctl: ..." after
 * a failure and nothing after success.
 */
#define EXPECT_EXIT(exit_status, ...)                                          \
	upatchctl_expect((exit_status),                                        \
			 (const char *const[]){ __VA_ARGS__, NULL })
void upatchctl_expect(int exit_status, const char *const args[]);
/* The same, and the line has to contain `part`. */
#define EXPECT_REFUSAL(exit_status, part, ...)                                 \
	upatchctl_expect_message((exit_status), (part),                        \
				 (const char *const[]){ __VA_ARGS__, NULL })
void upatchctl_expect_message(int exit_status, const char *part,
			      const char *const args[]);
/*
 * EXPECT_DONE("killed at 7", "wait", target): the exit status has to be 0
 * after what `when` tells.
 */
#define EXPECT_DONE(when, ...)                                                 \
	upatchctl_expect_done((when),                                          \
			      (const char *const[]){ __VA_ARGS__, NULL })
void upatchctl_expect_done(const char *when, const char *const args[]);
/* One after the other, the newest first. */
void upatchctl_revert_all(const char *target, const char *when);

/* `status --json` of one process; the caller drops the reference. */
json_t *upatchctl_status(const char *target);
/* Is there a member `key`, and is it of that type? */
bool upatchctl_has(const json_t *object, const char *key, json_type type);
/* How many patches `status` lists. */
size_t upatchctl_patch_count(const char *target);
/*
 * The log as text, one event per line, without numbers and times:
 * "callback fix pre_patch main live 0".  Only events after the first `skip`.
 */
char *upatchctl_transcript(const char *target, size_t skip);
size_t upatchctl_log_count(const char *target);
/* Fails the test, showing both, unless the events after `skip` read so. */
void upatchctl_expect_log(const char *target, size_t skip,
			  const char *expected);

#endif
