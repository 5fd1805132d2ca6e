/* SPDX-License-Identifier: MIT */
/* A function that throws, and one that catches what others let pass. */
#include "shield_callers.h"

#include <stdexcept>

bool caught_exception(void (*call)(void))
{
	try {
		call();
	} catch (const std::runtime_error &) {
		return true;
	}
	return false;
}

void throw_exception(void)
{
	throw std::runtime_error("thrown by a new function");
}
