/* SPDX-License-Identifier: MIT */
/*
 * work() of the victim `exporter` becomes work(x) = x + 7, by way of a name
 * that the victim exports too.
 */
#include "one_function.h"

#if defined(VARIABLE)
int limit = 7;
#define SEVEN limit
#elif defined(FUNCTION)
int weigh_more(int x);

__attribute__((noinline)) int weigh_more(int x)
{
	__asm__ volatile("");
	return x + 7;
}
#define SEVEN weigh_more(0)
#elif defined(THREAD_LOCAL)
__thread int depth = 7;
#define SEVEN depth
#elif defined(POINTER)
int limit = 7;
static int *volatile seven = &limit;
#define SEVEN (*seven)
#elif defined(SHARED)
__attribute__((weak)) int limit = 7;
#define SEVEN limit
#else
/* No clash: a constructor changes what the loader has written. */
int upatch_test_six = 6;
static int really_seven = 7;
static int *volatile seven = &upatch_test_six;
#define SEVEN (*seven)

__attribute__((constructor)) static void change(void)
{
	seven = &really_seven;
}
#endif

static int new_work(int x)
{
	return x + SEVEN;
}

ONE_FUNCTION(NAME, .old_name = "work", .new_func = new_work);
