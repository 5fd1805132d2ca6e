/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: seccomp, strict and with filters.
 */
#include "surroundings.h"
#include "victim.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBER	       offsetof(struct seccomp_data, nr)
#define ARCH	       offsetof(struct seccomp_data, arch)
#define LOW(index)     (offsetof(struct seccomp_data, args) + 8 * (index))
#define LOAD(offset)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
/* The next `skip` instructions are for this value only. */
#define UNLESS_SKIP(value, skip)                                               \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define EPERM_RETURNED (SECCOMP_RET_ERRNO | EPERM)

static void install(struct sock_filter *filter, size_t len)
{
	const struct sock_fprog program = {
		.len = (unsigned short)len,
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		victim_die("seccomp");
}

/* "NUMBER": that call gets `action`. */
static void refuse(const char *arg, uint32_t action)
{
	struct sock_filter filter[] = {
		LOAD(ARCH),
		UNLESS_SKIP(AUDIT_ARCH_X86_64, 1),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(NUMBER),
		UNLESS_SKIP((uint32_t)strtoul(arg, NULL, 10), 1),
		RETURN(action),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

static void refuse_with_error(const char *arg)
{
	refuse(arg, EPERM_RETURNED);
}

/* As a kernel does that does not know the call. */
static void refuse_as_missing(const char *arg)
{
	refuse(arg, SECCOMP_RET_ERRNO | ENOSYS);
}

static void refuse_with_death(const char *arg)
{
	refuse(arg, SECCOMP_RET_KILL_PROCESS);
}

static void refuse_with_trap(const char *arg)
{
	refuse(arg, SECCOMP_RET_TRAP);
}

/* As before Linux 6.9, which brought PIDFD_THREAD. */
static void refuse_thread_pidfds(const char *arg)
{
	struct sock_filter filter[] = {
		LOAD(NUMBER),
		UNLESS_SKIP(SYS_pidfd_open, 3),
		LOAD(LOW(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		RETURN(SECCOMP_RET_ERRNO | EINVAL),
		RETURN(SECCOMP_RET_ALLOW),
	};

	(void)arg;
	install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* The rules of systemd's MemoryDenyWriteExecute. */
static void deny_write_execute(const char *arg)
{
	const uint32_t both = PROT_WRITE | PROT_EXEC;
	struct sock_filter filter[] = {
		LOAD(NUMBER),
		UNLESS_SKIP(SYS_mmap, 4),
		LOAD(LOW(2)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, both),
		UNLESS_SKIP(both, 1),
		RETURN(EPERM_RETURNED),
		LOAD(NUMBER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
		UNLESS_SKIP(SYS_pkey_mprotect, 3),
		LOAD(LOW(2)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		RETURN(EPERM_RETURNED),
		RETURN(SECCOMP_RET_ALLOW),
	};

	(void)arg;
	install(filter, sizeof(filter) / sizeof(filter[0]));
}

struct confined {
	int idle_fd, begun_fd;
};

static void *run_strictly(void *argument)
{
	const struct confined confined = *(struct confined *)argument;
	char byte = 0;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		victim_die("strict");
	write(confined.begun_fd, &byte, 1);
	for (;;)
		read(confined.idle_fd, &byte, 1);
}

/* One thread computes under the strictest rules, the others are free. */
static void confine_a_thread(const char *arg)
{
	static struct confined confined;
	int idle[2], begun[2];
	pthread_t thread;
	char byte;

	(void)arg;
	if (pipe(idle) || pipe(begun))
		victim_die("pipe");
	confined.idle_fd = idle[0];
	confined.begun_fd = begun[1];
	if (pthread_create(&thread, NULL, run_strictly, &confined) ||
	    read(begun[0], &byte, 1) != 1)
		victim_die("thread");
}

/* The whole program: it can read and write and, as one thread, end. */
static void confine(const char *arg)
{
	(void)arg;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		victim_die("strict");
	surroundings_answer();
	syscall(SYS_exit, 0);
}

const struct surrounding surround_filters[] = {
	{ "filter_error", refuse_with_error },
	{ "filter_missing", refuse_as_missing },
	{ "filter_kill", refuse_with_death },
	{ "filter_trap", refuse_with_trap },
	{ "filter_mdwe", deny_write_execute },
	{ "filter_thread_pidfds", refuse_thread_pidfds },
	{ "strict", confine },
	{ "strict_thread", confine_a_thread },
	{ 0 },
};
