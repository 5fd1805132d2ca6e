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
#include "modules.h"
#include "tasks.h"
#include "tracer.h"

struct setxid_watch {
	const struct memory *memory;
	/* where setegid is: until glibc 2.33 in the second; NULL: not there */
	const struct module *libc, *libpthread;
	/* syscall(2), in which whoever waits is not the library; 0: not there */
	upatch_addr_t wrapper;

	/* What was found at the last look. */
	uint64_t looked_ns;
	/* who waits for a beginning, where, since when; 0: nobody */
	pid_t caller;
	struct task_futex caller_wait, host_wait;
	uint64_t since_ns;
};

/*
 * To be called from time to time while `host` calls dlopen and all threads are
 * traced.  Where the three have waited for each other for a while, the caller
 * of setegid is interrupted.
 */
void setxid_look(struct setxid_watch *watch, struct tracer *tracer,
		 const struct thread *host);
/* Lets it go on, if that is who has stopped; then it is to be resumed. */
void setxid_serve(const struct setxid_watch *watch,
		  const struct thread *stopped);

#endif
