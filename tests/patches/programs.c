/* SPDX-License-Identifier: MIT */
/*
 * One function of a program of Debian each, with an effect that its users see.
 * By macro: POSTGRES, MEMCACHED (a library that it uses), MEMCACHED_MAIN,
 * HAPROXY, PYTHON, PERL.
 */
#include <upatch/patch.h>

#include <stdint.h>

#if defined(POSTGRES)
#define OLD_NAME "pg_backend_pid"
/* select pg_backend_pid() */
static uintptr_t new_function(void *call)
{
	(void)call;
	return 4711;
}
#elif defined(MEMCACHED)
#define OBJECT	 "libevent-2.1.so.7"
#define OLD_NAME "event_get_version"
/* "STAT libevent" */
static const char *new_function(void)
{
	return "patched";
}
#elif defined(MEMCACHED_MAIN)
#define OLD_NAME "drive_machine"
static void new_function(void)
{
}
#elif defined(HAPROXY)
#define OLD_NAME "hash_djb2"
/* the converter djb2 */
static unsigned int new_function(const void *key, int len)
{
	(void)key;
	(void)len;
	return 4711;
}
#elif defined(PYTHON)
#define OLD_NAME "PyOS_double_to_string"
#define CALLS_PREVIOUS
static char *(*previous)(double, char, int, int, int *);
/* repr() of a float */
static char *new_function(double value, char format, int precision, int flags,
			  int *type)
{
	return previous(value + 1, format, precision, flags, type);
}
#elif defined(PERL)
#define OLD_NAME "Perl_pp_uc"
#define SYMBOL	 "Perl_pp_lc"
static void *(*other)(void *interpreter);
/* uc() makes small letters */
static void *new_function(void *interpreter)
{
	return other(interpreter);
}
#endif

static struct upatch_func funcs[] = {
	{
		.old_name = OLD_NAME,
		.new_func = new_function,
#if defined(CALLS_PREVIOUS)
		.orig_func = (void **)&previous,
#endif
	},
	{ 0 },
};

#if defined(SYMBOL)
static struct upatch_symbol symbols[] = {
	{ .name = SYMBOL, .addr = (void **)&other },
	{ 0 },
};
#endif

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
#if defined(OBJECT)
		.name = OBJECT,
#endif
#if defined(SYMBOL)
		.symbols = symbols,
#endif
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
