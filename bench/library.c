/* SPDX-License-Identifier: MIT */
/*
 * One of the many libraries of a process.  A patch of it lies within 2 GiB, as
 * both are where the loader maps libraries.
 */
#define EXPORTED __attribute__((visibility("default"), noipa))

int library_caller(int x);

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
