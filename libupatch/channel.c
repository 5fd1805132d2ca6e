/* SPDX-License-Identifier: MIT */
/* The controller's end of the socket to the agent. */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "fetch.h"
#include "priority.h"
#include "tasks.h"
#include "tracer.h"

/* How often it is looked whether the process is stopped. */
#define STOPPED_LOOK_NS 100000000UL
/* What is not quick is not waited for when the caller asks to stop. */
#define ASKED_PATIENCE_NS 100000000UL

/* The program may have closed ours, and have got its number for its own. */
static bool is_of_agent(int fd, pid_t pid)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	int type = 0;
	socklen_t type_len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) &&
	       type == SOCK_SEQPACKET &&
	       !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       peer.pid == pid;
}

int channel_open(struct channel *channel, pid_t pid, int target_fd,
		 struct upatch_error *err)
{
	int saved_errno;

	channel->pid = pid;
	channel->fd = -1;
	channel->is_lost = false;
	channel->unanswered = 0;
	channel->was_stopped = false;
	channel->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (channel->pidfd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open process %d", pid);
	channel->fd = fetch_descriptor(pid, channel->pidfd, target_fd);
	saved_errno = errno;
	if (channel->fd >= 0 && is_of_agent(channel->fd, pid))
		return 0;
	if (channel->fd >= 0)
		saved_errno = EBADF;
	channel_close(channel);
	if (saved_errno == EBADF)
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"process %d has closed the descriptors of the agent",
			pid);
	return error_set(err, error_code_of_errno(saved_errno), saved_errno,
			 "cannot fetch descriptor %d of process %d", target_fd,
			 pid);
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	if (channel->pidfd >= 0)
		close(channel->pidfd);
	channel->fd = -1;
	channel->pidfd = -1;
}

static int send_request(const struct channel *channel,
			const struct rt_request *request, int passed_fd,
			int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct rt_request copy = *request;
	struct iovec iov = { &copy, sizeof(copy) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	if (passed_fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed_fd, sizeof(int));
	}
	do {
		len = sendmsg(channel->fd, &msg, MSG_NOSIGNAL | flags);
	} while (len < 0 && errno == EINTR);
	if (len == (ssize_t)sizeof(copy))
		return 0;
	return len < 0 ? -errno : -EIO;
}

/* `saved_errno`: of the call that failed; 0: the file has ended. */
static int no_answer(struct channel *channel, int saved_errno, const char *what,
		     struct upatch_error *err)
{
	struct pollfd end = { .fd = channel->pidfd, .events = POLLIN };
	bool has_ended = poll(&end, 1, 0) > 0;

	channel_close(channel);
	if (has_ended)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "cannot %s: process %d ended", what,
				 channel->pid);
	channel->is_lost = true;
	if (saved_errno && saved_errno != EPIPE && saved_errno != ECONNRESET)
		return error_set(
			err, UPATCH_ERROR_SYSTEM, saved_errno,
			"cannot %s: cannot talk to the agent in process %d",
			what, channel->pid);
	return error_set(err, UPATCH_ERROR_SYSTEM, 0,
			 "cannot %s: the agent in process %d is gone", what,
			 channel->pid);
}

/* Also in an undo: a process that is stopped does not get on with it. */
static bool is_stopped_too_long(const struct channel *channel)
{
	const struct asked *asked = channel->asked;

	return (clock_now_ns() >= channel->stopped_deadline_ns ||
		(asked && asked->interrupted &&
		 asked->interrupted(asked->user))) &&
	       tasks_is_stopped(channel->pid);
}

/* What answers at once is heard, so that it can be undone here. */
static bool is_asked_too_long(const struct channel *channel,
			      uint64_t *asked_since_ns)
{
	if (!channel->runs_foreign_code || !asked_to_stop(channel->asked))
		return false;
	if (!*asked_since_ns)
		*asked_since_ns = clock_now_ns();
	return clock_now_ns() - *asked_since_ns >= ASKED_PATIENCE_NS;
}

static int was_stopped(const struct channel *channel, const char *what,
		       struct upatch_error *err)
{
	return error_set(
		err, UPATCH_ERROR_TIMED_OUT, 0,
		"cannot %s: process %d was stopped meanwhile (SIGCONT lets it go on, then status tells what became of it)",
		what, channel->pid);
}

static int give_up_stopped(struct channel *channel, const char *what,
			   struct upatch_error *err)
{
	channel_close(channel);
	channel->unanswered++;
	channel->was_stopped = true;
	return was_stopped(channel, what, err);
}

