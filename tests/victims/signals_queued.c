/* SPDX-License-Identifier: MIT */
/* Another process queues numbered signals without pause. */
#include "signals.h"

#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNAL	  (SIGRTMIN + 3)
#define WINDOW	  40
#define STACK_LEN 65536
#define SEEN_MAX  (1 << 22)

enum aim {
	AT_PROCESS,
	AT_WORKERS
};

static pid_t sender_pid;
static atomic_uchar was_seen[SEEN_MAX / 256][256];
static _Thread_local long own_count;

/* --- The sender -------------------------------------------------------- */

/* As sigqueue(3), which knows no threads. */
static bool send_to(pid_t pid, pid_t tid, long number)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = (int)number;
	return syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGNAL, &info) == 0;
}

static bool send_next(enum aim aim, pid_t pid, const pid_t *tids, long number)
{
	const union sigval value = { .sival_int = (int)number };

	if (aim == AT_PROCESS)
		return sigqueue(pid, SIGNAL, value) == 0;
	return send_to(pid, tids[number % SIGNALS_WORKERS],
		       number / SIGNALS_WORKERS);
}

__attribute__((noreturn)) static void send_all(enum aim aim, pid_t pid,
					       const pid_t *tids)
{
	struct signals_flow *flow = signals_flow;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	for (;;) {
		signals_heed_pause();
		if (flow->sent - flow->seen >= WINDOW)
			usleep(50);
		else if (send_next(aim, pid, tids, flow->sent))
			flow->sent++;
		else if (errno == ESRCH)
			_exit(0);
	}
}

static void start_sender(enum aim aim)
{
	pid_t pid = getpid(), tids[SIGNALS_WORKERS];
	int ready[2];
	char byte = 0;

	for (int i = 0; i < SIGNALS_WORKERS; i++)
		tids[i] = signals_worker(i);
	if (pipe(ready) != 0)
		victim_die("pipe");
	signals_flow->makers = 1;
	sender_pid = fork();
	if (sender_pid < 0)
		victim_die("fork");
	if (sender_pid == 0) {
		/* Until it is known who sends. */
		(void)!read(ready[0], &byte, 1);
		send_all(aim, pid, tids);
	}
	if (write(ready[1], &byte, 1) != 1)
		victim_die("pipe");
	close(ready[0]);
	close(ready[1]);
}

static void send_to_process(void)
{
	start_sender(AT_PROCESS);
}

static void send_to_workers(void)
{
	start_sender(AT_WORKERS);
}

/* --- Checks ------------------------------------------------------------ */

static void check_sender(int signal, int code, pid_t pid)
{
	signals_expect("signal", signal, SIGNAL);
	signals_expect("code", code, SI_QUEUE);
	signals_expect("sender", pid, sender_pid);
}

/* The only taker sees one after the other. */
static void take_in_order(const siginfo_t *info)
{
	check_sender(info->si_signo, info->si_code, info->si_pid);
	signals_expect("number", info->si_value.sival_int, own_count);
	own_count++;
	signals_flow->seen++;
	signals_flow->deliveries++;
}

static void on_ordered(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)signal;
	(void)context;
	take_in_order(info);
	errno = saved_errno;
}

/* Of many takers nobody knows who is first. */
static void on_any(int signal, siginfo_t *info, void *context)
{
	unsigned int number = (unsigned int)info->si_value.sival_int;

	(void)context;
	check_sender(signal, info->si_code, info->si_pid);
	if (number < SEEN_MAX)
		signals_expect("times", ++was_seen[number / 256][number % 256],
			       1);
	signals_flow->seen++;
	signals_flow->deliveries++;
}

static _Thread_local char *alternate;

static void on_alternate(int signal, siginfo_t *info, void *context)
{
	char here;
	size_t offset = (size_t)(&here - alternate);

	signals_expect("on its stack", offset < STACK_LEN, true);
	on_ordered(signal, info, context);
}

/* --- Waiting ----------------------------------------------------------- */

static void handle_ordered(void)
{
	signals_handle(SIGNAL, SA_RESTART, on_ordered);
	signals_block(SIGNAL);
}

