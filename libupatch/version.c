/* SPDX-License-Identifier: MIT */
/* The version of the library. */
#include <upatch/upatch.h>

const char *upatch_version(void)
{
	return UPATCH_VERSION;
}
