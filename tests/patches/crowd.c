/* SPDX-License-Identifier: MIT */
/*
 * work() of the victim `crowd` computes as long and adds 2.  By macro CALLBACK:
 * a callback notes the priority of what it runs in and creates.
 */
#include <upatch/patch.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../victims/crowd.h"

static struct crowd_words *words;

static int new_work(int x)
{
	words->new_count++;
	crowd_compute(CALL_NS);
	return x + 2;
}

#if defined(CALLBACK)
static struct crowd_priority own_priority(void)
{
	return (struct crowd_priority){
		.policy = sched_getscheduler(0),
		.nice = getpriority(PRIO_PROCESS, 0),
	};
}

static void *look_at_thread(void *unused)
{
	words->thread = own_priority();
	return unused;
}

static int look_at_process(void)
{
	int fds[2];
	pid_t pid;
	bool is_told;

	if (pipe(fds) != 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		struct crowd_priority priority = own_priority();

		_exit(write(fds[1], &priority, sizeof(priority)) !=
		      sizeof(priority));
	}
	is_told = pid > 0 &&
		  read(fds[0], &words->process, sizeof(words->process)) ==
			  sizeof(words->process);
	close(fds[0]);
	close(fds[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return is_told ? 0 : -EIO;
}

static int look(struct upatch_object *obj)
{
	pthread_t thread;

	(void)obj;
	words->agent = own_priority();
	if (pthread_create(&thread, NULL, look_at_thread, NULL) != 0)
		return -EAGAIN;
	pthread_join(thread, NULL);
	return look_at_process();
}
#endif

static struct upatch_func funcs[] = {
	{ .old_name = "work", .new_func = new_work },
	{ 0 },
};

static struct upatch_symbol symbols[] = {
	{ .name = "words", .addr = (void **)&words },
	{ 0 },
};

static struct upatch_object objs[] = {
	{
		.funcs = funcs,
		.symbols = symbols,
#if defined(CALLBACK)
		.callbacks = { .pre_patch = look },
#endif
	},
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	.name = NAME,
	.objs = objs,
};
UPATCH_PATCH(patch);
