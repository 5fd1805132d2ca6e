/* SPDX-License-Identifier: MIT */
/*
 * Its only thread lives in a signal handler, on top of what that interrupted.
 * usage: handled CASE, see `cases`
 * enter: it goes there, and says "entered pid=PID" in the handler; call: plain();
 * leave: the handler returns, "left".
 */
#include "victim.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)

enum place {
	IN_PROGRAM,
	IN_LIBC,
	ASLEEP, /* in a system call */
};

static const struct handled_case {
	const char *name;
	enum place place;
	void (*wait)(void);
	void (*serve)(void);
	int flags;
} * chosen;

static int pipe_fds[2];
static atomic_int released;
static pid_t child;

static REPLACED int plain(void)
{
	__asm__ volatile("");
	return 1;
}

/* --- In the handler ---------------------------------------------------- */

static void wait_for_input(int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	while (epoll_wait(epoll_fd, &event, 1, -1) != 1)
		;
}

static void serve(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	char command[64];

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	for (;;) {
		wait_for_input(epoll_fd);
		if (!victim_next_command(command, sizeof(command)))
			_exit(0);
		if (strcmp(command, "leave") == 0)
			break;
		victim_say("call %d", plain());
	}
	close(epoll_fd);
}

static void enter(void)
{
	victim_say("entered pid=%d", (int)getpid());
	serve();
	released = 1;
	if (write(pipe_fds[1], "", 1) != 1)
		victim_die("write");
}

/* As a server makes a process when it is told to. */
static void enter_child(void)
{
	child = fork();
	if (child < 0)
		victim_die("fork");
	released = 1;
	if (child > 0)
		return;
	victim_init();
	enter();
}

static int compare_entered(const void *left, const void *right)
{
	enter();
	return left < right;
}

static void enter_sorting(void)
{
	int numbers[2] = { 1, 2 };

	qsort(numbers, 2, sizeof(numbers[0]), compare_entered);
}

extern const char __executable_start[], etext[];

static bool is_in_place(const ucontext_t *context)
{
	static uintptr_t last_pc;
	uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	bool in_program =
		pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext;
	/* two ticks in a row */
	bool is_asleep = pc == last_pc && !in_program;

	last_pc = pc;
	if (chosen->place == ASLEEP)
		return is_asleep;
	return in_program == (chosen->place == IN_PROGRAM);
}

static void tick(int signal, siginfo_t *siginfo, void *context)
{
	const struct itimerval never = { 0 };

	(void)signal;
	(void)siginfo;
	if (released || !is_in_place(context))
		return;
	setitimer(ITIMER_REAL, &never, NULL);
	chosen->serve();
}

/* --- What is interrupted ----------------------------------------------- */

static void wait_epoll(void)
{
	struct epoll_event event;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	while (!released)
		epoll_wait(epoll_fd, &event, 1, -1);
}

static void wait_select(void)
{
	while (!released)
		select(0, NULL, NULL, NULL, NULL);
}

/* It is made again after the handler. */
static void wait_read(void)
{
	char byte;

	if (read(pipe_fds[0], &byte, 1) != 1)
		victim_die("read");
}

static void spin(void)
{
	while (!released)
		;
}

static void allocate(void)
{
	while (!released) {
		void *volatile memory = malloc(100000);

		free(memory);
	}
}

/* As PostgreSQL's server, which forks in the handler. */
static void unblock(void)
{
	sigset_t alarm, pending;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	while (!released) {
		sigprocmask(SIG_BLOCK, &alarm, NULL);
		do
			sigpending(&pending);
		while (!sigismember(&pending, SIGALRM));
		sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	}
}

static void send(void)
{
	while (!released)
		kill(getpid(), SIGALRM);
}

static int compare_waiting(const void *left, const void *right)
{
	wait_select();
	return left < right;
}

static void sort(void)
{
	int numbers[2] = { 1, 2 };

	qsort(numbers, 2, sizeof(numbers[0]), compare_waiting);
}

static const struct handled_case cases[] = {
	{ "epoll", ASLEEP, wait_epoll, enter, 0 },
	{ "select", ASLEEP, wait_select, enter, 0 },
	{ "read", ASLEEP, wait_read, enter, SA_RESTART },
	{ "program", IN_PROGRAM, spin, enter, 0 },
	{ "fork", ASLEEP, wait_select, enter_child, 0 },
	{ "unblock", IN_LIBC, unblock, enter, 0 },
	{ "kill", IN_LIBC, send, enter, 0 },
	{ "malloc", IN_LIBC, allocate, enter, 0 },
	{ "qsort", ASLEEP, sort, enter, 0 },
	{ "sorting", IN_PROGRAM, spin, enter_sorting, 0 },
	{ "altstack", IN_PROGRAM, spin, enter, SA_ONSTACK },
};

static void run_case(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_sigaction = tick };
	stack_t stack = { .ss_size = STACK_SIZE };

	action.sa_flags = SA_SIGINFO | chosen->flags;
	stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	chosen->wait();
}

int main(int argc, char **argv)
{
	char command[64];
	int status;

	victim_init();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && strcmp(cases[i].name, argv[1]) == 0)
			chosen = &cases[i];
	}
	if (!chosen || pipe(pipe_fds) != 0)
		victim_die("usage: handled CASE");
	victim_say("ready");
	if (!victim_next_command(command, sizeof(command)))
		return 0;
	run_case();
	if (child > 0)
		return waitpid(child, &status, 0) == child && status == 0 ? 0
									  : 1;
	victim_say("left");
	serve();
	return 0;
}