static void handle_without_restart(void)
{
	signals_handle(SIGNAL, 0, on_ordered);
	signals_block(SIGNAL);
}

static void handle_any(void)
{
	signals_handle(SIGNAL, SA_RESTART, on_any);
}

static void handle_alternate(void)
{
	signals_handle(SIGNAL, SA_RESTART | SA_ONSTACK, on_alternate);
	signals_block(SIGNAL);
}

static void spin(int index)
{
	signals_unblock(SIGNAL);
	for (;;)
		signals_work(index);
}

static void spin_on_first(int index)
{
	if (index == 0)
		signals_unblock(SIGNAL);
	for (;;) {
		signals_work(index);
		usleep(10);
	}
}

static void spin_with_alternate(int index)
{
	stack_t stack = { .ss_size = STACK_LEN };

	alternate = malloc(STACK_LEN);
	stack.ss_sp = alternate;
	if (alternate == NULL || sigaltstack(&stack, NULL) != 0)
		victim_die("sigaltstack");
	spin(index);
}

/* With SA_RESTART it never returns. */
static void read_for_ever(int index)
{
	int fds[2];
	char byte;

	(void)index;
	if (pipe(fds) != 0)
		victim_die("pipe");
	signals_unblock(SIGNAL);
	for (;;)
		signals_expect("read", read(fds[0], &byte, 1), 1);
}

/* Without it, it returns if and only if a handler has run. */
static void read_interrupted(int index)
{
	int fds[2];
	char byte;

	(void)index;
	if (pipe(fds) != 0)
		victim_die("pipe");
	signals_unblock(SIGNAL);
	for (;;) {
		long before = own_count;

		signals_expect("read", read(fds[0], &byte, 1), -1);
		signals_expect("read errno", errno, EINTR);
		signals_expect("handled", own_count > before, true);
		signals_work(index);
	}
}

static int call_sigsuspend(int epoll_fd, const sigset_t *mask)
{
	(void)epoll_fd;
	return sigsuspend(mask);
}

static int call_ppoll(int epoll_fd, const sigset_t *mask)
{
	struct pollfd fds = { .fd = epoll_fd, .events = POLLIN };
	const struct timespec limit = { .tv_sec = 100 };

	return ppoll(&fds, 1, &limit, mask);
}

static int call_pselect(int epoll_fd, const sigset_t *mask)
{
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(epoll_fd, &fds);
	return pselect(epoll_fd + 1, &fds, NULL, NULL, NULL, mask);
}

static int call_epoll_pwait(int epoll_fd, const sigset_t *mask)
{
	struct epoll_event event;

	return epoll_pwait(epoll_fd, &event, 1, -1, mask);
}

/* The signal is let in only there: each handler is one EINTR. */
static bool is_interrupted_once(int (*call)(int, const sigset_t *),
				int epoll_fd)
{
	long before = own_count;
	sigset_t mask;
	int ret;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, SIGNAL);
	ret = call(epoll_fd, &mask);
	if (ret >= 0) {
		signals_expect("handled", own_count, before);
		return false;
	}
	signals_expect("errno", errno, EINTR);
	signals_expect("handled once", own_count, before + 1);
	return true;
}

static void wait_with(int (*call)(int, const sigset_t *), int index)
{
	int epoll_fd = epoll_create1(0);

	for (;;) {
		signals_expect("ready", is_interrupted_once(call, epoll_fd),
			       true);
		signals_work(index);
	}
}

static void wait_sigsuspend(int index)
{
	wait_with(call_sigsuspend, index);
}

static void wait_ppoll(int index)
{
	wait_with(call_ppoll, index);
}

static void wait_pselect(int index)
{
	wait_with(call_pselect, index);
}

static void wait_epoll_pwait(int index)
{
	wait_with(call_epoll_pwait, index);
}

static void wait_sigwaitinfo(int index)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	for (;;) {
		siginfo_t info;

		signals_expect("sigwaitinfo", sigwaitinfo(&set, &info), SIGNAL);
		take_in_order(&info);
		signals_work(index);
	}
}

