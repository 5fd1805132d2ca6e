/* SPDX-License-Identifier: MIT */
/* A patch with one defect, chosen by -D; without, it is sound. */
#include <stdio.h>

#include <upatch/patch.h>

#define USED __attribute__((used))

/* clang-format off */
#ifndef PATCH_NAME
#define PATCH_NAME "refused"
#endif
#ifndef DESCRIPTION
#define DESCRIPTION NULL
#endif
#ifndef OBJECT_NAME
#define OBJECT_NAME NULL
#endif
#ifndef OBJECT2
#define OBJECT2
#endif
#ifndef BUILD_ID
#define BUILD_ID NULL
#endif
#ifndef CALLBACK
#define CALLBACK NULL
#endif
#ifndef PRIV
#define PRIV NULL
#endif
#ifndef OLD_NAME
#define OLD_NAME "old"
#endif
#ifndef NEW_FUNC
#define NEW_FUNC fixed
#endif
#ifndef ORIG_FUNC
#define ORIG_FUNC &orig
#endif
#ifndef FUNC2
#define FUNC2
#endif
#ifndef FUNCS
#define FUNCS funcs
#endif
#ifndef FUNCS_SECTION
#define FUNCS_SECTION ".data"
#endif
#ifndef FUNCS_END
#define FUNCS_END { NULL, NULL, 0, false, NULL }
#endif
#ifndef SYMBOL_NAME
#define SYMBOL_NAME "symbol"
#endif
#ifndef SYMBOL_ADDR
#define SYMBOL_ADDR &variable
#endif
#ifndef STATE_ID
#define STATE_ID 2
#endif
#ifndef OBJS
#define OBJS objs
#endif
#ifndef OBJS_SECTION
#define OBJS_SECTION ".data"
#endif
#ifndef STATES
#define STATES states
#endif
#ifndef UNTERMINATED_SECTION
#define UNTERMINATED_SECTION ".rodata"
#endif
/* clang-format on */

static const char unterminated[4]
	__attribute__((section(UNTERMINATED_SECTION), used)) = { 'a', 'b', 'c',
								 'd' };
static void *orig, *variable;
static const char constant[16] USED = "constant";
static void *const read_only USED = (void *)&orig;

static void fixed(void)
{
}

#ifdef USE_IFUNC
static void *resolve(void)
{
	return (void *)fixed;
}
void chosen(void) __attribute__((ifunc("resolve")));
#endif

#ifdef TEXT_RELOCATION
__asm__(".text\n .quad printf\n .data\n");
#endif

#ifdef WRITABLE_CODE
__asm__(".section .writable_code, \"awx\", @progbits\n ret\n .data\n");
#endif

static struct upatch_func funcs[]
	__attribute__((section(FUNCS_SECTION), used)) = {
		{ OLD_NAME, (void *)NEW_FUNC, 0, false, (void **)ORIG_FUNC },
		FUNC2 FUNCS_END
	};

static struct upatch_symbol symbols[] = {
	{ SYMBOL_NAME, 0, (void **)SYMBOL_ADDR }, { NULL, 0, NULL }
};

static struct upatch_object objs[] __attribute__((section(OBJS_SECTION),
						  used)) = {
	{ OBJECT_NAME,
	  BUILD_ID,
	  FUNCS,
	  symbols,
	  { (int (*)(struct upatch_object *))CALLBACK, NULL, NULL, NULL },
	  (struct upatch_object_private *)PRIV },
	OBJECT2 UPATCH_OBJECT_END
};

static struct upatch_object no_objs[] USED = { UPATCH_OBJECT_END };

static struct upatch_state states[] USED = { { 2, 1, NULL },
					     { STATE_ID + 1, 1, NULL },
					     { 0, 0, NULL } };

static struct upatch_patch refused USED = { PATCH_NAME, DESCRIPTION, OBJS,
					    STATES,	false,	     false };

#ifdef DESCRIPTOR
struct upatch_descriptor upatch_descriptor = { DESCRIPTOR };
#elif !defined(NO_DESCRIPTOR)
UPATCH_PATCH(refused);
#endif

#ifdef WITH_MAIN
int main(void)
{
	return 0;
}
#endif
