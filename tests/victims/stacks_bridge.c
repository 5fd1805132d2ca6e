/* SPDX-License-Identifier: MIT */
/*
 * Compiled without unwind tables and without a frame pointer.
 */
#include "stacks.h"

void stacks_bridge(void (*inside)(void))
{
	char local[40];

	__asm__ volatile("" : : "r"(local) : "memory");
	inside();
	__asm__ volatile("" : : "r"(local) : "memory");
}
