/* SPDX-License-Identifier: MIT */
/* What test_clobber.c has compiled, in many ways, and looks at. */
#include <stdio.h>

#define CALLEE __attribute__((noinline, noclone, used))

volatile long value;
long array[64];

CALLEE int getter(void)
{
	return (int)value;
}

CALLEE double scale(double x)
{
	return x * (double)value;
}

static CALLEE long helper(long x)
{
	return x * value + x;
}

CALLEE long calls(long x)
{
	return helper(x) + helper(x + value);
}

CALLEE long loop(long n)
{
	long sum = 0;

	for (long i = 0; i < n; i++)
		sum += array[i & 63];
	return sum;
}

CALLEE long factorial(long n)
{
	return n < 2 ? 1 : n * factorial(n - 1) + value;
}

CALLEE int prints(int x)
{
	return printf("%d", x);
}

CALLEE int pointer(int (*f)(const char *), const char *x)
{
	return f(x) + 1;
}

CALLEE int tail(int (*f)(const char *), const char *x)
{
	return f(x);
}

CALLEE long by_switch(long which, long x)
{
	switch (which) {
	case 0:
		return x + 1;
	case 1:
		return x * 7;
	case 2:
		return value;
	case 3:
		value = x;
		return 9;
	case 4:
		return x / 3;
	case 5:
		return x ^ 5;
	case 6:
		return x - value;
	default:
		return 0;
	}
}

CALLEE long many(long b, long c, long d, long e, long f, long g, long h, long i,
		 long j)
{
	(void)b, (void)c, (void)d, (void)e, (void)f, (void)g;
	return h * i + j + value;
}

int main(int argc, char **argv)
{
	return getter() + (int)scale(argc) + (int)calls(argc) +
	       (int)loop(argc) + (int)factorial(argc) + prints(argc) +
	       pointer(puts, argv[0]) + tail(puts, argv[0]) +
	       (int)by_switch(argc, 2) +
	       (int)many(1, 2, 3, 4, 5, 6, 7, 8, argc);
}