static int poll_time_ms(const struct channel *channel, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns(), left_ns;

	if (now >= deadline_ns)
		return 0;
	if (channel->meanwhile)
		return 1;
	left_ns = deadline_ns - now;
	if (channel->asked && left_ns > ASKED_LOOK_NS)
		left_ns = ASKED_LOOK_NS;
	return left_ns < STOPPED_LOOK_NS ? (int)(left_ns / 1000000) + 1
					 : (int)(STOPPED_LOOK_NS / 1000000);
}

static int wait_for_reply(struct channel *channel, uint64_t deadline_ns,
			  const char *what, struct upatch_error *err)
{
	struct pollfd fds[] = {
		{ .fd = channel->fd, .events = POLLIN },
		{ .fd = channel->pidfd, .events = POLLIN },
	};
	uint64_t asked_since_ns = 0;

	for (;;) {
		int count = poll(fds, 2, poll_time_ms(channel, deadline_ns));

		if (count == 0 && channel->meanwhile)
			channel->meanwhile(channel->user);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return no_answer(channel, errno, what, err);
		if (count > 0 && fds[0].revents)
			return 0;
		if (count > 0)
			return no_answer(channel, 0, what, err);
		if (is_stopped_too_long(channel))
			return give_up_stopped(channel, what, err);
		if (is_asked_too_long(channel, &asked_since_ns)) {
			channel->unanswered++;
			return asked_report(err);
		}
		if (clock_now_ns() < deadline_ns)
			continue;
		channel->unanswered++;
		return error_set(
			err, UPATCH_ERROR_TIMED_OUT, 0,
			"cannot %s: the agent in process %d does not answer",
			what, channel->pid);
	}
}

static int require_agent(const struct channel *channel, const char *what,
			 struct upatch_error *err)
{
	if (channel->fd >= 0)
		return 0;
	if (channel->was_stopped)
		return was_stopped(channel, what, err);
	return error_set(err, UPATCH_ERROR_SYSTEM, 0,
			 "cannot %s: the agent in process %d is gone", what,
			 channel->pid);
}

int channel_send(struct channel *channel, const struct rt_request *request,
		 int passed_fd, const char *what, struct upatch_error *err)
{
	int ret = require_agent(channel, what, err);

	if (ret)
		return ret;
	ret = send_request(channel, request, passed_fd, 0);
	return ret ? no_answer(channel, -ret, what, err) : 0;
}

/* The next reply, whatever it answers. */
static int receive_one(struct channel *channel, uint64_t deadline_ns,
		       struct rt_reply *ret_reply, const char *what,
		       struct upatch_error *err)
{
	ssize_t len;
	int ret = wait_for_reply(channel, deadline_ns, what, err);

	if (ret)
		return ret;
	do {
		len = recv(channel->fd, ret_reply, sizeof(*ret_reply), 0);
	} while (len < 0 && errno == EINTR);
	if (len != (ssize_t)sizeof(*ret_reply))
		return no_answer(channel, len < 0 ? errno : 0, what, err);
	return 0;
}

/* The reply to the oldest request that is still waited for. */
static int receive_reply(struct channel *channel, uint64_t deadline_ns,
			 struct rt_reply *ret_reply, const char *what,
			 struct upatch_error *err)
{
	for (; channel->unanswered; channel->unanswered--) {
		int ret =
			receive_one(channel, deadline_ns, ret_reply, what, err);

		if (ret)
			return ret;
	}
	return receive_one(channel, deadline_ns, ret_reply, what, err);
}

static int judge_reply(struct rt_reply *reply, const char *what,
		       struct upatch_error *err)
{
	if (reply->result >= 0)
		return 0;
	reply->text[sizeof(reply->text) - 1] = '\0';
	if (reply->text[0])
		return error_set(err, UPATCH_ERROR_SYSTEM, 0, "cannot %s: %s",
				 what, reply->text);
	return error_set(err, error_code_of_errno(-reply->result),
			 -reply->result, "cannot %s", what);
}

int channel_receive(struct channel *channel, uint64_t deadline_ns,
		    struct rt_reply *ret_reply, const char *what,
		    struct upatch_error *err)
{
	int ret = receive_reply(channel, deadline_ns, ret_reply, what, err);

	return ret ? ret : judge_reply(ret_reply, what, err);
}

