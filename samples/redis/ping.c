/* SPDX-License-Identifier: MIT */
/*
 * redis-server answers PING with a text of ours.  The function that sends a
 * reply is found by name in the stripped binary.
 */
#include <upatch/patch.h>

struct client;

static void (*add_reply_bulk)(struct client *c, const char *text);

static void new_ping(struct client *c)
{
	add_reply_bulk(c, "PONG, patched");
}

static struct upatch_func funcs[] = {
	{ .old_name = "pingCommand", .new_func = new_ping },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "addReplyBulkCString", .addr = (void **)&add_reply_bulk },
	{ 0 },
};

static struct upatch_object objs[] = {
	{ .funcs = funcs, .symbols = symbols },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = "redis-ping",
	.description = "PING is answered with another text",
	.objs = objs,
};
UPATCH_PATCH(patch);
