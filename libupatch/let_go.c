/* SPDX-License-Identifier: MIT */
/* The end of tracing. */
#include "let_go.h"

#include "tasks.h"

/* A thread that does not get a processor in this time keeps the risk. */
#define LIMIT_NS 100000000UL

/* At the entry of the call the kernel knows by itself what a signal means. */
static void step_into_call(struct tracer *tracer, struct thread *thread,
			   uint64_t deadline_ns)
{
	tracer_resume_to_syscall(thread);
	while (thread->run == THREAD_RUNS) {
		struct thread *other = tracer_next(tracer, deadline_ns);

		if (!other)
			return;
		if (other != thread)
			tracer_resume(other);
	}
}

static void see_call_made(struct tracer *tracer, struct thread *thread,
			  uint64_t deadline_ns)
{
	struct arch_regs regs;

	/* Where it waits in a call, that is the call, or a later one. */
	if (tasks_syscall(tracer->pid, thread->tid) >= 0 ||
	    tracer_stop(tracer, thread, deadline_ns, NULL))
		return;
	if (!tracer_registers(thread, &regs) &&
	    arch_call_is_pending(&regs, &thread->interrupted))
		step_into_call(tracer, thread, deadline_ns);
	tracer_resume(thread);
}

void let_go(struct tracer *tracer)
{
	uint64_t deadline_ns = tracer_now_ns() + LIMIT_NS;

	for (size_t i = 0; i < tracer->count; i++)
		tracer_resume(tracer->threads[i]);
	for (size_t i = 0; i < tracer->count; i++) {
		struct thread *thread = tracer->threads[i];

		if (thread->call_again && thread->run == THREAD_RUNS)
			see_call_made(tracer, thread, deadline_ns);
	}
}
