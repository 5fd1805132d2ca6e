/* SPDX-License-Identifier: MIT */
/* Calls that wait for time, events, signals, locks and children. */
#include "interrupted.h"

#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 10000l

/* --- Events: nothing comes through the pipe, unless it is woken ----------- */

static void open_epoll(struct work *work)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 7 };

	if (pipe(work->fds) != 0)
		victim_die("pipe");
	work->fds[2] = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(work->fds[2], EPOLL_CTL_ADD, work->fds[0], &event);
}

static void wake_by_byte(struct work *work)
{
	if (write(work->fds[1], "x", 1) != 1)
		victim_die("write");
}

static long call_epoll_event(struct work *work)
{
	struct epoll_event event = { 0 };
	long result = epoll_wait(work->fds[2], &event, 1, -1);

	work->detail = event.data.u32;
	return result;
}

static long call_epoll_wait(struct work *work)
{
	struct epoll_event event;

	return epoll_wait(work->fds[2], &event, 1, LASTS_MS);
}

static long call_epoll_pwait(struct work *work)
{
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	return epoll_pwait(work->fds[2], &event, 1, LASTS_MS, &none);
}

static long call_epoll_pwait2(struct work *work)
{
	struct timespec timeout = lasts();
	struct epoll_event event;
	long result = epoll_pwait2(work->fds[2], &event, 1, &timeout, NULL);

	work->detail = timeout.tv_sec * 1000 + timeout.tv_nsec / 1000000;
	return result;
}

/* An argument that the program itself looks at behind the call. */
static long call_epoll_raw(struct work *work)
{
	struct epoll_event event;
	register long timeout __asm__("r10") = LASTS_MS;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result), "+r"(timeout)
			 : "a"(SYS_epoll_wait), "D"(work->fds[2]), "S"(&event),
			   "d"(1)
			 : "rcx", "r11", "memory");
	work->detail = timeout;
	return result;
}

static long call_poll(struct work *work)
{
	struct pollfd ready = { .fd = work->fds[0], .events = POLLIN };

	return poll(&ready, 1, LASTS_MS);
}

static long call_ppoll(struct work *work)
{
	struct pollfd ready = { .fd = work->fds[0], .events = POLLIN };
	struct timespec timeout = lasts();

	return ppoll(&ready, 1, &timeout, NULL);
}

static long call_select(struct work *work)
{
	struct timeval timeout = lasts_timeval();
	long result;
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(work->fds[0], &fds);
	result = select(work->fds[0] + 1, &fds, NULL, NULL, &timeout);
	work->detail = timeout.tv_sec * 1000 + timeout.tv_usec / 1000;
	return result;
}

static long call_pselect(struct work *work)
{
	struct timespec timeout = lasts();
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(work->fds[0], &fds);
	return pselect(work->fds[0] + 1, &fds, NULL, NULL, &timeout, NULL);
}

/* --- Time ----------------------------------------------------------------- */

static long call_nanosleep(struct work *work)
{
	struct timespec time = lasts();

	(void)work;
	return nanosleep(&time, NULL);
}

static long call_clock_nanosleep(struct work *work)
{
	struct timespec time = lasts();

	(void)work;
	return clock_nanosleep(CLOCK_BOOTTIME, 0, &time, NULL);
}

