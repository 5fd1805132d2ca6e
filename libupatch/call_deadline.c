/* SPDX-License-Identifier: MIT */
/*
 * The time-out is in a register, or its address is.  A system call leaves all
 * registers but rax, rcx and r11 as they were, and so must we: the value is
 * changed only in code of the C library in which nobody reads the register any
 * more (arch_argument_is_dead).
 *
 * A time-out in memory is the program's, and may be shared or constant.  The
 * call gets the address of a copy, in the runtime's thread-local storage: only
 * this thread's call reads it, no signal handler writes over it, and it is
 * there for as long as the thread.  Below the stack pointer it would be gone
 * if we were killed and a handler ran before the call.
 */
#include "call_deadline.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "clock.h"
#include "maps.h"
#include "protocol.h"

#define CODE_MAX 512
/* A call that has begun since then loses no more than that. */
#define FRESH_NS 20000000UL
/*
 * What a processor's clock does not count of a sleep, as a rule.  If it is more,
 * and the next call was interrupted before it slept, that ends too early; calls
 * that have less than this left begin again.
 */
#define UNCOUNTED_NS 50000UL
/* By one part in so many (adjtimex(2), 500 parts per million) */
#define SLEW_MAX 2000

/*
 * The upper half of the register of an int, which the kernel does not look at
 * and libc's wrappers clear: by it, a call that we made is known again.
 */
#define MARK	  0x75706174UL
#define MARK_BITS 32

void call_deadlines_fini(struct call_deadlines *deadlines)
{
	sched_clock_fini(&deadlines->clock);
	free(deadlines->places);
	free(deadlines->libc);
	*deadlines = (struct call_deadlines){ 0 };
}

/* --- Places ----------------------------------------------------------------- */

static bool is_libc(const struct map *map)
{
	const char *name = strrchr(map->path, '/');

	return name && map->executable &&
	       (!strncmp(name, "/libc.so.6", 10) ||
		!strncmp(name, "/libc-2.", 8) ||
		!strncmp(name, "/libpthread", 11));
}

static void find_libc(struct call_deadlines *deadlines, pid_t tid)
{
	struct maps maps;

	deadlines->has_libc = true;
	if (maps_read(tid, &maps, NULL))
		return;
	deadlines->libc = calloc(maps.count + 1, sizeof(*deadlines->libc));
	for (size_t i = 0; deadlines->libc && i < maps.count; i++) {
		const struct map *map = &maps.maps[i];

		if (is_libc(map))
			deadlines->libc[deadlines->libc_count++] =
				(struct addr_range){ map->start, map->end };
	}
	maps_free(&maps);
}

bool call_deadlines_is_libc(struct call_deadlines *deadlines, pid_t tid,
			    upatch_addr_t pc)
{
	if (!deadlines->has_libc)
		find_libc(deadlines, tid);
	for (size_t i = 0; i < deadlines->libc_count; i++) {
		if (addr_range_has(&deadlines->libc[i], pc))
			return true;
	}
	return false;
}

static bool read_target(pid_t tid, upatch_addr_t addr, void *buf, size_t len,
			size_t *ret_len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)addr, len };
	ssize_t done = process_vm_readv(tid, &local, 1, &remote, 1, 0);

	if (done <= 0)
		return false;
	*ret_len = (size_t)done;
	return true;
}

static bool judge_place(struct call_deadlines *deadlines, pid_t tid,
			upatch_addr_t pc, unsigned int argument)
{
	uint8_t code[CODE_MAX];
	size_t len;

	return call_deadlines_is_libc(deadlines, tid, pc) &&
	       read_target(tid, pc, code, sizeof(code), &len) &&
	       arch_argument_is_dead(code, len, pc, argument);
}

