/* SPDX-License-Identifier: MIT */
/* How often a test has tried something, for the table of scripts/torture. */
#ifndef SUPPORT_TRIED_H
#define SUPPORT_TRIED_H

/*
 * `count` more of `what` ("kills", "operations"): one line in the file that
 * UPATCH_TRIED names, if it does.
 */
void tried(unsigned long count, const char *what);

#endif
