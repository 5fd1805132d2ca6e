/* SPDX-License-Identifier: MIT */
/*
 * nginx tells in Last-Modified, to the second, when a file was deployed.  With
 * this patch it tells the day.
 */
#include <upatch/patch.h>

#include <time.h>

#define SECONDS_PER_DAY 86400

static unsigned char *(*write_time)(unsigned char *buf, time_t t);

/* nginx writes Last-Modified with it; Date has a cache of its own. */
static unsigned char *coarse_http_time(unsigned char *buf, time_t t)
{
	return write_time(buf, t - t % SECONDS_PER_DAY);
}

static struct upatch_func funcs[] = {
	{ .old_name = "ngx_http_time",
	  .new_func = coarse_http_time,
	  .orig_func = (void **)&write_time },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "nginx-coarse-time",
	.description = "Last-Modified tells the day only",
	.objs = objs,
};
UPATCH_PATCH(patch);
