/* SPDX-License-Identifier: MIT */
/*
 * Functions that a shield replaces, and their callers, which the compiler
 * fits to them; compiled with -O2 in a file of their own.
 */
#ifndef TEST_SHIELD_CALLERS_H
#define TEST_SHIELD_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pair {
	long first, second;
};
struct point {
	double x, y;
};
struct block {
	long words[5];
};
struct large {
	long words[30];
};

/* Replaced. */
int callee_limit(void);
double callee_scale(double x);
int callee_switch(int which, int x);
long callee_many(long a, long b, long c, long d, long e, long f, long g, long h,
		 double p, double q, double r, double s, double t, double u,
		 double v, double w, double x, double y);
long callee_block(struct block block, long a);
long callee_large(struct large large, long a);
long callee_odd(long a, long b, long c, long d, long e, long f, long g);
struct pair callee_pair(long a);
struct point callee_point(double x);
long double callee_long(long a);
#ifndef __cplusplus
_Complex long double callee_complex(long a);
#endif
struct block callee_big(long a);
void callee_log(const char *format, ...);
double callee_same(double x);
long callee_wide(long a);
long callee_widest(long a);

/*
 * Callers: they return what they compute with the result of a callee and with
 * values that are live across the call.
 */
long call_limit(long a, long b, long c);
double call_scale(double a, double b, double c);
long call_switch(long a, long b, long c);
long call_many(long a, long b);
long call_block(long a, long b);
long call_large(long a, long b);
long call_odd(long a, long b);
long call_pair(long a, long b, long c);
double call_point(double a, double b, double c);
long double call_long(long a, long b, long c);
long double call_complex(long a, long b, long c);
long call_big(long a, long b, long c);
long call_log(long a, long b, long c);
double call_same(double a, double b);
/* AVX2, AVX-512 */
long call_wide(const long values[4], long a);
long call_widest(const long values[8], long a);
/* C++ */
bool caught_exception(void (*call)(void));
void throw_exception(void);

#ifdef __cplusplus
}
#endif

#endif
