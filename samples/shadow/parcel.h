/* SPDX-License-Identifier: MIT */
/* What both patches know of the daemon, and the ids that they use. */
#ifndef SAMPLES_SHADOW_PARCEL_H
#define SAMPLES_SHADOW_PARCEL_H

/* One number space per process: ids are agreed between all its patches. */
enum {
	SHADOW_LABEL = 1,
	SHADOW_LOOKS = 2
};

struct parcel {
	struct parcel *next;
	unsigned int number;
};

#endif
