/* SPDX-License-Identifier: MIT */
/*
 * New functions whose extent is found in different ways: by unwind table, by
 * the next symbol, and with pieces named after them.
 */
#include <upatch/patch.h>

/* No .size, but unwind information: four nops and a ret. */
__asm__(".text\n"
	".globl with_fde\n"
	".hidden with_fde\n"
	".type with_fde, @function\n"
	"with_fde:\n"
	".cfi_startproc\n"
	"nop\n nop\n nop\n nop\n ret\n"
	".cfi_endproc\n");

/* Neither; `behind` follows 6 bytes later. */
__asm__(".text\n"
	".hidden without_fde\n"
	".globl without_fde\n"
	".type without_fde, @function\n"
	"without_fde:\n"
	"nop\n nop\n nop\n nop\n nop\n ret\n"
	".type behind, @function\n"
	"behind:\n"
	"ret\n"
	".size behind, .-behind\n");

/* As compilers name pieces: 1, 2 and 3 bytes; the rest are no pieces. */
#define PIECE(name, bytes)                                                     \
	__asm__(".text\n"                                                      \
		".type \"" name "\", @function\n"                              \
		"\"" name "\":\n" bytes ".size \"" name "\", .-\"" name        \
		"\"\n")
PIECE("split.cold", "ret\n");
PIECE("split.part.0", "nop\n ret\n");
PIECE("split.part.0.cold", "nop\n nop\n ret\n");
PIECE("split.constprop.0", "ret\n");
PIECE("split.coldest", "ret\n");
PIECE("splitter.cold", "ret\n");

static int split(void)
{
	return 1;
}

extern void with_fde(void) __attribute__((visibility("hidden")));
extern void without_fde(void) __attribute__((visibility("hidden")));

static struct upatch_func funcs[] = {
	{ .old_name = "a", .new_func = (void *)with_fde },
	{ .old_name = "b", .new_func = (void *)without_fde },
	{ .old_name = "c", .new_func = (void *)split },
	{ 0 },
};

static struct upatch_object objs[] = { { .funcs = funcs }, UPATCH_OBJECT_END };

static struct upatch_patch sizes = { .name = "sizes", .objs = objs };
UPATCH_PATCH(sizes);
