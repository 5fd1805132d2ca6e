/* SPDX-License-Identifier: MIT */
/* A thread that gets no processor, because others of its process take all. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "make_room.h"

TestSuite(make_room, .timeout = 60);

#define SPINNERS    4
#define DEADLINE_NS 20000000000UL
/* Next to nothing of it goes to the one of class SCHED_IDLE. */
#define SETTLE_US 50000

static atomic_bool is_idle;
static int ready_fd;

_Noreturn static void *spin(void *reports)
{
	(void)!setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
	while (!is_idle)
		;
	if (reports) {
		usleep(SETTLE_US);
		(void)!write(ready_fd, "", 1);
	}
	for (;;)
		;
}

/* One processor; all of it goes to the spinners, nearly. */
_Noreturn static void crowd(void)
{
	const struct sched_param none = { 0 };
	cpu_set_t all, one;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all)) {
			CPU_SET(cpu, &one);
			break;
		}
	}
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < SPINNERS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, spin, i ? NULL : &ready_fd);
	}
	sched_setscheduler(0, SCHED_IDLE, &none);
	is_idle = true;
	for (;;)
		;
}

static pid_t start_crowd(void)
{
	int ends[2];
	pid_t pid;
	char byte;

	cr_assert(eq(int, pipe(ends), 0));
	ready_fd = ends[1];
	pid = fork();
	if (pid == 0)
		crowd();
	cr_assert(eq(int, (int)read(ends[0], &byte, 1), 1));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static size_t count_held(const struct tracer *tracer)
{
	size_t count = 0;

	for (size_t i = 0; i < tracer->count; i++)
		count += tracer->threads[i]->run == THREAD_STOPPED &&
			 tracer->threads[i]->held_since_ns;
	return count;
}

Test(make_room, those_that_take_its_processor_are_held_until_it_has_had_it)
{
	pid_t pid = start_crowd();
	struct thread *thread;
	struct tracer tracer;

	tracer_init(&tracer, pid);
	cr_assert(eq(int, tracer_seize(&tracer, pid, &thread, NULL), 0));
	cr_assert(eq(int,
		     make_room_and_stop(&tracer, thread,
					clock_now_ns() + DEADLINE_NS, NULL),
		     0));
	cr_expect(eq(int, (int)thread->run, (int)THREAD_STOPPED));
	cr_expect(eq(u64, thread->held_since_ns, 0));
	cr_expect(gt(sz, count_held(&tracer), 0));

	make_room_end(&tracer);
	cr_expect(eq(sz, count_held(&tracer), 0));
	cr_expect(eq(u64, tracer.room_until_ns, 0));
	for (size_t i = 0; i < tracer.count; i++) {
		if (tracer.threads[i] != thread)
			cr_expect(eq(int, (int)tracer.threads[i]->run,
				     (int)THREAD_RUNS));
	}
	kill(pid, SIGKILL);
	tracer_fini(&tracer);
}
