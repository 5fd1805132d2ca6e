/* SPDX-License-Identifier: MIT */
/*
 * stack_victim WAIT PLACE THREAD: brings a thread into a known place.
 * WAIT: what it waits in (see `waits`).  PLACE: "in", called through
 * old_function; "out", called without; "stale", without, but a return address
 * into old_function lies on the stack.  THREAD: "main" or "thread".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

typedef void wait_function(void);

static int pipe_fds[2];
static volatile bool forever = true;
static const char *place;
static wait_function *chosen_wait;

/* Bounds that the linker knows: the section holds one function. */
extern const char __start_old_text[], __stop_old_text[];

__attribute__((section("old_text"), noinline)) static void
old_function(wait_function *wait)
{
	wait();
	/* no tail call */
	__asm__ volatile("" ::: "memory");
}

/* A function without unwind tables: assembly that says nothing of frames. */
void call_untabled(wait_function *wait);
__asm__(".text\n"
	".type call_untabled, @function\n"
	"call_untabled:\n"
	"	subq $40, %rsp\n"
	"	call *%rdi\n"
	"	addq $40, %rsp\n"
	"	ret\n"
	".size call_untabled, .-call_untabled\n");

/* --- Calls that wait --------------------------------------------------- */

static void wait_read(void)
{
	char byte;

	while (read(pipe_fds[0], &byte, 1) != 1)
		;
}

static void wait_poll(void)
{
	struct pollfd fd = { .fd = pipe_fds[0], .events = POLLIN };

	while (forever)
		poll(&fd, 1, -1);
}

static void wait_select(void)
{
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(pipe_fds[0], &fds);
	while (forever)
		select(pipe_fds[0] + 1, &fds, NULL, NULL, NULL);
}

static void wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(0);

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &event);
	while (forever)
		epoll_wait(epoll_fd, &event, 1, -1);
}

static void wait_nanosleep(void)
{
	struct timespec hour = { .tv_sec = 3600 };

	while (forever)
		nanosleep(&hour, NULL);
}

static void wait_sleep(void)
{
	while (forever)
		sleep(3600);
}

static void wait_pause(void)
{
	while (forever)
		pause();
}

static void wait_cond(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&mutex);
	while (forever)
		pthread_cond_wait(&cond, &mutex);
}

static void wait_sem(void)
{
	sem_t sem;

	sem_init(&sem, 0, 0);
	while (forever)
		sem_wait(&sem);
}

static void wait_mutex(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
}

static void *pause_thread(void *arg)
{
	wait_pause();
	return arg;
}

static void wait_join(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, pause_thread, NULL);
	pthread_join(thread, NULL);
}

static void wait_syscall(void)
{
	while (forever)
		syscall(SYS_pause);
}

/* --- Places where a lock can be held ----------------------------------- */

static void wait_fwrite(void)
{
	static char block[65536 * 4];
	FILE *file = fdopen(pipe_fds[1], "w");

	fwrite(block, 1, sizeof(block), file);
}

static void wait_printf(void)
{
	static char block[65536 * 4];

	memset(block, 'x', sizeof(block) - 1);
	dup2(pipe_fds[1], STDOUT_FILENO);
	printf("%s\n", block);
}

/* Tells that a wait has begun which does not sleep. */
static void say_busy(void)
{
	dprintf(STDOUT_FILENO, "busy\n");
}

static void wait_malloc(void)
{
	say_busy();
	while (forever) {
		void *volatile memory = malloc(100000);

		free(memory);
	}
}

/* It ends with the test, as nobody writes to stdin any more. */
static void wait_system(void)
{
	if (system("exec cat >/dev/null") != 0)
		abort();
}

static int compare_waiting(const void *left, const void *right)
{
	wait_read();
	return left < right;
}

static void wait_qsort(void)
{
	int numbers[2] = { 1, 2 };

	qsort(numbers, 2, sizeof(int), compare_waiting);
}

static int visit_waiting(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)info;
	(void)size;
	(void)arg;
	wait_read();
	return 1;
}

static void wait_phdr(void)
{
	dl_iterate_phdr(visit_waiting, NULL);
}

static void wait_exit(void)
{
	atexit(wait_read);
	exit(0);
}

