/* SPDX-License-Identifier: MIT */
/*
 * Callers that gcc -O2 compiles against what the functions they call really
 * do: registers that a leaf leaves alone stay live across its call, and the
 * stack is not aligned for it.  Every command is answered with the results.
 */
#include "caller_regs.h"
#include "victim.h"

#include <stdarg.h>

/* As a real program has them: gcc may rely on what it sees of these. */
#if defined(__clang__)
#define LEAF __attribute__((noinline, used))
#else
#define LEAF __attribute__((noinline, noclone, used))
#endif

static volatile int limit = 7;
static volatile double rate = 0.5;
static volatile long base = 40;

LEAF static int get_limit(void)
{
	return limit;
}

LEAF static double get_rate(void)
{
	return rate;
}

LEAF static double many(int a, int b, int c, int d, int e, int f, int g, int h,
			double p, double q, double r, double s, double t,
			double u, double v, double w, double x, double y,
			struct on_stack last)
{
	return a + b + c + d + e + f + g + h + p + q + r + s + t + u + v + w +
	       x + y + (double)(last.values[0] + last.values[2]);
}

LEAF static struct two_longs get_longs(void)
{
	return (struct two_longs){ base, base + 1 };
}

LEAF static struct mixed get_mixed(void)
{
	return (struct mixed){ rate, base };
}

LEAF static long double get_long_double(void)
{
	return (long double)rate;
}

LEAF static struct on_stack get_large(void)
{
	return (struct on_stack){ { base, base + 1, base + 2 } };
}

LEAF static int add_all(int count, ...)
{
	double sum = 0;
	va_list args;

	va_start(args, count);
	for (int i = 0; i < count; i++)
		sum += va_arg(args, double);
	va_end(args);
	return (int)sum;
}

LEAF static long use_ints(int a, int b, int c)
{
	int got = get_limit();

	return a + 10l * b + 100l * c + 1000l * got;
}

LEAF static double use_doubles(double x, double y, double z)
{
	double got = get_rate();

	return x + 10 * y + 100 * z + 1000 * got;
}

LEAF static double use_many(int a, double x)
{
	struct on_stack last = { { a, 0, 3 } };
	double got = many(a, 2, 3, 4, 5, 6, 7, 8, x, 2, 3, 4, 5, 6, 7, 8, 9, 10,
			  last);

	return got + 1000 * a + 10000 * x;
}

LEAF static long use_longs(long a, long b)
{
	struct two_longs got = get_longs();

	return a + 10 * b + 100 * got.first + 10000 * got.second;
}

LEAF static double use_mixed(double x, long a)
{
	struct mixed got = get_mixed();

	return x + 10 * (double)a + 100 * got.number + 1000 * (double)got.count;
}

LEAF static long double use_long_double(long double x, double y)
{
	return x + 10 * y + 100 * get_long_double();
}

LEAF static long use_large(long a, long b)
{
	struct on_stack got = get_large();

	return a + 10 * b + 100 * got.values[0] + 10000 * got.values[2];
}

LEAF static int use_variadic(int a, int b)
{
	return add_all(3, 1.0, 2.0, 3.0) * 100 + a + 10 * b;
}

typedef double vector __attribute__((vector_size(32)));

/* The upper halves of vector registers are as live as the lower ones. */
#if !defined(__clang__)
__attribute__((target("avx"))) LEAF static double get_avx_rate(void)
{
	return rate;
}

__attribute__((target("avx"))) LEAF static double use_vectors(double x)
{
	vector a = { x, 2, 3, 4 };
	vector sum;

	__asm__ volatile("" : "+x"(a));
	sum = a + get_avx_rate();
	return sum[0] + 10 * sum[1] + 100 * sum[2] + 1000 * sum[3];
}
#else
LEAF static double use_vectors(double x)
{
	return x + 20 + 300 + 4000 + 1111 * get_rate();
}
#endif

int main(void)
{
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		victim_say(
			"ints=%ld doubles=%g many=%g longs=%ld mixed=%g long_double=%Lg large=%ld variadic=%d vectors=%g",
			use_ints(1, 2, 3), use_doubles(1, 2, 3), use_many(1, 1),
			use_longs(1, 2), use_mixed(1, 2), use_long_double(1, 2),
			use_large(1, 2), use_variadic(1, 2),
			__builtin_cpu_supports("avx") ? use_vectors(1) : 0);
	return 0;
}
