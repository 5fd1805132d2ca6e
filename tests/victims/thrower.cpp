/* SPDX-License-Identifier: MIT */
/*
 * A leaf that the compiler knows not to throw, replaced by one that does: the
 * exception has to pass the gate and reach the handler two frames up.
 * ok: risky(1); bad: risky(2), where the new one throws.
 */
#include "victim.h"

#include <cstring>
#include <exception>

static volatile int limit = 7;

__attribute__((noinline, used)) static int risky(int x)
{
	return x * limit;
}

/* Keeps its arguments in registers across the call. */
__attribute__((noinline)) static int use_risky(int a, int b, int c)
{
	int got = risky(a);

	return a + 10 * b + 100 * c + 1000 * got;
}

/* Behind a pointer the compiler cannot know that nothing is thrown. */
static int (*volatile call)(int, int, int) = use_risky;

static void answer(int argument)
{
	try {
		victim_say("value=%d", call(argument, 2, 3));
	} catch (const std::exception &error) {
		victim_say("caught %s", error.what());
	}
}

int main()
{
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		answer(std::strcmp(command, "bad") == 0 ? 2 : 1);
	return 0;
}
