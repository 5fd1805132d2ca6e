/* SPDX-License-Identifier: MIT */
/*
 * Whatever unwind tables and stacks a target has, a walk over them ends.  The
 * input is a module (.eh_frame_hdr first) followed by a stack.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unwind.h"

#define STACK_LEN  512
#define MODULE_LEN 8192

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* At a fixed address, so that an input means the same each time. */
static union {
	uint8_t bytes[MODULE_LEN];
	uint64_t align;
} image;

static struct unwinder *open_unwinder(void)
{
	static struct memory memory;
	struct unwinder *unwinder;

	if (memory_open(&memory, getpid(), NULL) ||
	    unwind_open(&memory, &unwinder, NULL))
		abort();
	return unwinder;
}

static void walk(struct unwinder *unwinder, const uint8_t *stack, size_t len,
		 uint16_t at)
{
	const upatch_addr_t start = (uintptr_t)image.bytes;
	const upatch_addr_t base = 0x7ffd00000000;
	const struct stack_copy copy = { base, stack, len };
	struct arch_regs regs = { 0 };
	struct unwind_walk result;

	regs.user.rip = start + at % MODULE_LEN;
	regs.user.rsp = base;
	regs.user.rbp = base + 64;
	unwind_walk(unwinder, &regs, &copy, true, &result);
	if (!result.count || result.count > UNWIND_FRAMES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct unwinder *unwinder;
	struct unwind_module module = {
		.start = (uintptr_t)image.bytes,
		.end = (uintptr_t)image.bytes + MODULE_LEN,
		.eh_frame_hdr = (uintptr_t)image.bytes,
	};
	const size_t stack_len = len < STACK_LEN ? len / 2 & ~7ul : STACK_LEN;
	const size_t module_len = len - stack_len;
	uint8_t stack[STACK_LEN] __attribute__((aligned(8)));

	if (module_len < 4 || module_len > MODULE_LEN)
		return 0;
	if (!unwinder)
		unwinder = open_unwinder();
	memset(image.bytes, 0, sizeof(image.bytes));
	memcpy(image.bytes, bytes, module_len);
	memcpy(stack, bytes + module_len, stack_len);
	module.eh_frame_hdr_len = module_len;
	if (unwind_set_modules(unwinder, &module, 1, NULL))
		return 0;
	for (unsigned int i = 0; i < 4; i++)
		walk(unwinder, stack, stack_len,
		     (uint16_t)(bytes[i] * 37 + i * 1021));
	return 0;
}
