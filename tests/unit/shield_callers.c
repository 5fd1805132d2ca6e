/* SPDX-License-Identifier: MIT */
/*
 * Callees that GCC knows when it compiles their callers: exported, as in an
 * executable, but in the same file.
 */
#include "shield_callers.h"

#include <immintrin.h>

#ifdef __clang__
#define CALLEE __attribute__((noinline))
#else
#define CALLEE __attribute__((noinline, noclone))
#endif

/*
 * Without these LLVM does not pass what it sees that nobody uses, and takes
 * the result of callee_same from its argument.
 */
#define USE(value)	  __asm__ volatile("" : : "g"(value))
#define USE_DOUBLE(value) __asm__ volatile("" : "+x"(value))
#define USE_BLOCK(value)  __asm__ volatile("" : : "m"(value))

static volatile long limit = 3;

CALLEE int callee_limit(void)
{
	return (int)limit;
}

CALLEE double callee_scale(double x)
{
	return x * (double)limit;
}

CALLEE int callee_switch(int which, int x)
{
	switch (which) {
	case 0:
		return x + 1;
	case 1:
		return x * 7;
	case 2:
		return x - (int)limit;
	case 3:
		return (int)limit;
	case 4:
		limit = x;
		return 9;
	case 5:
		return x / 3;
	case 6:
		return x ^ 55;
	default:
		return 0;
	}
}

CALLEE long callee_many(long a, long b, long c, long d, long e, long f, long g,
			long h, double p, double q, double r, double s,
			double t, double u, double v, double w, double x,
			double y)
{
	USE(b);
	USE(c);
	USE(d);
	USE(e);
	USE(f);
	USE(g);
	USE_DOUBLE(p);
	USE_DOUBLE(q);
	USE_DOUBLE(r);
	USE_DOUBLE(s);
	USE_DOUBLE(t);
	USE_DOUBLE(u);
	USE_DOUBLE(v);
	USE_DOUBLE(w);
	USE_BLOCK(x);
	return a + h + (long)y + limit;
}

CALLEE long callee_block(struct block block, long a)
{
	USE_BLOCK(block);
	return a + limit;
}

CALLEE long callee_large(struct large large, long a)
{
	USE_BLOCK(large);
	return a + limit;
}

CALLEE long callee_odd(long a, long b, long c, long d, long e, long f, long g)
{
	USE(b);
	USE(c);
	USE(d);
	USE(e);
	USE(f);
	USE(g);
	return a + limit;
}

CALLEE struct pair callee_pair(long a)
{
	return (struct pair){ a + limit, a - limit };
}

CALLEE struct point callee_point(double x)
{
	return (struct point){ x + (double)limit, x };
}

CALLEE long double callee_long(long a)
{
	return (long double)(a + limit);
}

CALLEE _Complex long double callee_complex(long a)
{
	return __builtin_complex((long double)a, (long double)limit);
}

CALLEE struct block callee_big(long a)
{
	return (struct block){ { a, limit, a, limit, a } };
}

CALLEE void callee_log(const char *format, ...)
{
	limit += format != 0;
}

CALLEE double callee_same(double x)
{
	limit++;
	USE_DOUBLE(x);
	return x;
}

CALLEE long callee_wide(long a)
{
	return a + limit;
}

CALLEE long callee_widest(long a)
{
	return a - limit;
}

long call_limit(long a, long b, long c)
{
	int result = callee_limit();

	return a * result + b * 3 + c;
}

double call_scale(double a, double b, double c)
{
	double result = callee_scale(a);

	return a + result * 10 + b * 100 + c * 1000;
}

long call_switch(long a, long b, long c)
{
	int result = callee_switch((int)a & 7, (int)c);

	return a + result * 10 + b * 100 + c * 1000;
}

long call_many(long a, long b)
{
	long result = callee_many(a, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7,
				  8, 9, 10);

	return result * 100 + b;
}

long call_block(long a, long b)
{
	struct block block = { { a, b, 3, 4, 5 } };
	long result = callee_block(block, a);

	return result * 100 + b;
}

long call_large(long a, long b)
{
	struct large large = { { a, b } };
	long result;

	large.words[29] = 7;
	result = callee_large(large, a);
	return result * 100 + b;
}

long call_odd(long a, long b)
{
	long result = callee_odd(a, 2, 3, 4, 5, 6, 7);

	return result * 100 + b;
}

long call_pair(long a, long b, long c)
{
	struct pair result = callee_pair(a);

	return result.first + result.second * 10 + b * 100 + c * 1000;
}

double call_point(double a, double b, double c)
{
	struct point result = callee_point(a);

	return result.x + result.y * 10 + b * 100 + c * 1000;
}

long double call_long(long a, long b, long c)
{
	long double result = callee_long(a);

	return result + (long double)(b * 100 + c * 1000);
}

long double call_complex(long a, long b, long c)
{
	_Complex long double result = callee_complex(a);

	return __real__ result + __imag__ result * 10 +
	       (long double)(b * 100 + c * 1000);
}

long call_big(long a, long b, long c)
{
	struct block result = callee_big(a);

	return result.words[0] + result.words[4] * 10 + b * 100 + c * 1000;
}

long call_log(long a, long b, long c)
{
	callee_log("%ld %ld %ld %ld %ld %ld %ld %ld %g %g", a, b, c, 4L, 5L, 6L,
		   7L, 8L, 0.5, 0.25);
	return a + b * 100 + c * 1000;
}

double call_same(double a, double b)
{
	double result = callee_same(a);

	return result + b * 100;
}

__attribute__((target("avx2"))) long call_wide(const long values[4], long a)
{
	__m256i kept = _mm256_loadu_si256((const __m256i *)values);
	long result[4];

	kept = _mm256_add_epi64(kept, _mm256_set1_epi64x(callee_wide(a)));
	_mm256_storeu_si256((__m256i *)result, kept);
	return result[0] + result[1] * 10 + result[2] * 100 + result[3] * 1000;
}

__attribute__((target("avx512f"))) long call_widest(const long values[8],
						    long a)
{
	__m512i kept = _mm512_loadu_si512(values);
	__mmask8 small = _mm512_cmplt_epi64_mask(kept, _mm512_set1_epi64(5));
	long added = callee_widest(a);

	kept = _mm512_mask_add_epi64(kept, small, kept,
				     _mm512_set1_epi64(added));
	return _mm512_reduce_add_epi64(kept);
}
