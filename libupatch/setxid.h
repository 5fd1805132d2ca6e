/* SPDX-License-Identifier: MIT */
/*
 * A dead lock of glibc that a thread can be part of that has been borrowed to
 * call dlopen:
 *
 *	setegid and its like    hold the lock of the threads' list, and wait for
 *	                        the beginning of a thread that is being created
 *	pthread_create          waits for the lock of thread-local storage
 *	dlopen                  holds that, and waits for the lock of the list
 */
#ifndef UPATCH_SETXID_H
#define UPATCH_SETXID_H

#include "memory.h"
#include "tasks.h"
#include "tracer.h"

struct setxid_watch {
	const struct memory *memory;
	/* syscall(2): a wait in it is the program's own; 0: nothing is done */
	upatch_addr_t wrapper;

	/* What was found at the last look, and when the next one is due. */
	uint64_t next_ns;
	/* where host waits, since when */
	struct task_futex host_wait;
	uint64_t since_ns;
	/* who waits for a beginning, where; 0: nobody */
	pid_t caller;
	struct task_futex caller_wait;
	/* that one has been interrupted, to be let go on */
	bool is_asked;
};

/*
 * To be called from time to time while `host` calls dlopen and all threads are
 * traced.  If host has waited for the same lock for 20 ms, and a caller of setegid
 * for the same thread to begin at two looks, the caller is interrupted.  Who
 * creates the thread is not looked at: to untie what is no dead lock is harmless.
 */
void setxid_look(struct setxid_watch *watch, struct tracer *tracer,
		 const struct thread *host);
/* Lets it go on, if that is who has stopped; then it is to be resumed. */
void setxid_serve(const struct setxid_watch *watch,
		  const struct thread *stopped);

#endif
