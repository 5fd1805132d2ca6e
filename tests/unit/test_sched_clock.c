/* SPDX-License-Identifier: MIT */
/* Since when a thread sleeps, by a clock that stands still now and then. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "clock.h"
#include "sched_clock.h"

TestSuite(sched_clock, .timeout = 20);

#define CPU   3
#define STOOD 5000000UL /* for so long, at first, it has stood still */
#define AGAIN 1000000UL /* and, after that, once more */
#define AGO   1000000UL

/* It cannot have stood still for longer than time has gone by. */
static void wait_ns(uint64_t ns)
{
	const uint64_t until_ns = clock_now_ns() + ns;

	while (clock_now_ns() < until_ns)
		;
}

/* Of a thread that went to sleep at `at_ns`. */
static struct sched_sleep sleep_at(uint64_t at_ns, uint64_t stood_ns)
{
	return (struct sched_sleep){
		.count = 1,
		.last_ran_ns = at_ns - stood_ns,
		.cpu = CPU,
	};
}

/* It has stopped just now. */
static void learn(struct sched_clock *clock, uint64_t stood_ns)
{
	const struct sched_sleep stop = sleep_at(clock_now_ns(), stood_ns);

	sched_clock_learn(clock, &stop);
}

Test(sched_clock, reading_after_the_beginning_tells_it)
{
	struct sched_clock clock = { 0 };
	const uint64_t begin_ns = clock_now_ns() - AGO;
	const struct sched_sleep sleep = sleep_at(begin_ns, STOOD);
	uint64_t told_ns = 0;

	learn(&clock, STOOD);
	cr_assert(sched_clock_begin(&clock, &sleep, &told_ns));
	cr_expect(ge(u64, told_ns, begin_ns));
	sched_clock_fini(&clock);
}

/* What was read before it can be too little. */
Test(sched_clock, sleep_never_seems_to_have_begun_before_it_did)
{
	struct sched_clock clock = { 0 };
	uint64_t begin_ns, told_ns = 0;
	struct sched_sleep sleep;

	learn(&clock, STOOD);
	wait_ns(AGAIN);
	begin_ns = clock_now_ns();
	sleep = sleep_at(begin_ns, STOOD + AGAIN);
	cr_expect(not(sched_clock_begin(&clock, &sleep, &told_ns)));
	learn(&clock, STOOD + AGAIN);
	cr_assert(sched_clock_begin(&clock, &sleep, &told_ns));
	cr_expect(ge(u64, told_ns, begin_ns));
	sched_clock_fini(&clock);
}

/* The first of many that have stopped together, looked at one by one. */
Test(sched_clock, smallest_reading_of_late_tells_best)
{
	struct sched_clock clock = { 0 };
	const uint64_t begin_ns = clock_now_ns() - AGO;
	const struct sched_sleep sleep = sleep_at(begin_ns, STOOD);
	struct sched_sleep stop;
	uint64_t first_ns, last_ns;

	stop = sleep_at(clock_now_ns(), STOOD);
	sched_clock_learn(&clock, &stop);
	cr_assert(sched_clock_begin(&clock, &sleep, &first_ns));
	wait_ns(AGAIN);
	sched_clock_learn(&clock, &stop);
	cr_assert(sched_clock_begin(&clock, &sleep, &last_ns));
	cr_expect(eq(u64, last_ns, first_ns));
	sched_clock_fini(&clock);
}

/* Then it ran, and slept again at once. */
Test(sched_clock, sleep_lasted_until_it_ran)
{
	struct sched_clock clock = { 0 };
	const uint64_t begin_ns = clock_now_ns();
	struct sched_sleep sleep = sleep_at(begin_ns, STOOD), next;
	uint64_t lasted_ns;

	next = sleep_at(begin_ns + 20000000, STOOD);
	next.ran_ns = sleep.ran_ns + 70000;
	cr_expect(not(sched_clock_lasted(&clock, &sleep, &next, &lasted_ns)));
	learn(&clock, STOOD);
	cr_assert(sched_clock_lasted(&clock, &sleep, &next, &lasted_ns));
	cr_expect(eq(u64, lasted_ns, 20000000 - 70000));
	sched_clock_fini(&clock);
}

Test(sched_clock, nothing_is_known_of_other_processors)
{
	struct sched_clock clock = { 0 };
	struct sched_sleep sleep = sleep_at(clock_now_ns() - AGO, STOOD);
	uint64_t told_ns;

	learn(&clock, STOOD);
	sleep.cpu = CPU + 1;
	cr_expect(not(sched_clock_begin(&clock, &sleep, &told_ns)));
	sched_clock_fini(&clock);
}
