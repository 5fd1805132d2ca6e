/* SPDX-License-Identifier: MIT */
/* Requests that do not wait for each other's replies. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"

TestSuite(channel, .timeout = 60);

#define COUNT	    40
#define NONE	    UINT32_MAX
#define PATIENCE_NS 10000000000UL
#define SOON_NS	    50000000UL

/*
 * Stands for the agent: refuses some, says nothing from `silent` on, and goes
 * when it has heard `last`.
 */
struct answerer {
	int fd;
	uint32_t refused[2];
	uint32_t silent, last;
	uint32_t heard;
};

static struct channel_errand errands[COUNT];
static char names[COUNT][16];

static void *answer(void *arg)
{
	struct answerer *answerer = arg;
	struct rt_request request;

	while (recv(answerer->fd, &request, sizeof(request), 0) ==
	       (ssize_t)sizeof(request)) {
		struct rt_reply reply = { 0 };

		cr_expect(eq(u32, request.index, answerer->heard));
		answerer->heard++;
		if (request.index == answerer->refused[0] ||
		    request.index == answerer->refused[1])
			reply.result = -ENOMEM;
		if (request.index < answerer->silent)
			send(answerer->fd, &reply, sizeof(reply), MSG_NOSIGNAL);
		if (request.index == answerer->last)
			break;
	}
	shutdown(answerer->fd, SHUT_RDWR);
	return NULL;
}

static void set_up(void)
{
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "function_%u", i);
		errands[i] = (struct channel_errand){
			.request = { .type = RT_FUNC, .index = i },
			.what = "register a function",
			.about = names[i],
		};
	}
}

static int run(struct answerer *answerer, struct channel *channel,
	       uint64_t patience_ns, struct upatch_error *err)
{
	const int smallest = 0;
	pthread_t thread;
	int ends[2], ret;

	set_up();
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0));
	/* No room for all of them at once, in either direction. */
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
	*channel = (struct channel){
		.pid = getpid(),
		.fd = ends[0],
		.pidfd = -1,
		.stopped_deadline_ns = UINT64_MAX,
	};
	answerer->fd = ends[1];
	cr_assert(eq(int, pthread_create(&thread, NULL, answer, answerer), 0));
	ret = channel_request_all(channel, errands, COUNT,
				  clock_now_ns() + patience_ns, err);
	shutdown(ends[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	close(ends[1]);
	return ret;
}

Test(channel, errands_are_all_run_in_their_order)
{
	struct answerer answerer = { .refused = { NONE, NONE },
				     .silent = NONE,
				     .last = NONE };
	struct upatch_error err = { 0 };
	struct channel channel;

	cr_expect(eq(int, run(&answerer, &channel, PATIENCE_NS, &err), 0));
	cr_expect(eq(u32, answerer.heard, COUNT));
	cr_expect(eq(u32, channel.unanswered, 0));
	channel_close(&channel);
}

/* The first one is told, by its name; none is left without its reply. */
Test(channel, refused_errand_is_named)
{
	struct answerer answerer = { .refused = { 7, 21 },
				     .silent = NONE,
				     .last = NONE };
	struct upatch_error err = { 0 };
	struct channel channel;

	cr_expect(eq(int, run(&answerer, &channel, PATIENCE_NS, &err),
		     UPATCH_ERROR_NO_MEMORY));
	cr_expect(eq(
		str, err.message,
		"'function_7': cannot register a function: Cannot allocate memory"));
	cr_expect(eq(u32, answerer.heard, COUNT));
	cr_expect(eq(u32, channel.unanswered, 0));
	channel_close(&channel);
}

/* A late reply must not be taken for that of the next request. */
Test(channel, errands_without_replies_are_counted)
{
	struct answerer answerer = { .refused = { NONE, NONE },
				     .silent = 5,
				     .last = NONE };
	struct upatch_error err = { 0 };
	struct channel channel;

	cr_expect(eq(int, run(&answerer, &channel, SOON_NS, &err),
		     UPATCH_ERROR_TIMED_OUT));
	cr_expect(not(eq(ptr, strstr(err.message, "'function_5'"), NULL)));
	cr_expect(gt(u32, channel.unanswered, 1));
	cr_expect(eq(u32, channel.unanswered, answerer.heard - 5));
	channel_close(&channel);
}

/* A refusal is told, also where the agent goes after it. */
Test(channel, agent_that_goes_meanwhile_is_named)
{
	struct answerer answerer = { .refused = { NONE, NONE },
				     .silent = NONE,
				     .last = 9 };
	struct answerer refuser = { .refused = { 7, NONE },
				    .silent = NONE,
				    .last = 9 };
	struct upatch_error err = { 0 };
	struct channel channel;

	cr_expect(eq(int, run(&answerer, &channel, PATIENCE_NS, &err),
		     UPATCH_ERROR_SYSTEM));
	cr_expect(not(eq(ptr, strstr(err.message, "is gone"), NULL)), "%s",
		  err.message);
	cr_expect(channel.is_lost);
	cr_expect(eq(u32, channel.unanswered, 0));
	cr_expect(eq(int, run(&refuser, &channel, PATIENCE_NS, &err),
		     UPATCH_ERROR_NO_MEMORY));
	cr_expect(not(eq(ptr, strstr(err.message, "'function_7'"), NULL)), "%s",
		  err.message);
	cr_expect(eq(u32, channel.unanswered, 0));
}

Test(channel, agent_that_is_gone_ends_the_errands)
{
	struct upatch_error err = { 0 };
	struct channel channel = { .pid = getpid(), .pidfd = -1 };
	int ends[2];

	set_up();
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0));
	close(ends[1]);
	channel.fd = ends[0];
	cr_expect(eq(int,
		     channel_request_all(&channel, errands, COUNT,
					 clock_now_ns() + PATIENCE_NS, &err),
		     UPATCH_ERROR_SYSTEM));
	cr_expect(not(eq(ptr, strstr(err.message, "'function_0'"), NULL)));
	cr_expect(channel.is_lost);
	cr_expect(eq(u32, channel.unanswered, 0));
}