static long call_clock_nanosleep_abs(struct work *work)
{
	struct timespec until = lasts_until(CLOCK_REALTIME);

	(void)work;
	return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

/* What has passed and what remains are the whole; in half seconds. */
static long call_nanosleep_signal(struct work *work)
{
	struct timespec time = { LONG_MS / 1000, 0 };
	long result = nanosleep(&time, &time);
	long passed_ms = (long)(victim_now_ns() - work->begin_ns) / 1000000;
	long left_ms = time.tv_sec * 1000 + time.tv_nsec / 1000000;

	work->detail = (passed_ms + left_ms + 250) / 500;
	return result;
}

/* --- Futexes -------------------------------------------------------------- */

static uint32_t never;

static long call_futex(struct work *work)
{
	return syscall(SYS_futex, &work->queue, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void wake_futex(struct work *work)
{
	syscall(SYS_futex, &work->queue, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long call_timed_futex(struct work *work)
{
	struct timespec timeout = lasts();

	(void)work;
	return syscall(SYS_futex, &never, FUTEX_WAIT, 0, &timeout, NULL, 0);
}

static long call_sem(struct work *work)
{
	struct timespec until = lasts_until(CLOCK_REALTIME);
	sem_t sem;

	(void)work;
	sem_init(&sem, 0, 0);
	return sem_timedwait(&sem, &until);
}

static long call_cond(struct work *work)
{
	struct timespec until = lasts_until(CLOCK_REALTIME);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	long result;

	(void)work;
	pthread_mutex_lock(&mutex);
	result = pthread_cond_timedwait(&cond, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	return result;
}

/* --- Signals -------------------------------------------------------------- */

static long call_sigtimedwait(struct work *work)
{
	struct timespec timeout = lasts();
	long result;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	result = sigtimedwait(&set, NULL, &timeout);
	work->detail = timeout.tv_sec * 1000 + timeout.tv_nsec / 1000000;
	return result;
}

static long call_sigwaitinfo(struct work *work)
{
	siginfo_t info = { 0 };
	long result;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	result = sigwaitinfo(&set, &info);
	work->detail = info.si_value.sival_int;
	return result;
}

static void wake_by_value(struct work *work)
{
	pthread_sigqueue(work->thread, SIGUSR2,
			 (union sigval){ .sival_int = 77 });
}

static long call_sigsuspend(struct work *work)
{
	sigset_t none;

	(void)work;
	sigemptyset(&none);
	return sigsuspend(&none);
}

static long call_pause(struct work *work)
{
	(void)work;
	return pause();
}

/* --- Queues, locks, children ---------------------------------------------- */

static void open_queue(struct work *work)
{
	work->queue = msgget(IPC_PRIVATE, 0600);
}

static void close_queue(struct work *work)
{
	msgctl(work->queue, IPC_RMID, NULL);
}

struct message {
	long type;
	char text[8];
};

static long call_msgrcv(struct work *work)
{
	struct message message = { 0 };
	long result = msgrcv(work->queue, &message, sizeof(message.text), 0, 0);

	work->detail = message.text[0];
	return result;
}

static void wake_by_message(struct work *work)
{
	const struct message message = { 1, "x" };

	msgsnd(work->queue, &message, 2, 0);
}

static void open_mqueue(struct work *work)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char name[64];

	snprintf(name, sizeof(name), "/upatch-test-%d", getpid());
	work->fds[0] = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	if (work->fds[0] < 0)
		victim_die("mq_open");
	mq_unlink(name);
}

static long call_mqueue(struct work *work)
{
	struct timespec until = lasts_until(CLOCK_REALTIME);
	char text[8];

	return mq_timedreceive(work->fds[0], text, sizeof(text), NULL, &until);
}

static void open_semaphore(struct work *work)
{
	work->queue = semget(IPC_PRIVATE, 1, 0600);
}

static void close_semaphore(struct work *work)
{
	semctl(work->queue, 0, IPC_RMID);
}

static long call_semop(struct work *work)
{
	struct sembuf down = { 0, -1, 0 };

	return semop(work->queue, &down, 1);
}

static void wake_semaphore(struct work *work)
{
	struct sembuf up = { 0, 1, 0 };

	semop(work->queue, &up, 1);
}

static long call_semtimedop(struct work *work)
{
	struct sembuf down = { 0, -1, 0 };
	struct timespec timeout = lasts();
	long result = semtimedop(work->queue, &down, 1, &timeout);

	work->detail = timeout.tv_sec * 1000 + timeout.tv_nsec / 1000000;
	return result;
}

static pid_t fork_child(void)
{
	pid_t child = fork();

	if (child < 0)
		victim_die("fork");
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

/* A child that holds both kinds of lock until it is killed. */
static void open_lock(struct work *work)
{
	struct flock whole = { .l_type = F_WRLCK };
	char path[64], byte;
	int told[2];

	work->fds[0] = memfd_create("lock", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", work->fds[0]);
	if (pipe(told) != 0)
		victim_die("pipe");
	work->child = fork_child();
	if (work->child == 0) {
		int fd = open(path, O_RDWR);

		if (flock(fd, LOCK_EX) || fcntl(fd, F_SETLKW, &whole) ||
		    write(told[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(told[1]);
	if (read(told[0], &byte, 1) != 1)
		victim_die("lock");
	close(told[0]);
}

static void wake_by_kill(struct work *work)
{
	kill(work->child, SIGKILL);
}

static long call_flock(struct work *work)
{
	return flock(work->fds[0], LOCK_EX);
}

static long call_fcntl(struct work *work)
{
	struct flock whole = { .l_type = F_WRLCK };

	return fcntl(work->fds[0], F_SETLKW, &whole);
}

static void open_child(struct work *work)
{
	work->child = fork_child();
	if (work->child == 0) {
		for (;;)
			pause();
	}
}

static long call_wait4(struct work *work)
{
	int status = 0;
	pid_t child = wait4(work->child, &status, 0, NULL);

	if (child != work->child)
		return -1;
	work->child = 0;
	return WTERMSIG(status);
}

const struct row wait_rows[] = {
	/* clang-format off */
	{ "epoll", open_epoll, call_epoll_event, wake_by_byte, NULL },
	{ "epoll_wait", open_epoll, call_epoll_wait, NULL, NULL },
	{ "epoll_pwait", open_epoll, call_epoll_pwait, NULL, NULL },
	{ "epoll_pwait2", open_epoll, call_epoll_pwait2, NULL, NULL },
	{ "epoll_raw", open_epoll, call_epoll_raw, NULL, NULL },
	{ "poll", open_epoll, call_poll, NULL, NULL },
	{ "ppoll", open_epoll, call_ppoll, NULL, NULL },
	{ "select", open_epoll, call_select, NULL, NULL },
	{ "pselect", open_epoll, call_pselect, NULL, NULL },
	{ "nanosleep", NULL, call_nanosleep, NULL, NULL },
	{ "nanosleep_signal", NULL, call_nanosleep_signal, wake_by_signal, NULL },
	{ "clock_nanosleep", NULL, call_clock_nanosleep, NULL, NULL },
	{ "clock_nanosleep_abs", NULL, call_clock_nanosleep_abs, NULL, NULL },
	{ "futex", NULL, call_futex, wake_futex, NULL },
	{ "futex_timed", NULL, call_timed_futex, NULL, NULL },
	{ "sem_timedwait", NULL, call_sem, NULL, NULL },
	{ "pthread_cond_timedwait", NULL, call_cond, NULL, NULL },
	{ "sigtimedwait", NULL, call_sigtimedwait, NULL, NULL },
	{ "sigwaitinfo", NULL, call_sigwaitinfo, wake_by_value, NULL },
	{ "sigsuspend", NULL, call_sigsuspend, wake_by_signal, NULL },
	{ "pause", NULL, call_pause, wake_by_signal, NULL },
	{ "msgrcv", open_queue, call_msgrcv, wake_by_message, close_queue },
	{ "mq_timedreceive", open_mqueue, call_mqueue, NULL, NULL },
	{ "semop", open_semaphore, call_semop, wake_semaphore, close_semaphore },
	{ "semtimedop", open_semaphore, call_semtimedop, NULL, close_semaphore },
	{ "flock", open_lock, call_flock, wake_by_kill, NULL },
	{ "fcntl", open_lock, call_fcntl, wake_by_kill, NULL },
	{ "wait4", open_child, call_wait4, wake_by_kill, NULL },
	{ 0 },
	/* clang-format on */
};
