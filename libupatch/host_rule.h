/* SPDX-License-Identifier: MIT */
/*
 * May a thread that does not run be borrowed to call dlopen?  Not if it can
 * hold a lock of the loader, the allocator or libc; so only what is known to
 * hold none is allowed.  Below a signal handler that is asked of everything that was
 * interrupted, too.  Pure code.
 */
#ifndef UPATCH_HOST_RULE_H
#define UPATCH_HOST_RULE_H

#include "unwind.h"

/* What a piece of code belongs to, as far as locks are concerned. */
enum host_module {
	HOST_MODULE_UNKNOWN, /* vdso, generated code, nothing at all */
	HOST_MODULE_MAIN,
	HOST_MODULE_LIBC, /* also libpthread, librt and libdl of older glibc */
	HOST_MODULE_LOADER,
	HOST_MODULE_ALLOCATOR, /* a library that defines malloc or free */
	HOST_MODULE_OTHER,
};

struct host_lookup {
	enum host_module (*module)(void *user, upatch_addr_t addr);
	/*
	 * The exported symbol whose bytes, by its size, include `addr`; any
	 * of its names.  False: none does, the code is internal.
	 */
	bool (*symbol)(void *user, upatch_addr_t addr, const char **ret_name,
		       upatch_addr_t *ret_start);
	/* What the object around `near` exports as `name`; 0: nothing. */
	upatch_addr_t (*exported)(void *user, upatch_addr_t near,
				  const char *name);
	/*
	 * Reads code, or a signal frame, of the target; returns how much of it
	 * could be read.
	 */
	size_t (*read)(void *user, upatch_addr_t addr, uint8_t *buf,
		       size_t len);
	void *user;
};

struct host_thread {
	const struct unwind_walk *walk;
	bool in_syscall;
	/* arch_in_shared_wait */
	bool in_shared_wait;
	bool is_main_thread;
	/* on its own stack, see stack_bounds */
	bool is_on_own_stack;
	/* the main program defines malloc or free */
	bool main_has_allocator;
	/*
	 * Lowest address that its stack can use: where the mapping begins; for
	 * the main thread, whose stack grows, as far as RLIMIT_STACK lets it.
	 */
	upatch_addr_t stack_floor;
};

/* The smaller, the better; from HOST_REFUSED on, not now. */
enum host_fit {
	HOST_IDLE_MAIN, /* the main thread, waiting in a system call */
	HOST_IDLE,	/* another thread, waiting in a system call */
	HOST_RUNNING,	/* outside of libc, loader and allocator */
	HOST_REFUSED,
	HOST_NO_UNWIND = HOST_REFUSED, /* the walk is not complete */
	HOST_FOREIGN_STACK,
	HOST_NO_ROOM,	   /* the frame for the call does not fit */
	HOST_IN_HANDLER,   /* a handler interrupted what may hold a lock */
	HOST_NOT_BACK,	   /* it runs a remote call that was left to itself */
	HOST_IN_LIBC,	   /* innermost: libc, in no call that is allowed */
	HOST_BELOW_LIBC,   /* libc has called back: qsort, atexit, … */
	HOST_IN_LOADER,	   /* dlopen, a constructor, lazy binding */
	HOST_IN_ALLOCATOR, /* a library that defines malloc or free */
	HOST_MAYBE_ALLOCATOR, /* can be inside the main program's malloc */
	HOST_IN_UNKNOWN,      /* code of no module */
};

struct host_verdict {
	enum host_fit fit;
	/* the frame that decided it; index into the walk */
	size_t frame;
	/*
	 * the call that an idle thread waits in, "epoll_wait", or one that ends
	 * in the same internal function; else NULL
	 */
	const char *call;
};

void host_rule_judge(const struct host_lookup *lookup,
		     const struct host_thread *thread,
		     struct host_verdict *ret_verdict);

/* Why it is refused, or what it does; a constant text for messages. */
const char *host_fit_text(enum host_fit fit);

#endif
