/* SPDX-License-Identifier: MIT */
/*
 * A second static function with the name twin, as two source files of one
 * program may have.
 */
#include "victim.h"

int idle_second_twin(int x);

static volatile int step = 10;

static REPLACED int twin(int x)
{
	return x + step;
}

int idle_second_twin(int x)
{
	return twin(x);
}