static bool may_change(struct call_deadlines *deadlines, pid_t tid,
		       upatch_addr_t pc, unsigned int argument)
{
	struct call_place *place = deadlines->places;

	for (size_t i = 0; i < deadlines->place_count; i++, place++) {
		if (place->pc == pc && place->argument == argument)
			return place->may_change;
	}
	place = realloc(deadlines->places,
			(deadlines->place_count + 1) * sizeof(*place));
	if (!place)
		return false;
	deadlines->places = place;
	place += deadlines->place_count++;
	*place = (struct call_place){ .pc = pc, .argument = argument };
	place->may_change = judge_place(deadlines, tid, pc, argument);
	return place->may_change;
}

/* --- Before the stop -------------------------------------------------------- */

static bool is_same_call(const struct call_deadline *a,
			 const struct call_deadline *b)
{
	return a->made.number == b->made.number && a->made.pc == b->made.pc &&
	       !memcmp(a->made.arguments, b->made.arguments,
		       sizeof(a->made.arguments));
}

/* False: it waits for as long as it takes. */
static bool read_timeout(pid_t tid, struct call_deadline *call)
{
	uint64_t value = call->made.arguments[call->timeout.argument];
	struct timespec time;
	size_t len;

	if (call->timeout.unit == ARCH_TIMEOUT_MILLISECONDS) {
		call->timeout_ns = (uint64_t)(uint32_t)value * 1000000;
		return (int32_t)value > 0;
	}
	if (!value || !read_target(tid, value, &time, sizeof(time), &len) ||
	    len != sizeof(time) || time.tv_sec < 0 || time.tv_sec > INT32_MAX)
		return false;
	call->timeout_ns =
		(uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
	return true;
}

/* As long as it is not known since when it sleeps: at least since it was seen. */
static void find_end(struct call_deadlines *deadlines,
		     struct call_deadline *deadline)
{
	uint64_t begin_ns = deadline->looked_ns;

	if (deadline->has_end)
		return;
	deadline->has_end = sched_clock_begin(&deadlines->clock,
					      &deadline->sleep, &begin_ns);
	if (begin_ns > deadline->looked_ns)
		begin_ns = deadline->looked_ns;
	/* CLOCK_MONOTONIC is slewed, the scheduler's clock is not. */
	begin_ns += (deadline->looked_ns - begin_ns) / SLEW_MAX;
	deadline->end_ns = begin_ns + deadline->timeout_ns;
}

void call_deadline_look(struct call_deadlines *deadlines, pid_t tid,
			struct call_deadline *deadline)
{
	struct call_deadline call = { .state = CALL_SEEN };
	const uint64_t now = clock_now_ns();

	if (deadlines->wants_libc && !deadlines->has_libc)
		find_libc(deadlines, tid);
	if (now - deadline->looked_ns < FRESH_NS)
		return;
	deadline->looked_ns = now;
	if (!tasks_call(tid, tid, &call.made)) {
		/* What we made again is known again at the stop. */
		if (deadline->state == CALL_SEEN)
			deadline->state = CALL_NONE;
		return;
	}
	if (deadline->state == CALL_KNOWN && is_same_call(deadline, &call))
		return;
	deadline->state = CALL_NONE;
	if (!arch_timeout_find(call.made.number, &call.timeout) ||
	    !read_timeout(tid, &call) ||
	    !may_change(deadlines, tid, call.made.pc, call.timeout.argument) ||
	    !sched_clock_read(tid, &call.sleep))
		return;
	/* The sleep that was read has begun by now; it may be of the next call. */
	call.looked_ns = clock_now_ns();
	sched_clock_ask(&deadlines->clock, deadlines->patience_ns);
	*deadline = call;
}

/* --- While it is stopped ---------------------------------------------------- */

static bool is_pending(const struct call_deadline *deadline,
		       const struct arch_regs *regs)
{
	if (arch_pending_number(regs) != deadline->made.number ||
	    arch_pending_pc(regs) != deadline->made.pc)
		return false;
	for (unsigned int i = 0; i < ARCH_CALL_ARGUMENTS; i++) {
		if (arch_argument(regs, i) != deadline->made.arguments[i])
			return false;
	}
	return true;
}

static bool write_copy(const struct call_deadlines *deadlines, pid_t tid,
		       const struct arch_regs *regs, uint64_t ns,
		       upatch_addr_t *ret_addr)
{
	const upatch_addr_t addr = arch_regs_thread_pointer(regs) +
				   (uint64_t)deadlines->thread_offset +
				   offsetof(struct rt_thread, timeout);
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000) };
	struct iovec local = { &time, sizeof(time) };
	struct iovec remote = { (void *)addr, sizeof(time) };

	if (!deadlines->thread_offset ||
	    process_vm_writev(tid, &local, 1, &remote, 1, 0) !=
		    (ssize_t)sizeof(time))
		return false;
	*ret_addr = addr;
	return true;
}

