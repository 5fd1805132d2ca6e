/* SPDX-License-Identifier: MIT */
/* A thousand functions, for patches of many of them: bench/many.c. */
#include "victim.h"

#include "../../bench/each.h"

/* With a constant in its place the functions are too short for a jump. */
static volatile int step = 1;

#define DEFINE(name)                                                           \
	static REPLACED int name(int x)                                        \
	{                                                                      \
		return x + step;                                               \
	}
#define LIST(name) name,

/* clang-format off */
EACH_1000(DEFINE)

static int (*const functions[])(int) = { EACH_1000(LIST) };
/* clang-format on */

int main(void)
{
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		int sum = 0;

		for (size_t i = 0; i < sizeof(functions) / sizeof(*functions);
		     i++)
			sum += functions[i](1);
		victim_say("sum %d", sum);
	}
	return 0;
}
