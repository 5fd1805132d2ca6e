/* SPDX-License-Identifier: MIT */
/*
 * One thread that answers every command with the result of work(1).  Also
 * built as a static program and as a 32-bit one, which cannot be patched.
 */
#include "victim.h"

#include <string.h>
#include <unistd.h>

/* With a constant in its place the function is too short for a jump. */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

/* Two functions of one name: see idle_second.c. */
static REPLACED int twin(int x)
{
	return x + step;
}

int idle_second_twin(int x);

/*
 * Three bytes, with the next function right behind it: there is no room for a
 * jump.
 */
int tiny(void);
__asm__(".pushsection .text\n"
	".type tiny, @function\n"
	"tiny:\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".size tiny, . - tiny\n"
	".type tiny_neighbour, @function\n"
	"tiny_neighbour:\n"
	"	movl $7, %eax\n"
	"	ret\n"
	".size tiny_neighbour, . - tiny_neighbour\n"
	".popsection\n");

int main(void)
{
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say("work=%d twin=%d,%d tiny=%d", work(1), twin(1),
			   idle_second_twin(1), tiny());
	return 0;
}
