/* SPDX-License-Identifier: MIT */
/*
 * A thread named NAME, or "blocker", sits in guarded() until it is told to
 * leave.  usage: blocker [NAME]
 * enter, leave: what it says is "entered", "left VERSION".
 * call: the main thread calls guarded(), plain() and wrapper().
 */
#include "victim.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int enter_fd, inside_fd, leave_fd, left_fd;
static int left_version;

static void wait_on(int fd)
{
	uint64_t value;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		victim_die("read");
}

static void signal_on(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		victim_die("write");
}

/* Where `wait`, the new one blocks as well, so that a revert has to wait. */
static REPLACED int guarded(int wait)
{
	if (wait) {
		signal_on(inside_fd);
		wait_on(leave_fd);
	}
	return 1;
}

static REPLACED int plain(void)
{
	__asm__ volatile("");
	return 1;
}

/* Has guarded() below it on the stack, never above. */
static REPLACED int wrapper(void)
{
	return guarded(0) * 10 + 1;
}

static void *run_blocker(void *arg)
{
	pthread_setname_np(pthread_self(), arg);
	for (;;) {
		wait_on(enter_fd);
		left_version = guarded(1);
		signal_on(left_fd);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static char default_name[] = "blocker";
	char *name = argc > 1 ? argv[1] : default_name;
	pthread_t blocker;
	char command[64];

	victim_init();
	enter_fd = eventfd(0, EFD_CLOEXEC);
	inside_fd = eventfd(0, EFD_CLOEXEC);
	leave_fd = eventfd(0, EFD_CLOEXEC);
	left_fd = eventfd(0, EFD_CLOEXEC);
	if (pthread_create(&blocker, NULL, run_blocker, name) != 0)
		victim_die("pthread_create");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		if (strcmp(command, "enter") == 0) {
			signal_on(enter_fd);
			wait_on(inside_fd);
			victim_say("entered");
		} else if (strcmp(command, "leave") == 0) {
			signal_on(leave_fd);
			wait_on(left_fd);
			victim_say("left %d", left_version);
		} else {
			victim_say("guarded=%d plain=%d wrapper=%d", guarded(0),
				   plain(), wrapper());
		}
	}
	return 0;
}
