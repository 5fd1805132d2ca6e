/* SPDX-License-Identifier: MIT */
/* Signals that carry numbers, and what is wrong with those that came. */
#ifndef VICTIMS_SIGNALS_H
#define VICTIMS_SIGNALS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define SIGNALS_WORKERS 3

/* Shared with the process that sends. */
struct signals_flow {
	atomic_long sent, seen, wrong;
	/* how often a handler ran or a wait was over */
	atomic_long deliveries;
	/* who makes signals heeds these: he answers when he has stopped */
	atomic_bool is_paused;
	atomic_int idle, makers;
	/* of the first wrong one */
	const char *what;
	long got, expected;
};
extern struct signals_flow *signals_flow;

struct signals_kind {
	const char *name;
	/* in the main thread, before the others begin; NULL: nothing */
	void (*prepare)(void);
	/* in each of SIGNALS_WORKERS threads, for ever; NULL: they wait */
	void (*work)(int index);
	/* once all run */
	void (*start)(void);
	/* when none is made any more; NULL: waits until all sent are seen */
	void (*settle)(void);
	/* NULL: waits in read(2) */
	void (*wait_for_command)(void);
};
extern const struct signals_kind signals_queued[];
extern const struct signals_kind signals_timers[];
extern const struct signals_kind signals_faults[];

/* Async-signal-safe.  Counts what is not as expected. */
void signals_expect(const char *what, long got, long expected);

/* All signals but those that are faults; what follows inherits the mask. */
void signals_block(int signal);
void signals_unblock(int signal);
void signals_handle(int signal, int flags,
		    void (*handler)(int, siginfo_t *, void *));
/* For makers of signals: waits while they are to pause. */
void signals_heed_pause(void);
/* The tid of a worker, once it runs. */
pid_t signals_worker(int index);
/* Replaced by a patch. */
int signals_work(int x);

#endif
