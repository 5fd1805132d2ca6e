/* SPDX-License-Identifier: MIT */
/* Since when a thread sleeps, or slept, by what the scheduler tells of it. */
#ifndef UPATCH_SCHED_CLOCK_H
#define UPATCH_SCHED_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sched_sleep {
	/* how often it has gone to sleep */
	uint64_t count;
	/* the scheduler's clock when it last ran, on the processor `cpu` */
	uint64_t last_ran_ns;
	uint64_t ran_ns; /* for how long, in all, it had run then */
	int cpu;
};

/*
 * Each processor has a clock of its own (rq->clock_task, kernel/sched): it
 * stands still in interrupts and while the hypervisor runs others.
 */
struct sched_clock {
	struct sched_offset {
		int cpu;
		bool is_known;
		/*
		 * The least of the last 20 ms is the most exact; the last one
		 * counts where that is older than the sleep.
		 */
		struct sched_reading {
			int64_t offset_ns; /* to be added for CLOCK_MONOTONIC */
			uint64_t at_ns;
		} least, last;
		struct question *question; /* not answered yet */
	} * offsets;
	size_t count;
	bool was_asked;
};

void sched_clock_fini(struct sched_clock *clock);

/* False: the kernel does not tell (no CONFIG_SCHED_DEBUG), or it is gone. */
bool sched_clock_read(pid_t tid, struct sched_sleep *ret_sleep);

/*
 * Asks all processors at once, the first time.  One that real-time threads keep
 * busy does not answer in time: its answer may come later.
 */
void sched_clock_ask(struct sched_clock *clock, uint64_t patience_ns);

/*
 * What the sleep of a thread that has just stopped tells of its processor.  The
 * thread itself mostly stops where it slept: then its sleep needs no answer.
 */
void sched_clock_learn(struct sched_clock *clock,
		       const struct sched_sleep *stop);

/*
 * When the sleep began, in CLOCK_MONOTONIC: not later than that; with few
 * interrupts since, just then.  False: not known, or not yet.
 */
bool sched_clock_begin(struct sched_clock *clock,
		       const struct sched_sleep *sleep, uint64_t *ret_ns);
/*
 * How long `sleep` lasted, if the thread's next one is `next`: too short by what
 * the processor's clock did not count meanwhile; on another processor, then, it
 * may be wrong by what either did not count of late.  False: not known.
 */
bool sched_clock_lasted(struct sched_clock *clock,
			const struct sched_sleep *sleep,
			const struct sched_sleep *next, uint64_t *ret_ns);

#endif
