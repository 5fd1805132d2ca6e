/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: threads that spin, wait for ever, have ended, or are the
 * kernel's own.
 */
#include "surroundings.h"
#include "victim.h"

#include <dirent.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long begun;

static void *spin(void *unused)
{
	__atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
	for (;;)
		__asm__ volatile("pause");
	return unused;
}

static void start_threads(long count, void *(*run)(void *),
			  const pthread_attr_t *attr)
{
	for (long i = 0; i < count; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, attr, run, NULL);
		if (errno)
			victim_die("thread");
	}
}

/* Before that a thread has its signals blocked, by the C library. */
static void await_begin(long count)
{
	while (begun < count)
		sched_yield();
}

/*
 * One spins at real-time priority on the last processor; it lets others in
 * there only for the twentieth that the kernel keeps back.
 */
static void spin_at_real_time(const char *arg)
{
	const struct sched_param param = { .sched_priority = 1 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_attr_t attr;
	cpu_set_t set;

	(void)arg;
	CPU_ZERO(&set);
	CPU_SET((int)(cpus - 1), &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	start_threads(1, spin, &attr);
	await_begin(1);
}

static void spin_alone(const char *arg)
{
	(void)arg;
	victim_say("ready");
	do
		surroundings_spin_for_command();
	while (surroundings_answer_one());
	_exit(0);
}

/* `arg` of them. */
static void spin_in_a_crowd(const char *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	start_threads(strtol(arg, NULL, 10), spin, &attr);
	await_begin(strtol(arg, NULL, 10));
}

/* Uninterruptible until the child ends. */
static void *wait_in_vfork(void *unused)
{
	pid_t child = vfork();

	(void)unused;
	if (child == 0) {
		/* It has the parent's memory: system calls and no more. */
		begun = 1;
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			syscall(SYS_pause);
	}
	return NULL;
}

static void wait_uninterruptibly(const char *arg)
{
	(void)arg;
	start_threads(1, wait_in_vfork, NULL);
	await_begin(1);
}

static void *serve(void *unused)
{
	(void)unused;
	surroundings_serve();
}

static void end_main_thread(const char *arg)
{
	(void)arg;
	start_threads(1, serve, NULL);
	pthread_exit(NULL);
}

static void start_runner(void);

/* Each lives for some milliseconds, and until the next one has begun. */
static void *run_a_leg(void *unused)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&input, 1, 3) > 0 && !surroundings_answer_one())
		_exit(0);
	start_runner();
	return unused;
}

static void start_runner(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	start_threads(1, run_a_leg, &attr);
	pthread_attr_destroy(&attr);
}

/* No thread stays, and the main thread is the first to go. */
static void run_a_relay(const char *arg)
{
	(void)arg;
	victim_say("ready");
	start_runner();
	pthread_exit(NULL);
}

static bool has_io_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	bool found = false;

	if (dir == NULL)
		victim_die("/proc/self/task");
	while (!found && (entry = readdir(dir)) != NULL) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		found = fgets(name, sizeof(name), file) != NULL &&
			strncmp(name, "iou-", 4) == 0;
		fclose(file);
	}
	closedir(dir);
	return found;
}

/*
 * A read from an empty pipe that may not be polled keeps a worker of the
 * kernel among the threads.
 */
static void use_io_uring(const char *arg)
{
	struct io_uring_params params = { 0 };
	struct io_uring_sqe *entries;
	int ring, pipe_fds[2];
	unsigned int *tail, *array;
	static char buffer[8];
	char *rings;

	(void)arg;
	ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0 || pipe(pipe_fds)) {
		surroundings_lack("io_uring");
		return;
	}
	rings = mmap(NULL,
		     params.sq_off.array +
			     params.sq_entries * sizeof(unsigned int),
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQ_RING);
	entries =
		mmap(NULL, params.sq_entries * sizeof(*entries),
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (rings == MAP_FAILED || (void *)entries == MAP_FAILED)
		victim_die("io_uring");
	entries[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.flags = IOSQE_ASYNC,
		.fd = pipe_fds[0],
		.addr = (unsigned long)buffer,
		.len = sizeof(buffer),
	};
	array = (unsigned int *)(rings + params.sq_off.array);
	tail = (unsigned int *)(rings + params.sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) != 1)
		victim_die("io_uring_enter");
	/* It takes its name when it begins. */
	while (!has_io_worker())
		sched_yield();
}

const struct surrounding surround_threads[] = {
	{ "real_time", spin_at_real_time },
	{ "crowd", spin_in_a_crowd },
	{ "spinning", spin_alone },
	{ "uninterruptible", wait_uninterruptibly },
	{ "ended_leader", end_main_thread },
	{ "relay", run_a_relay },
	{ "io_uring", use_io_uring },
	{ 0 },
};
