/* SPDX-License-Identifier: MIT */
/*
 * One thread that answers every command with the result of work(1).  Also
 * built as a static program and as a 32-bit one, which cannot be patched.
 */
#include "victim.h"

#include <string.h>
#include <unistd.h>

static REPLACED int work(int x)
{
	__asm__ volatile("");
	return x + 1;
}

/* Two functions of one name: see idle_second.c. */
static REPLACED int twin(int x)
{
	__asm__ volatile("");
	return x + 1;
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
