/* SPDX-License-Identifier: MIT */
/*
 * N threads that call work() and sleep 1-5 ms in between, longer if there are
 * more than 128, and a main thread that waits for commands; the time between
 * two calls of a thread is its gap.
 * usage: victim THREADS [sleeping|blocked|runnable [DEPTH]]
 * blocked: they wait in read(2); runnable: they compute in between, and do not
 * wait at all; DEPTH: below so many frames.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "each.h"

#define STACK_SIZE    (256 * 1024)
#define SPIN_NS	      20000UL
#define CALLS	      10000000UL
#define CALL_BATCHES  10
#define PAGE_LEN      4096UL
#define JUMP_LEN      5
#define JUMP_DISTANCE (1UL << 24)
#define CALIBRATE_NS  200000000L
#define POLL_NS	      200000L
#define NAP_NS	      1000000L
#define SHARE	      128
/* Called, not inlined or evaluated; nothing is relied on that it does. */
#define REPLACED __attribute__((noipa, used))
/* Here gcc may rely on what the function really does, as in real programs. */
#define RELIED_ON __attribute__((noinline, noclone, used))

struct worker {
	pthread_t thread;
	struct timespec nap;
	int timer; /* fires once in a nap; of those that are blocked */
	uint64_t last_ns;
	atomic_ulong calls, sum_ns, longest_ns;
	/* an average gap that nobody disturbed */
	uint64_t usual_ns;
	atomic_bool begin;
};

static struct worker *workers;
static unsigned int worker_count;
static void (*wait_a_while)(const struct worker *worker);
static unsigned int depth;
static volatile bool stopping; /* never: for the compiler */
static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

RELIED_ON static int leaf(void)
{
	return step;
}

RELIED_ON static int use_leaf(int a, int b)
{
	return leaf() + a + b;
}

static REPLACED int same(int x)
{
	return x;
}

static int (*volatile unknown)(int) = same;

/* Whoever calls what is not known relies on no register. */
static REPLACED int caller(int x)
{
	return unknown(x) + 1;
}

typedef int called_function(int x);

/* Of the library that was loaded last. */
static called_function *library_caller;

#define DEFINE(name)                                                           \
	static REPLACED int name(int x)                                        \
	{                                                                      \
		return x + step;                                               \
	}
EACH_1000(DEFINE)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void note_gap(struct worker *worker)
{
	uint64_t now = now_ns();
	uint64_t gap_ns = now - worker->last_ns;

	worker->last_ns = now;
	if (atomic_exchange(&worker->begin, false)) {
		worker->calls = worker->sum_ns = worker->longest_ns = 0;
		return;
	}
	if (gap_ns > worker->longest_ns)
		worker->longest_ns = gap_ns;
	worker->sum_ns += gap_ns;
	worker->calls++;
}

static void sleep_a_while(const struct worker *worker)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &worker->nap, NULL);
}

static void block_a_while(const struct worker *worker)
{
	uint64_t expirations;

	if (read(worker->timer, &expirations, sizeof(expirations)) < 0)
		die("read");
}

static void compute_a_while(const struct worker *worker)
{
	uint64_t end = now_ns() + SPIN_NS;

	(void)worker;
	while (now_ns() < end)
		;
}

static void work_on(struct worker *worker)
{
	int result = 0;

	worker->last_ns = now_ns();
	while (!stopping) {
		note_gap(worker);
		result = work(result);
		wait_a_while(worker);
	}
}

/* The volatile counter keeps it from becoming a loop. */
static REPLACED int descend(struct worker *worker, unsigned int frames)
{
	volatile int below = 0;

	if (frames > 0)
		below = descend(worker, frames - 1);
	else
		work_on(worker);
	return below + 1;
}

static void *run_worker(void *arg)
{
	descend(arg, depth);
	return NULL;
}

static void pause_ns(long ns)
{
	const struct timespec pause = { .tv_nsec = ns };

	nanosleep(&pause, NULL);
}

/* Gaps count from the next call of each thread on. */
static void start_window(void)
{
	for (unsigned int i = 0; i < worker_count; i++)
		workers[i].begin = true;
	for (unsigned int i = 0; i < worker_count; i++) {
		while (workers[i].begin)
			pause_ns(POLL_NS);
	}
}

/* The gaps that are open now belong to it as well. */
static void end_window(void)
{
	unsigned long *calls = calloc(worker_count + 1, sizeof(*calls));

	if (!calls)
		die("calloc");
	for (unsigned int i = 0; i < worker_count; i++)
		calls[i] = workers[i].calls;
	for (unsigned int i = 0; i < worker_count; i++) {
		while (workers[i].calls == calls[i])
			pause_ns(POLL_NS);
	}
	free(calls);
}

static void begin_window(void)
{
	start_window();
	printf("ok\n");
}

static void calibrate(void)
{
	start_window();
	pause_ns(CALIBRATE_NS);
	end_window();
	for (unsigned int i = 0; i < worker_count; i++)
		workers[i].usual_ns = workers[i].sum_ns / workers[i].calls;
	printf("ok\n");
}

/* By how much the longest gap of a thread exceeds its usual one. */
static void report_pause(void)
{
	uint64_t pause = 0;

	end_window();
	for (unsigned int i = 0; i < worker_count; i++) {
		const struct worker *worker = &workers[i];

		if (worker->longest_ns > worker->usual_ns + pause)
			pause = worker->longest_ns - worker->usual_ns;
	}
	printf("%lu\n", pause);
}

