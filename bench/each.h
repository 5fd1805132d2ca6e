/* SPDX-License-Identifier: MIT */
/* EACH_1000(X) is X(many000) X(many001) … X(many999). */
#ifndef BENCH_EACH_H
#define BENCH_EACH_H

/* clang-format off */
#define EACH_FROM_10(X, p)                                                     \
	X(p##0) X(p##1) X(p##2) X(p##3) X(p##4)                                \
	X(p##5) X(p##6) X(p##7) X(p##8) X(p##9)
#define EACH_FROM_100(X, p)                                                    \
	EACH_FROM_10(X, p##0) EACH_FROM_10(X, p##1)                            \
	EACH_FROM_10(X, p##2) EACH_FROM_10(X, p##3)                            \
	EACH_FROM_10(X, p##4) EACH_FROM_10(X, p##5)                            \
	EACH_FROM_10(X, p##6) EACH_FROM_10(X, p##7)                            \
	EACH_FROM_10(X, p##8) EACH_FROM_10(X, p##9)
#define EACH_10(X)  EACH_FROM_10(X, many00)
#define EACH_100(X) EACH_FROM_100(X, many0)
#define EACH_1000(X)                                                           \
	EACH_FROM_100(X, many0) EACH_FROM_100(X, many1)                        \
	EACH_FROM_100(X, many2) EACH_FROM_100(X, many3)                        \
	EACH_FROM_100(X, many4) EACH_FROM_100(X, many5)                        \
	EACH_FROM_100(X, many6) EACH_FROM_100(X, many7)                        \
	EACH_FROM_100(X, many8) EACH_FROM_100(X, many9)
/* clang-format on */

#endif