/* --- Code of its own --------------------------------------------------- */

static void wait_spin(void)
{
	say_busy();
	while (forever)
		;
}

static void wait_untabled(void)
{
	call_untabled(wait_read);
	__asm__ volatile("" ::: "memory");
}

/* --- Signal handlers and other stacks ---------------------------------- */

static void handle_waiting(int number)
{
	(void)number;
	wait_read();
}

static void raise_on(void *stack, size_t size)
{
	struct sigaction action = { .sa_handler = handle_waiting };
	stack_t alternate = { .ss_sp = stack, .ss_size = size };

	if (stack) {
		sigaltstack(&alternate, NULL);
		action.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGUSR1, &action, NULL);
	pthread_kill(pthread_self(), SIGUSR1);
	__asm__ volatile("" ::: "memory");
}

static void wait_handler(void)
{
	raise_on(NULL, 0);
}

/* The alternate stack is malloc's, or of the program's data. */
static void wait_altstack(void)
{
	raise_on(malloc(65536), 65536);
}

static void wait_datastack(void)
{
	static char stack[65536];

	raise_on(stack, sizeof(stack));
}

/* --- Handlers that interrupt something else than raise(3) -------------- */

extern const char __executable_start[], etext[];
static enum {
	IN_PROGRAM,
	IN_LIBC,
	ASLEEP
} wanted;

static bool is_where_wanted(const ucontext_t *context)
{
	static uintptr_t last_pc;
	uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	bool is_own =
		pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext;
	/* two ticks in a row: it waits there */
	bool is_asleep = pc == last_pc && !is_own;

	last_pc = pc;
	if (wanted == ASLEEP)
		return is_asleep;
	return is_own == (wanted == IN_PROGRAM);
}

static void handle_tick(int number, siginfo_t *info, void *context)
{
	const struct itimerspec never = { 0 };

	if (!is_where_wanted(context))
		return;
	timer_settime(info->si_value.sival_ptr, 0, &never, NULL);
	(void)number;
	/* without stdio, which may be what it has interrupted */
	if (write(STDOUT_FILENO, "busy\n", 5) == 5)
		wait_read();
}

/* Ticks until one of them comes where it is to. */
static void interrupt_in(wait_function *wait)
{
	const struct itimerspec often = {
		.it_interval = { .tv_nsec = 1000000 },
		.it_value = { .tv_nsec = 1000000 },
	};
	struct sigaction action = { .sa_sigaction = handle_tick,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	static timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1 };

	sigaction(SIGUSR1, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	wait();
	__asm__ volatile("" ::: "memory");
}

static void wait_interrupted_select(void)
{
	wanted = ASLEEP;
	interrupt_in(wait_select);
}

static void wait_interrupted_read(void)
{
	wanted = ASLEEP;
	interrupt_in(wait_read);
}

static void spin_silently(void)
{
	while (forever)
		;
}

static void wait_interrupted_spin(void)
{
	wanted = IN_PROGRAM;
	interrupt_in(spin_silently);
}

static void allocate_silently(void)
{
	while (forever) {
		void *volatile memory = malloc(100000);

		free(memory);
	}
}

static void wait_interrupted_malloc(void)
{
	wanted = IN_LIBC;
	interrupt_in(allocate_silently);
}

static void wait_interrupted_qsort(void)
{
	wanted = ASLEEP;
	interrupt_in(wait_qsort);
}

static void read_stdio(void)
{
	static char byte;

	if (fread(&byte, 1, 1, fdopen(pipe_fds[0], "r")) != 1)
		abort();
}

static void wait_interrupted_fread(void)
{
	wanted = ASLEEP;
	interrupt_in(read_stdio);
}

static char *inner_stack;

static void raise_on_inner(void)
{
	raise_on(inner_stack, 65536);
}

static void wait_in_place(wait_function *wait);

/* The alternate stack is an array of a caller: above what is interrupted. */
static void wait_innerstack(void)
{
	char stack[65536];

	inner_stack = stack;
	wait_in_place(raise_on_inner);
	__asm__ volatile("" ::"r"(stack) : "memory");
}

static ucontext_t main_context, coroutine;

static void switch_to_coroutine(void)
{
	swapcontext(&main_context, &coroutine);
	__asm__ volatile("" ::: "memory");
}

static void run_wait_read(void)
{
	wait_read();
	__asm__ volatile("" ::: "memory");
}

static void run_old_function(void)
{
	old_function(wait_read);
	__asm__ volatile("" ::: "memory");
}

static void prepare_coroutine(void (*function)(void))
{
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = malloc(65536);
	coroutine.uc_stack.ss_size = 65536;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, function, 0);
}