/* The call through a pointer is predicted, and costs what a direct one does. */
static __attribute__((noipa)) uint64_t time_calls(called_function *function)
{
	uint64_t begin = now_ns();
	int x = 0;

	for (unsigned long i = 0; i < CALLS; i++)
		x = function(x);
	return now_ns() - begin;
}

static uint64_t time_leaf(called_function *unused)
{
	uint64_t begin = now_ns();
	int x = 0;

	(void)unused;
	for (unsigned long i = 0; i < CALLS; i++)
		x = use_leaf(x, 1);
	return now_ns() - begin;
}

/* Each addition needs the result of the one before. */
static uint64_t time_cycle(called_function *unused)
{
	uint64_t begin = now_ns();
	unsigned long x = 0;

	(void)unused;
	for (unsigned long i = 0; i < CALLS; i++)
		__asm__ volatile("add $1, %0" : "+r"(x));
	return now_ns() - begin;
}

/* The best batch: what else runs on this machine only ever adds. */
static void report_cost(uint64_t (*time_batch)(called_function *),
			called_function *function)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < CALL_BATCHES; i++) {
		uint64_t ns = time_batch(function);

		if (ns < best)
			best = ns;
	}
	printf("%.3f\n", (double)best / (double)CALLS);
}

/* Resident and private: each page is written. */
static void occupy(unsigned long gib)
{
	const size_t len = gib << 30;
	char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < len; i += 4096)
		memory[i] = 1;
	printf("ok\n");
}

/*
 * A function whose first instruction leads to `to`, as that of one that is
 * patched by hand would: to another mapping.  Once for each `to`.
 */
static called_function *place_jump(called_function *to)
{
	const uintptr_t page =
		((uintptr_t)to & ~(PAGE_LEN - 1)) - JUMP_DISTANCE;
	unsigned char *jump =
		mmap((void *)page, PAGE_LEN, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	intptr_t offset;
	int32_t rel32;

	if (jump == MAP_FAILED)
		die("mmap");
	offset = (intptr_t)to - (intptr_t)(jump + JUMP_LEN);
	rel32 = (int32_t)offset;
	if (rel32 != offset) {
		fputs("victim: no room for a jump\n", stderr);
		exit(1);
	}
	jump[0] = 0xe9;
	memcpy(jump + 1, &rel32, sizeof(rel32));
	if (mprotect(jump, PAGE_LEN, PROT_READ | PROT_EXEC))
		die("mprotect");
	return (called_function *)jump;
}

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	if (!library) {
		printf("%s\n", dlerror());
		return;
	}
	*(void **)&library_caller = dlsym(library, "library_caller");
	printf("ok\n");
}

static void obey(const char *command)
{
	if (!strncmp(command, "occupy ", 7))
		occupy(strtoul(command + 7, NULL, 10));
	else if (!strncmp(command, "load ", 5))
		load(command + 5);
	else if (!strcmp(command, "calibrate"))
		calibrate();
	else if (!strcmp(command, "begin"))
		begin_window();
	else if (!strcmp(command, "end"))
		report_pause();
	else if (!strcmp(command, "work"))
		report_cost(time_calls, work);
	else if (!strcmp(command, "caller"))
		report_cost(time_calls, caller);
	else if (!strcmp(command, "leaf"))
		report_cost(time_leaf, NULL);
	else if (!strcmp(command, "caller_jump"))
		report_cost(time_calls, place_jump(caller));
	else if (!strcmp(command, "cycle"))
		report_cost(time_cycle, NULL);
	else if (!strcmp(command, "library_caller"))
		report_cost(time_calls, library_caller);
	else if (!strcmp(command, "library_jump"))
		report_cost(time_calls, place_jump(library_caller));
	else
		printf("unknown command\n");
}

static int create_timer(const struct timespec *period)
{
	const struct itimerspec spec = { .it_interval = *period,
					 .it_value = *period };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (timer < 0 || timerfd_settime(timer, 0, &spec, NULL))
		die("timerfd");
	return timer;
}

static bool choose_state(const char *name)
{
	if (!strcmp(name, "sleeping"))
		wait_a_while = sleep_a_while;
	else if (!strcmp(name, "blocked"))
		wait_a_while = block_a_while;
	else if (!strcmp(name, "runnable"))
		wait_a_while = compute_a_while;
	return wait_a_while;
}

/* The more threads, the rarer they wake: the machine is not to be busy. */
static void start_workers(void)
{
	const long share = 1 + worker_count / (SHARE + 1);
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	workers = calloc(worker_count + 1, sizeof(*workers));
	if (!workers)
		die("calloc");
	for (unsigned int i = 0; i < worker_count; i++) {
		workers[i].nap.tv_nsec = (long)(1 + i % 5) * NAP_NS * share;
		if (wait_a_while == block_a_while)
			workers[i].timer = create_timer(&workers[i].nap);
		if (pthread_create(&workers[i].thread, &attr, run_worker,
				   &workers[i]))
			die("pthread_create");
	}
}

/* Waiting in stdio would hold a lock of libc: no thread to be borrowed. */
static bool next_command(char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return true;
		}
		if (len + 1 < size)
			line[len++] = c;
	}
	return false;
}

int main(int argc, char **argv)
{
	char command[4096];

	if (argc < 2 || !choose_state(argc > 2 ? argv[2] : "sleeping")) {
		fputs("usage: victim THREADS [sleeping|blocked|runnable [DEPTH]]\n",
		      stderr);
		return 2;
	}
	depth = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 10) : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	worker_count = (unsigned int)strtoul(argv[1], NULL, 10);
	start_workers();
	while (next_command(command, sizeof(command)))
		obey(command);
	return 0;
}