static void wait_sigtimedwait(int index)
{
	const struct timespec limit = { .tv_sec = 100 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	for (;;) {
		siginfo_t info;

		signals_expect("sigtimedwait",
			       sigtimedwait(&set, &info, &limit), SIGNAL);
		take_in_order(&info);
		signals_work(index);
	}
}

static int open_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	return signalfd(-1, &set, 0);
}

static void take_from_fd(int fd)
{
	struct signalfd_siginfo got;
	siginfo_t info;

	signals_expect("signalfd", read(fd, &got, sizeof(got)), sizeof(got));
	memset(&info, 0, sizeof(info));
	info.si_signo = (int)got.ssi_signo;
	info.si_code = got.ssi_code;
	info.si_pid = (pid_t)got.ssi_pid;
	info.si_value.sival_int = got.ssi_int;
	take_in_order(&info);
}

static void wait_signalfd(int index)
{
	int fd = open_signalfd();

	for (;;) {
		take_from_fd(fd);
		signals_work(index);
	}
}

/* --- In the main thread, which is borrowed ------------------------------ */

static void let_into_main(void)
{
	signals_unblock(SIGNAL);
	start_sender(AT_PROCESS);
}

static void wait_main(int (*call)(int, const sigset_t *))
{
	struct epoll_event event = { .events = EPOLLIN };
	static int epoll_fd = -1;

	if (epoll_fd < 0) {
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	}
	while (is_interrupted_once(call, epoll_fd))
		;
	/* The report waits for what is still under way. */
	signals_unblock(SIGNAL);
}

static void wait_main_epoll(void)
{
	signals_block(SIGNAL);
	wait_main(call_epoll_pwait);
}

static void wait_main_ppoll(void)
{
	signals_block(SIGNAL);
	wait_main(call_ppoll);
}

static int main_fd;

static void open_main_fd(void)
{
	signals_block(SIGNAL);
	main_fd = open_signalfd();
}

static void wait_main_fd(void)
{
	struct pollfd fds[] = {
		{ .fd = main_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	do {
		if (poll(fds, 2, 100000) <= 0)
			signals_expect("poll", -errno, 1);
		if (fds[0].revents)
			take_from_fd(main_fd);
	} while (!fds[1].revents);
}

static void drain_main_fd(void)
{
	while (signals_flow->seen < signals_flow->sent)
		take_from_fd(main_fd);
}

const struct signals_kind signals_queued[] = {
	{ "spin", handle_ordered, spin, send_to_workers, NULL, NULL },
	{ "one_of_all", handle_ordered, spin_on_first, send_to_process, NULL,
	  NULL },
	{ "any", handle_any, spin, send_to_process, NULL, NULL },
	{ "altstack", handle_alternate, spin_with_alternate, send_to_workers,
	  NULL, NULL },
	{ "restart", handle_ordered, read_for_ever, send_to_workers, NULL,
	  NULL },
	{ "interrupt", handle_without_restart, read_interrupted,
	  send_to_workers, NULL, NULL },
	{ "sigsuspend", handle_ordered, wait_sigsuspend, send_to_workers, NULL,
	  NULL },
	{ "ppoll", handle_ordered, wait_ppoll, send_to_workers, NULL, NULL },
	{ "pselect", handle_ordered, wait_pselect, send_to_workers, NULL,
	  NULL },
	{ "epoll_pwait", handle_ordered, wait_epoll_pwait, send_to_workers,
	  NULL, NULL },
	{ "sigwaitinfo", handle_ordered, wait_sigwaitinfo, send_to_workers,
	  NULL, NULL },
	{ "sigtimedwait", handle_ordered, wait_sigtimedwait, send_to_workers,
	  NULL, NULL },
	{ "signalfd", handle_ordered, wait_signalfd, send_to_workers, NULL,
	  NULL },
	{ "main_read", handle_ordered, NULL, let_into_main, NULL, NULL },
	{ "main_epoll", handle_ordered, NULL, send_to_process, NULL,
	  wait_main_epoll },
	{ "main_ppoll", handle_ordered, NULL, send_to_process, NULL,
	  wait_main_ppoll },
	{ "main_signalfd", open_main_fd, NULL, send_to_process, drain_main_fd,
	  wait_main_fd },
	{ 0 },
};