static void wait_coroutine(void)
{
	prepare_coroutine(run_wait_read);
	switch_to_coroutine();
}

static void wait_coroutine_in_old(void)
{
	prepare_coroutine(run_old_function);
	switch_to_coroutine();
}

/* --- Start ------------------------------------------------------------- */

static const struct {
	const char *name;
	wait_function *wait;
} waits[] = {
	{ "altstack", wait_altstack },
	{ "cond", wait_cond },
	{ "coroutine", wait_coroutine },
	{ "coroutine-in-old", wait_coroutine_in_old },
	{ "datastack", wait_datastack },
	{ "epoll", wait_epoll },
	{ "exit", wait_exit },
	{ "fwrite", wait_fwrite },
	{ "handler", wait_handler },
	{ "innerstack", wait_innerstack },
	{ "interrupted-fread", wait_interrupted_fread },
	{ "interrupted-malloc", wait_interrupted_malloc },
	{ "interrupted-qsort", wait_interrupted_qsort },
	{ "interrupted-read", wait_interrupted_read },
	{ "interrupted-select", wait_interrupted_select },
	{ "interrupted-spin", wait_interrupted_spin },
	{ "join", wait_join },
	{ "malloc", wait_malloc },
	{ "mutex", wait_mutex },
	{ "nanosleep", wait_nanosleep },
	{ "pause", wait_pause },
	{ "phdr", wait_phdr },
	{ "poll", wait_poll },
	{ "printf", wait_printf },
	{ "qsort", wait_qsort },
	{ "read", wait_read },
	{ "select", wait_select },
	{ "sem", wait_sem },
	{ "sleep", wait_sleep },
	{ "spin", wait_spin },
	{ "syscall", wait_syscall },
	{ "system", wait_system },
	{ "untabled", wait_untabled },
};

__attribute__((noinline)) static void wait_in_place(wait_function *wait)
{
	volatile uintptr_t words[4] = { 0 };

	if (strcmp(place, "in") == 0) {
		old_function(wait);
	} else {
		if (strcmp(place, "stale") == 0)
			words[1] = (uintptr_t)__start_old_text + 5;
		wait();
	}
	words[0] = words[1];
}

/* What the kernel has noted as the return of handlers: libc's __restore_rt. */
static uintptr_t signal_return(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		uintptr_t restorer;
		unsigned long mask;
	} action = { 0 };

	signal(SIGUSR2, handle_waiting);
	syscall(SYS_rt_sigaction, SIGUSR2, NULL, &action, sizeof(action.mask));
	return action.restorer;
}

static void *run(void *arg)
{
	/* inverted: what stays on the stack must not be an address in it */
	dprintf(STDOUT_FILENO,
		"ready tid=%ld old=%" PRIuPTR " old_end=%" PRIuPTR
		" return=%" PRIuPTR "\n",
		syscall(SYS_gettid), ~(uintptr_t)__start_old_text,
		~(uintptr_t)__stop_old_text, ~signal_return());
	/* it places the function itself, below its alternate stack */
	if (chosen_wait == wait_innerstack)
		wait_innerstack();
	else
		wait_in_place(chosen_wait);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 4 || pipe2(pipe_fds, O_CLOEXEC) != 0)
		return 2;
	place = argv[2];
	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		if (strcmp(waits[i].name, argv[1]) == 0)
			chosen_wait = waits[i].wait;
	}
	if (!chosen_wait)
		return 2;
	if (strcmp(argv[3], "main") == 0)
		run(NULL);
	else if (pthread_create(&thread, NULL, run, NULL) == 0)
		pthread_join(thread, NULL);
	return 0;
}
