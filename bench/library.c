/* SPDX-License-Identifier: MIT */
/* One of the many libraries of a process. */
int bench_library(int x);

int bench_library(int x)
{
	return x + 1;
}
