/* SPDX-License-Identifier: MIT */
/*
 * Replacements that use every register that the ABI lets them use, for
 * callers that rely on more.
 */
#include <upatch/patch.h>

#include <stdarg.h>
#include <stdio.h>

#include "../victims/caller_regs.h"

static const volatile int *limit;
static const volatile double *rate;
static const volatile long *base;

/* printf is the usual way to use everything, vector registers included. */
static __attribute__((noinline)) int use_everything(void)
{
	static volatile double number = 1.25;
	char text[128];

	return snprintf(text, sizeof(text), "%f %Lf %d %s", number,
			(long double)number, *limit, "text") > 0;
}

static int new_get_limit(void)
{
	return *limit + use_everything();
}

static double new_get_rate(void)
{
	return *rate + use_everything();
}

static double new_many(int a, int b, int c, int d, int e, int f, int g, int h,
		       double p, double q, double r, double s, double t,
		       double u, double v, double w, double x, double y,
		       struct on_stack last)
{
	return use_everything() + a + b + c + d + e + f + g + h + p + q + r +
	       s + t + u + v + w + x + y +
	       (double)(last.values[0] + last.values[2]);
}

static struct two_longs new_get_longs(void)
{
	long more = use_everything();

	return (struct two_longs){ *base + more, *base + 1 + more };
}

static struct mixed new_get_mixed(void)
{
	int more = use_everything();

	return (struct mixed){ *rate + more, *base + more };
}

static long double new_get_long_double(void)
{
	return (long double)*rate + use_everything();
}

static struct on_stack new_get_large(void)
{
	long more = use_everything();

	return (struct on_stack){ { *base + more, *base + 1,
				    *base + 2 + more } };
}

static int new_add_all(int count, ...)
{
	double sum = use_everything();
	va_list args;

	va_start(args, count);
	for (int i = 0; i < count; i++)
		sum += va_arg(args, double);
	va_end(args);
	return (int)sum;
}

#if !defined(NO_AVX)
typedef double vector __attribute__((vector_size(32)));

__attribute__((target("avx"))) static double new_get_avx_rate(void)
{
	vector many = { 7, 7, 7, 7 };

	__asm__ volatile("vmovapd %0, %%ymm1\n\t"
			 "vmovapd %0, %%ymm2\n\t"
			 "vmovapd %0, %%ymm15"
			 :
			 : "x"(many)
			 : "xmm1", "xmm2", "xmm15");
	return *rate + use_everything();
}
#endif

static struct upatch_func funcs[] = {
	{ .old_name = "get_limit", .new_func = new_get_limit },
	{ .old_name = "get_rate", .new_func = new_get_rate },
	{ .old_name = "many", .new_func = new_many },
	{ .old_name = "get_longs", .new_func = new_get_longs },
	{ .old_name = "get_mixed", .new_func = new_get_mixed },
	{ .old_name = "get_long_double", .new_func = new_get_long_double },
	{ .old_name = "get_large", .new_func = new_get_large },
	{ .old_name = "add_all", .new_func = new_add_all },
#if !defined(NO_AVX)
	{ .old_name = "get_avx_rate", .new_func = new_get_avx_rate },
#endif
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "limit", .addr = (void **)&limit },
	{ .name = "rate", .addr = (void **)&rate },
	{ .name = "base", .addr = (void **)&base },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "caller_regs",
	.objs = objs,
};
UPATCH_PATCH(patch);
