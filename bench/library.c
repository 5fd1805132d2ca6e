/* SPDX-License-Identifier: MIT */
/*
 * One of the many libraries of a process.  A patch of it lies within 2 GiB, as
 * both are where the loader maps libraries.
 */
#define EXPORTED __attribute__((visibility("default"), noipa))

int library_caller(int x);
int library_jump(int x);

static __attribute__((noipa)) int same(int x)
{
	return x;
}

static int (*volatile unknown)(int) = same;

/* Whoever calls what is not known relies on no register. */
EXPORTED int library_caller(int x)
{
	return unknown(x) + 1;
}

static __attribute__((noipa, used)) int behind_jump(int x)
{
	return unknown(x) + 1;
}

/* What is patched by hand would be called like this. */
__asm__(".p2align 4\n"
	".globl library_jump\n"
	".type library_jump, @function\n"
	"library_jump:\n"
	"	.byte 0xe9\n"
	"	.long behind_jump - . - 4\n"
	".size library_jump, . - library_jump\n");
