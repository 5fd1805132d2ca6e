/* SPDX-License-Identifier: MIT */
/*
 * A thread in a state that is hard to judge from outside: see `cases`.
 * usage: stacks CASE
 * enter: it goes there; leave: it comes back, "left VERSION" where a replaced
 * function was on one of its stacks; call: the main thread calls them all.
 */
#include "stacks.h"
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)
#define HOLE_SIZE  2048
#define LOOP_COUNT (1l << 29) /* some tenths of a second, or more */

static int enter_fd, entered_fd, leave_fd, left_fd;
static int left_version;
static atomic_int released;
static atomic_int handles; /* signals */
static pthread_t thread;

static void wait_on(int fd)
{
	uint64_t value;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		victim_die("read");
}

static void signal_on(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		victim_die("write");
}

/* Where every case ends up: the thread is in its state. */
static void block(void)
{
	signal_on(entered_fd);
	wait_on(leave_fd);
}

static void do_nothing(void)
{
}

/* --- The replaced functions ------------------------------------------- */

static REPLACED int subject(void (*inside)(void))
{
	inside();
	return 1;
}

/*
 * Calls nothing: only an interrupted instruction pointer shows it.  The
 * volatile variable is set before the loop, which therefore does not go back
 * to the entry; such a function cannot be replaced.
 */
static REPLACED int spinner(atomic_int *stop)
{
	atomic_int *volatile where = stop;

	while (!*where)
		;
	return 1;
}

/*
 * Three functions that can be entered and not yet be through the bytes that a
 * jump at their entry takes.  In the first, the instruction at +1 faults and
 * the handler blocks; in the second, the call at +1 returns to +3; the third
 * goes round at +1 as often as its fourth argument says.
 */
int entry_fault(const int *address);
int entry_call(void (*const *inside)(void));
int entry_loop(int unused, int unused_2, int unused_3, long count);
__asm__(".pushsection .text\n"
	".type entry_fault, @function\n"
	".p2align 4\n"
	"entry_fault:\n"
	"	.cfi_startproc\n"
	"	pushq %rbx\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 3, -16\n"
	"	movl (%rdi), %ebx\n"
	"	movl $1, %eax\n"
	"	popq %rbx\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size entry_fault, . - entry_fault\n"
	".type entry_call, @function\n"
	".p2align 4\n"
	"entry_call:\n"
	"	.cfi_startproc\n"
	"	pushq %rbx\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 3, -16\n"
	"	call *(%rdi)\n"
	"	movl $1, %eax\n"
	"	popq %rbx\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size entry_call, . - entry_call\n"
	".type entry_loop, @function\n"
	".p2align 4\n"
	"entry_loop:\n"
	"	.cfi_startproc\n"
	"	pushq %rbx\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 3, -16\n"
	"1:	loop 1b\n"
	"	movl $1, %eax\n"
	"	popq %rbx\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size entry_loop, . - entry_loop\n"
	".popsection\n");

/* --- Signal handlers, alternate stacks -------------------------------- */

static void block_in_handler(int signal)
{
	(void)signal;
	block();
	released = 1;
}

static void subject_in_handler(int signal)
{
	(void)signal;
	left_version = subject(block);
	released = 1;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	if (flags & SA_ONSTACK) {
		stack_t stack = { .ss_size = STACK_SIZE };

		stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		sigaltstack(&stack, NULL);
	}
	sigaction(signal, &action, NULL);
	handles = 1;
}

/* Not replaced, for handlers that interrupt nothing of interest. */
static __attribute__((noinline)) void spin(atomic_int *stop)
{
	while (!*stop)
		;
}

static void enter_signal(void)
{
	handle(SIGUSR1, block_in_handler, 0);
	left_version = spinner(&released);
}

static void enter_altstack_below(void)
{
	handle(SIGUSR1, block_in_handler, SA_ONSTACK);
	left_version = spinner(&released);
}

static void enter_altstack_inside(void)
{
	handle(SIGUSR1, subject_in_handler, SA_ONSTACK);
	spin(&released);
}

static void enter_altstack_clear(void)
{
	handle(SIGUSR1, block_in_handler, SA_ONSTACK);
	spin(&released);
}

static void *unreadable_page;

static void fault_handler(int signal)
{
	(void)signal;
	block();
	mprotect(unreadable_page, STACK_SIZE, PROT_READ);
}