/* Rounded up: a program may take a call that ends too early for an error. */
static void set_timeout(const struct call_deadlines *deadlines, pid_t tid,
			struct call_deadline *deadline, struct arch_regs *regs,
			uint64_t ns)
{
	uint64_t value;

	if (deadline->timeout.unit == ARCH_TIMEOUT_MILLISECONDS)
		value = MARK << MARK_BITS | (ns + 999999) / 1000000;
	else if (!write_copy(deadlines, tid, regs, ns, &value))
		return;
	arch_set_argument(regs, deadline->timeout.argument, value);
	deadline->made.arguments[deadline->timeout.argument] = value;
}

/*
 * The stop is the only sleep since it was seen.  So it is, too, if the call that
 * was seen ran out, and the next one was interrupted before it slept; but then
 * the sleep that was seen had lasted for all of its time.
 */
static bool is_the_one_seen(struct call_deadlines *deadlines, pid_t tid,
			    struct call_deadline *deadline)
{
	struct sched_sleep stop;
	uint64_t slept_ns;

	if (!sched_clock_read(tid, &stop))
		return false;
	sched_clock_learn(&deadlines->clock, &stop);
	if (stop.count != deadline->sleep.count + 1)
		return false;
	return !sched_clock_lasted(&deadlines->clock, &deadline->sleep, &stop,
				   &slept_ns) ||
	       slept_ns + UNCOUNTED_NS < deadline->timeout_ns;
}

/* Its time-out begins again, but not with the next stop. */
static void begin_now(struct call_deadlines *deadlines, pid_t tid,
		      const struct arch_regs *regs, uint64_t now,
		      struct call_deadline *deadline)
{
	struct call_deadline call = {
		.made.number = arch_pending_number(regs),
		.made.pc = arch_pending_pc(regs),
		.has_end = true,
		.looked_ns = deadline->looked_ns,
	};

	deadline->state = CALL_NONE;
	for (unsigned int i = 0; i < ARCH_CALL_ARGUMENTS; i++)
		call.made.arguments[i] = arch_argument(regs, i);
	if (!arch_timeout_find(call.made.number, &call.timeout) ||
	    !read_timeout(tid, &call))
		return;
	/* To read the maps takes milliseconds: before the next stop. */
	if (!deadlines->has_libc) {
		deadlines->wants_libc = true;
		deadline->looked_ns = 0;
		return;
	}
	if (!may_change(deadlines, tid, call.made.pc, call.timeout.argument))
		return;
	call.end_ns = now + call.timeout_ns;
	call.state = CALL_KNOWN;
	*deadline = call;
}

void call_deadline_apply(struct call_deadlines *deadlines, pid_t tid,
			 struct call_deadline *deadline, struct arch_regs *regs)
{
	const uint64_t now = clock_now_ns();
	bool is_known =
		deadline->state != CALL_NONE && is_pending(deadline, regs);

	if (is_known && deadline->state == CALL_SEEN)
		is_known = is_the_one_seen(deadlines, tid, deadline);
	if (is_known) {
		find_end(deadlines, deadline);
		deadline->state = CALL_KNOWN;
	} else {
		begin_now(deadlines, tid, regs, now, deadline);
	}
	if (deadline->state == CALL_KNOWN)
		set_timeout(deadlines, tid, deadline, regs,
			    deadline->end_ns > now ? deadline->end_ns - now
						   : 0);
}
