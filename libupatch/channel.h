/* SPDX-License-Identifier: MIT */
/* The controller's end of the socket to the agent. */
#ifndef UPATCH_CHANNEL_H
#define UPATCH_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "asked.h"
#include "error.h"
#include "protocol.h"

struct channel {
	pid_t pid;
	int fd;	      /* -1: none */
	int pidfd;    /* tells when the target ends; -1: none */
	bool is_lost; /* the agent has gone, and the process has not */
	/* requests whose time was over; their replies may come yet */
	unsigned int unanswered;
	/*
	 * A process that is stopped (SIGSTOP) is waited for until then; then
	 * the channel is closed, so that the agent, which is stopped as well,
	 * clears up as soon as it goes on.
	 */
	uint64_t stopped_deadline_ns;
	bool was_stopped;
	/*
	 * Called again and again while a reply is waited for; NULL: nothing.
	 * The agent may have to wait for a thread that we trace, and that
	 * thread for us.
	 */
	void (*meanwhile)(void *user);
	void *user;
	/*
	 * Where the caller asks to stop, an agent is not waited for that runs
	 * code of a patch, or that is stopped; NULL: nobody asks.
	 */
	const struct asked *asked;
	bool runs_foreign_code;
	pid_t agent_tid; /* to be hurried; 0: it is not */
};

/* Takes descriptor `target_fd` out of the target (pidfd_getfd(2)). */
UPATCH_MUST_CHECK int channel_open(struct channel *channel, pid_t pid,
				   int target_fd, struct upatch_error *err);
/* The agent sees the end of file and ends. */
void channel_close(struct channel *channel);

/*
 * Sends a request and waits for its reply.  `what` is for messages: "cannot
 * <what>: …".  A refusal of the agent is an error too; *ret_reply is filled
 * in whenever a reply came.  `passed_fd`: sent along, -1 for none.  Where it
 * was missed but for want of time, the channel is closed: what comes later
 * would be taken for the reply to the next request.
 */
UPATCH_MUST_CHECK int
channel_request(struct channel *channel, const struct rt_request *request,
		int passed_fd, uint64_t deadline_ns, struct rt_reply *ret_reply,
		const char *what, struct upatch_error *err);
/* One of several requests that do not wait for each other's replies. */
struct channel_errand {
	struct rt_request request;
	const char *what;  /* for messages, as above */
	const char *about; /* a name to stand before that; NULL: none */
};
/*
 * Sends them in their order and without waiting for each reply, and then has
 * all replies.  A refusal does not keep later ones from being carried out; the
 * first error is reported.  If the agent goes or is silent, the rest is not
 * sent.  For requests that run no code of a patch, as the agent is hurried
 * throughout.
 */
UPATCH_MUST_CHECK int channel_request_all(struct channel *channel,
					  const struct channel_errand *errands,
					  size_t count, uint64_t deadline_ns,
					  struct upatch_error *err);
/* The two halves of a request. */
UPATCH_MUST_CHECK int channel_send(struct channel *channel,
				   const struct rt_request *request,
				   int passed_fd, const char *what,
				   struct upatch_error *err);
UPATCH_MUST_CHECK int channel_receive(struct channel *channel,
				      uint64_t deadline_ns,
				      struct rt_reply *ret_reply,
				      const char *what,
				      struct upatch_error *err);
/* A request without operands. */
UPATCH_MUST_CHECK int channel_tell(struct channel *channel,
				   enum rt_request_type type, rt_addr_t patch,
				   uint64_t deadline_ns, const char *what,
				   struct upatch_error *err);

#endif