/* What is answered by code of ours alone, in microseconds. */
static bool is_quick(const struct rt_request *request)
{
	switch ((enum rt_request_type)request->type) {
	case RT_MAP:
	case RT_SITE:
	case RT_FUNC:
	case RT_SYMBOL:
	case RT_OBJECT:
	case RT_HOOKS:
	case RT_INSTALLED:
	case RT_START:
	case RT_SOUGHT:
	case RT_PROGRESS:
	case RT_REVERSE:
	case RT_FORCE:
	case RT_SETTLE:
	case RT_REMOVED:
	case RT_PARK:
		return true;
	/* The patch is loaded or unloaded, or has callbacks. */
	case RT_HELLO:
	case RT_LOAD:
	case RT_ENABLE:
	case RT_DISABLE:
	case RT_CANCEL:
	case RT_FINISH:
	case RT_UNLOAD:
		break;
	}
	return false;
}

int channel_request(struct channel *channel, const struct rt_request *request,
		    int passed_fd, uint64_t deadline_ns,
		    struct rt_reply *ret_reply, const char *what,
		    struct upatch_error *err)
{
	struct priority priority = { 0 };
	int ret;

	if (channel->agent_tid && is_quick(request))
		priority_hurry_thread(&priority, channel->agent_tid);
	ret = channel_send(channel, request, passed_fd, what, err);
	if (!ret)
		ret = channel_receive(channel, deadline_ns, ret_reply, what,
				      err);
	priority_restore(&priority);
	return ret;
}

/* Those that are under way: sent in part, and answered in part. */
struct errands {
	struct channel *channel;
	const struct channel_errand *all;
	size_t count, sent, answered;
	/* The first failure: of which one, and the error; 0: none. */
	const struct channel_errand *failed;
	int ret;
	struct upatch_error *err; /* NULL once it is told */
};

static void note_failure(struct errands *errands,
			 const struct channel_errand *errand, int ret)
{
	if (!ret || errands->failed)
		return;
	errands->failed = errand;
	errands->ret = ret;
	errands->err = NULL;
}

/*
 * While replies are outstanding it never blocks, as the agent may be blocked in
 * sending those; nor does it fail, as they may say why.
 */
static int send_errands(struct errands *errands)
{
	while (errands->sent < errands->count) {
		const struct channel_errand *next =
			&errands->all[errands->sent];
		bool is_waiting = errands->sent > errands->answered;
		int ret = require_agent(errands->channel, next->what,
					errands->err);

		if (!ret)
			ret = send_request(errands->channel, &next->request, -1,
					   is_waiting ? MSG_DONTWAIT : 0);
		if (ret < 0 && is_waiting)
			return 0;
		if (ret < 0)
			ret = no_answer(errands->channel, -ret, next->what,
					errands->err);
		note_failure(errands, next, ret);
		if (ret)
			return ret;
		errands->sent++;
	}
	return 0;
}

/* A refusal is noted, and no failure of the channel. */
static int hear_errand(struct errands *errands, uint64_t deadline_ns)
{
	const struct channel_errand *next = &errands->all[errands->answered];
	struct rt_reply reply;
	int ret = receive_reply(errands->channel, deadline_ns, &reply,
				next->what, errands->err);

	note_failure(errands, next, ret);
	if (ret)
		return ret;
	errands->answered++;
	note_failure(errands, next,
		     judge_reply(&reply, next->what, errands->err));
	return 0;
}

/* Replies of a silent agent may come yet: the one waited for is counted. */
static void give_up(const struct errands *errands)
{
	size_t outstanding = errands->sent - errands->answered;

	if (errands->channel->fd >= 0 && outstanding > 1)
		errands->channel->unanswered += (unsigned int)outstanding - 1;
}

static void run_errands(struct errands *errands, uint64_t deadline_ns)
{
	while (errands->answered < errands->count) {
		if (send_errands(errands) ||
		    hear_errand(errands, deadline_ns)) {
			give_up(errands);
			return;
		}
	}
}

int channel_request_all(struct channel *channel,
			const struct channel_errand *errands, size_t count,
			uint64_t deadline_ns, struct upatch_error *err)
{
	struct errands under_way = {
		.channel = channel,
		.all = errands,
		.count = count,
		.err = err,
	};
	struct priority priority = { 0 };

	if (channel->agent_tid)
		priority_hurry_thread(&priority, channel->agent_tid);
	run_errands(&under_way, deadline_ns);
	priority_restore(&priority);
	if (under_way.failed && under_way.failed->about)
		error_prefix(err, "'%s'", under_way.failed->about);
	return under_way.ret;
}

int channel_tell(struct channel *channel, enum rt_request_type type,
		 rt_addr_t patch, uint64_t deadline_ns, const char *what,
		 struct upatch_error *err)
{
	const struct rt_request request = {
		.type = (uint32_t)type,
		.patch = patch,
	};
	struct rt_reply reply;

	return channel_request(channel, &request, -1, deadline_ns, &reply, what,
			       err);
}