static void enter_entry_fault(void)
{
	unreadable_page = mmap(NULL, STACK_SIZE, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	handle(SIGSEGV, fault_handler, 0);
	left_version = entry_fault(unreadable_page);
}

static void enter_entry_call(void)
{
	static void (*const inside)(void) = block;

	left_version = entry_call(&inside);
}

static void enter_entry_loop(void)
{
	signal_on(entered_fd);
	left_version = entry_loop(0, 0, 0, LOOP_COUNT);
	wait_on(leave_fd);
}

/* --- Coroutines ------------------------------------------------------- */

static ucontext_t thread_context, coroutine_context;

static void run_coroutine(void (*body)(void))
{
	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = malloc(STACK_SIZE);
	coroutine_context.uc_stack.ss_size = STACK_SIZE;
	coroutine_context.uc_link = &thread_context;
	makecontext(&coroutine_context, body, 0);
	swapcontext(&thread_context, &coroutine_context);
}

static void yield(void)
{
	swapcontext(&coroutine_context, &thread_context);
}

static void subject_in_coroutine(void)
{
	left_version = subject(block);
}

static void suspend_in_coroutine(void)
{
	left_version = subject(yield);
}

static void enter_coro_running(void)
{
	run_coroutine(subject_in_coroutine);
}

static void enter_coro_clear(void)
{
	run_coroutine(block);
}

static void enter_coro_suspended(void)
{
	run_coroutine(suspend_in_coroutine);
	block();
	swapcontext(&thread_context, &coroutine_context);
}

/* --- Words that mean nothing, frames that nobody can walk -------------- */

static __attribute__((noinline)) void call_and_return(void)
{
	subject(do_nothing);
}

/* The hole lies where the frames of call_and_return() were. */
static __attribute__((noinline)) void block_above_hole(void (*inside)(void))
{
	char hole[HOLE_SIZE];

	__asm__ volatile("" : : "r"(hole) : "memory");
	inside();
	__asm__ volatile("" : : "r"(hole) : "memory");
}

static void enter_stale(void)
{
	call_and_return();
	block_above_hole(block);
}

static void bridge_to_block(void)
{
	stacks_bridge(block);
}

static void enter_nounwind_stale(void)
{
	call_and_return();
	block_above_hole(bridge_to_block);
}

static void enter_nounwind_clear(void)
{
	stacks_bridge(block);
}

/*
 * A frame pointer that was set below subject(): an unwinder that follows it
 * from the bridge, which has no unwind table, arrives at a walk that looks
 * complete and lacks subject().
 */
static __attribute__((noinline)) void enter_nounwind(void)
{
	__asm__ volatile("" : : "r"(__builtin_frame_address(0)));
	left_version = subject(bridge_to_block);
	__asm__ volatile("");
}

static void enter_plain(void)
{
	left_version = subject(block);
}

static const struct stack_case {
	const char *name;
	void (*enter)(void);
	/* main interrupts the thread once it spins */
	bool interrupt;
} cases[] = {
	{ "plain", enter_plain, false },
	{ "signal", enter_signal, true },
	{ "altstack_below", enter_altstack_below, true },
	{ "altstack_inside", enter_altstack_inside, true },
	{ "altstack_clear", enter_altstack_clear, true },
	{ "entry_fault", enter_entry_fault, false },
	{ "entry_call", enter_entry_call, false },
	{ "entry_loop", enter_entry_loop, false },
	{ "coro_running", enter_coro_running, false },
	{ "coro_clear", enter_coro_clear, false },
	{ "coro_suspended", enter_coro_suspended, false },
	{ "stale", enter_stale, false },
	{ "nounwind", enter_nounwind, false },
	{ "nounwind_stale", enter_nounwind_stale, false },
	{ "nounwind_clear", enter_nounwind_clear, false },
};

static const struct stack_case *chosen;

static void *run_thread(void *arg)
{
	pthread_setname_np(pthread_self(), "subject");
	for (;;) {
		wait_on(enter_fd);
		left_version = 0;
		released = 0;
		chosen->enter();
		signal_on(left_fd);
	}
	return arg;
}

/* That the thread has used. */
static long processor_ns(void)
{
	struct timespec used;
	clockid_t clock;

	pthread_getcpuclockid(thread, &clock);
	clock_gettime(clock, &used);
	return used.tv_sec * 1000000000l + used.tv_nsec;
}

/* Has its handler, and has used so much of a processor since. */
static void wait_until_it_spins(void)
{
	const long enough_ns = 2000000;
	long begin_ns;

	while (!handles)
		usleep(1000);
	begin_ns = processor_ns();
	while (processor_ns() - begin_ns < enough_ns)
		usleep(1000);
}

static void obey(const char *command)
{
	static void (*const inside)(void) = do_nothing;
	static atomic_int stop = 1;
	static const int readable;

	if (strcmp(command, "enter") == 0) {
		handles = 0;
		signal_on(enter_fd);
		if (chosen->interrupt) {
			/* The handler ends the spin. */
			wait_until_it_spins();
			pthread_kill(thread, SIGUSR1);
		}
		wait_on(entered_fd);
		victim_say("entered");
	} else if (strcmp(command, "leave") == 0) {
		signal_on(leave_fd);
		wait_on(left_fd);
		victim_say("left %d", left_version);
	} else {
		victim_say("call %d %d %d %d", subject(do_nothing),
			   spinner(&stop), entry_fault(&readable),
			   entry_call(&inside));
	}
}

int main(int argc, char **argv)
{
	char command[64];

	victim_init();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && strcmp(cases[i].name, argv[1]) == 0)
			chosen = &cases[i];
	}
	if (chosen == NULL)
		victim_die("usage: stacks CASE");
	enter_fd = eventfd(0, EFD_CLOEXEC);
	entered_fd = eventfd(0, EFD_CLOEXEC);
	leave_fd = eventfd(0, EFD_CLOEXEC);
	left_fd = eventfd(0, EFD_CLOEXEC);
	if (pthread_create(&thread, NULL, run_thread, NULL) != 0)
		victim_die("pthread_create");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		obey(command);
	return 0;
}
