/* SPDX-License-Identifier: MIT */
/* The agent: serves one controller until either side is gone. */
#include "descriptor.h"
#include "hooks.h"
#include "runtime.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a controller may take to fetch its end of the socket. */
#define HELLO_TIMEOUT_MS 900

struct channel {
	const struct descriptor *end;
	int passed_fd; /* with the last request, or why there is none */
};

static struct rt_state *const state = &upatch_runtime_state;

static void take_passed_fd(struct channel *channel, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET &&
	    cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&channel->passed_fd, CMSG_DATA(cmsg), sizeof(int));
}

static bool receive(struct channel *channel, struct rt_request *request)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { request, sizeof(*request) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len;

	if (!descriptor_is_ours(channel->end))
		return false;
	do {
		len = recvmsg(channel->end->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	channel->passed_fd = -EBADF;
	/* unix(7): so the kernel drops what RLIMIT_NOFILE has no room for. */
	if (len > 0 && msg.msg_flags & MSG_CTRUNC)
		channel->passed_fd = -EMFILE;
	else if (len > 0)
		take_passed_fd(channel, &msg);
	return len == sizeof(*request);
}

static bool answer(const struct channel *channel, const struct rt_reply *reply)
{
	return descriptor_is_ours(channel->end) &&
	       send(channel->end->fd, reply, sizeof(*reply), MSG_NOSIGNAL) ==
		       sizeof(*reply);
}

static int serve_symbol(struct rt_patch *patch,
			const struct rt_request *request)
{
	const struct rt_object *object;
	const struct upatch_object *author;

	if (request->object >= patch->object_count)
		return -EINVAL;
	object = &patch_objects(patch)[request->object];
	if (request->index >= object->symbol_count)
		return -EINVAL;
	author = rt_ptr(object->author);
	*author->symbols[request->index].addr = rt_ptr(request->symbol.addr);
	return 0;
}

static int serve_object(struct rt_patch *patch,
			const struct rt_request *request)
{
	struct rt_object *object;

	if (request->object >= patch->object_count)
		return -EINVAL;
	object = &patch_objects(patch)[request->object];
	object->flags |= RT_OBJECT_LOADED;
	object->link_map = request->object_is.link_map;
	object->bias = request->object_is.bias;
	return 0;
}

static int serve_load(struct channel *channel, const struct rt_request *request,
		      struct rt_reply *reply)
{
	struct rt_patch *patch;
	int ret;

	if (channel->passed_fd < 0)
		return channel->passed_fd;
	ret = patch_load(channel->passed_fd, request->load.path,
			 request->load.seq, &patch, reply->text,
			 sizeof(reply->text));
	close(channel->passed_fd);
	channel->passed_fd = -1;
	if (ret)
		return ret;
	state_lock();
	state_change_begin();
	patch_append(patch);
	state_change_end();
	state_unlock();
	reply->value = rt_addr(patch);
	return 0;
}

static int serve_park(struct rt_patch *patch, const struct rt_request *request)
{
	if (patch->state == RT_PATCH_LEAVING)
		log_detail(UPATCH_EVENT_PARKED, patch, request->park.reason);
	patch->state = RT_PATCH_PARKED;
	return 0;
}

static int serve_unload(struct rt_patch *patch)
{
	/* Its callbacks have not run yet. */
	if (transition_is_unfinished(patch))
		return -EBUSY;
	switch (patch->state) {
	case RT_PATCH_LOADED:
		break; /* it never was enabled: there is nothing to tell */
	case RT_PATCH_LEAVING:
	case RT_PATCH_PARKED:
		log_patch(UPATCH_EVENT_UNLOAD, patch);
		break;
	default:
		return -EBUSY;
	}
	patch_unload(patch);
	return 0;
}

static int serve_hello(const struct rt_request *request, struct rt_reply *reply)
{
	if (request->hello.protocol != RT_VERSION)
		return -EPROTO;
	state->sigreturn = request->hello.sigreturn;
	state->may_be_direct = request->hello.may_be_direct;
	if (request->hello.leftover_len)
		munmap(rt_ptr(request->hello.leftover),
		       request->hello.leftover_len);
	reply->value = rt_addr(state);
	return 0;
}

static int serve_target_request(const struct rt_request *request,
				struct rt_reply *reply)
{
	struct rt_area *area;
	int ret;

	switch (request->type) {
	case RT_HELLO:
		return serve_hello(request, reply);
	case RT_MAP:
		ret = area_map(request->map.addr, request->map.code_len,
			       request->map.data_len, false, &area);
		if (!ret)
			reply->value = rt_addr(area);
		return ret;
	case RT_SITE:
		return site_register(&request->site, NULL);
	case RT_HOOKS:
		hooks_set_loader(request->hooks.r_debug,
				 request->hooks.signal_error);
		return 0;
	case RT_INSTALLED:
		site_mark_installed();
		return 0;
	case RT_REMOVED:
		site_mark_removed();
		return 0;
	case RT_START:
		return transition_start();
	case RT_SOUGHT:
		if (request->sought.count > RT_SOUGHT_MAX)
			return -EINVAL;
		return state_set_sought(request->sought.ranges,
					request->sought.count,
					request->sought.first,
					request->sought.last);
	case RT_PROGRESS:
		state->transition.thread_count = request->progress.thread_count;
		state->transition.moved_count = request->progress.moved_count;
		return 0;
	case RT_REVERSE:
		return transition_reverse();
	case RT_FORCE:
		return transition_force();
	case RT_SETTLE:
		return transition_settle();
	case RT_FINISH:
		return transition_finish();
	default:
		return -ENOSYS;
	}
}

static int serve_patch_request(struct rt_patch *patch,
			       const struct rt_request *request,
			       struct rt_reply *reply)
{
	switch (request->type) {
	case RT_OBJECT:
		return serve_object(patch, request);
	case RT_FUNC:
		return site_add_func(patch, request->object, request->index,
				     &request->func);
	case RT_SYMBOL:
		return serve_symbol(patch, request);
	case RT_ENABLE:
		return transition_enable(patch, &reply->object);
	case RT_CANCEL:
		if (patch->state != RT_PATCH_INIT)
			return -EINVAL;
		transition_cancel(patch);
		return 0;
	case RT_DISABLE:
		return transition_disable(patch);
	case RT_UNLOAD:
		return serve_unload(patch);
	case RT_PARK:
		return serve_park(patch, request);
	default:
		return -ENOSYS;
	}
}

static struct rt_patch *find_patch(rt_addr_t addr)
{
	struct rt_patch *patch;

	rt_for_each(patch, state->patches)
	{
		if (rt_addr(patch) == addr)
			return patch;
	}
	return NULL;
}

static void serve(struct channel *channel, const struct rt_request *request,
		  struct rt_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->object = UINT32_MAX;
	/* The loader is called, and comes back to us with its own lock held. */
	if (request->type == RT_LOAD) {
		reply->result = serve_load(channel, request, reply);
		return;
	}
	state_lock();
	if (request->patch) {
		struct rt_patch *patch = find_patch(request->patch);

		reply->result =
			patch ? serve_patch_request(patch, request, reply)
			      : -ENOENT;
	} else {
		reply->result = serve_target_request(request, reply);
	}
	state_unlock();
	if (channel->passed_fd >= 0)
		close(channel->passed_fd);
}

static bool hello_arrived(const struct channel *channel)
{
	struct pollfd pollfd = { .fd = channel->end->fd, .events = POLLIN };
	int count;

	do {
		count = poll(&pollfd, 1, HELLO_TIMEOUT_MS);
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

/*
 * A controller that was killed, or has left (operation_leave), has not taken
 * back that it hurried us.
 */
static void calm_down(bool may_be_hurried)
{
	const struct sched_param none = { 0 };

	if (may_be_hurried &&
	    sched_getscheduler(0) == (SCHED_FIFO | SCHED_RESET_ON_FORK))
		(void)sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK,
					 &none);
}

/*
 * Until the controller has fetched its end, our own copy of it keeps the
 * channel open, so that its death would go unnoticed: hence the time limit.
 */
void agent_run(const struct descriptor *end, const struct descriptor *other_end)
{
	/* On the stack, which is given back. */
	struct rt_request request;
	struct rt_reply reply;
	struct channel channel = { .end = end, .passed_fd = -1 };
	bool go_on = hello_arrived(&channel), may_be_hurried = false;

	/* What a parent's agent had in hand when this process was forked. */
	state_lock();
	transition_abandon();
	state_unlock();
	descriptor_close(other_end);
	while (go_on && receive(&channel, &request)) {
		if (request.type == RT_HELLO)
			may_be_hurried = request.hello.may_be_hurried;
		serve(&channel, &request, &reply);
		go_on = answer(&channel, &reply);
	}
	calm_down(may_be_hurried);
	state_lock();
	transition_abandon();
	state_unlock();
	descriptor_close(end);
}
