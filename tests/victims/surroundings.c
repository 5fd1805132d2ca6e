/* SPDX-License-Identifier: MIT */
/*
 * surroundings NAME [ARG [PROGRAM ...]]: puts itself into that surrounding, says "ready" and
 * answers "call" with the result of work(1), "pid" with its number outside.
 */
#include "surroundings.h"
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

static void enter(const char *name, const char *arg)
{
	static const struct surrounding *const tables[] = {
		surround_filters, surround_groups, surround_limits,
		surround_memory,  surround_roots,  surround_threads,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct surrounding *entry = tables[i]; entry->name;
		     entry++) {
			if (strcmp(entry->name, name) == 0) {
				entry->enter(arg);
				return;
			}
		}
	}
	victim_die(name);
}

/*
 * What /proc/self says is the number in the namespace of that proc.  It is
 * asked for before the root changes, and by a child in another namespace.
 */
static char number[16] = "0";

void surroundings_note_number(void)
{
	ssize_t len = readlink("/proc/self", number, sizeof(number) - 1);

	if (len < 0)
		victim_die("/proc/self");
	number[len] = '\0';
}

static char lacking[256];

void surroundings_lack(const char *what)
{
	snprintf(lacking, sizeof(lacking), "%s: %s", what, strerror(errno));
}

/* What no call leaves there. */
#define UNTOUCHED 4711

static int touched_errno;

static void look_at_errno(void)
{
	if (errno != UNTOUCHED)
		touched_errno = errno;
}

void surroundings_spin_for_command(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	do {
		errno = UNTOUCHED;
		for (int i = 0; i < 100000; i++)
			look_at_errno();
	} while (poll(&input, 1, 0) == 0);
}

bool surroundings_answer_one(void)
{
	char command[80], name[32], arg[32];
	bool is_there;

	errno = UNTOUCHED;
	is_there = victim_next_command(command, sizeof(command));
	look_at_errno();
	if (!is_there)
		return false;
	if (sscanf(command, "enter %31s %31s", name, arg) == 2) {
		enter(name, arg);
		victim_say("entered");
		return true;
	}
	if (touched_errno != 0)
		victim_say("errno became %d: %s", touched_errno,
			   strerror(touched_errno));
	else if (strcmp(command, "pid") == 0)
		victim_say("pid=%s", number);
	else if (strcmp(command, "lacks") == 0)
		victim_say("%s", lacking[0] ? lacking : "nothing");
	else
		victim_say("work=%d", work(1));
	return true;
}

void surroundings_answer(void)
{
	victim_say("ready");
	while (surroundings_answer_one())
		;
}

void surroundings_serve(void)
{
	surroundings_answer();
	/* Other threads may be there still. */
	_exit(0);
}

int main(int argc, char **argv)
{
	victim_init();
	surroundings_note_number();
	if (argc > 1 && strcmp(argv[1], "plain") != 0)
		enter(argv[1], argc > 2 ? argv[2] : "");
	/* The surrounding of another victim. */
	if (argc > 3 && execv(argv[3], argv + 3))
		victim_die(argv[3]);
	surroundings_serve();
}
