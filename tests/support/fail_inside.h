/* SPDX-License-Identifier: MIT */
/* What a test and fail_inside.c in a victim share. */
#ifndef SUPPORT_FAIL_INSIDE_H
#define SUPPORT_FAIL_INSIDE_H

struct fail_inside {
	/* set by the test; fail_at 0: none */
	unsigned int fail_at, fail_later;
	/* set by the victim: calls of the agent, how many failed, the last */
	unsigned int count, failed;
	char function[32];
};

#endif
