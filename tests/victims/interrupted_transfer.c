/* SPDX-License-Identifier: MIT */
/* Calls that wait for bytes, connections and completions. */
#include "interrupted.h"

#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BIG	   (4l << 20)
#define RANDOM_LEN (2l << 20)

/* --- Pipes and sockets: fds[0] is the call's, fds[1] the other end ------- */

static void must(int result, const char *what)
{
	if (result < 0)
		victim_die(what);
}

static void open_pipe(struct work *work)
{
	must(pipe(work->fds), "pipe");
}

static void open_pair(struct work *work)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, work->fds), "socketpair");
}

static void set_timeout(int fd, int option)
{
	struct timeval timeout = lasts_timeval();

	must(setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout)),
	     "setsockopt");
}

static void open_timed_pair(struct work *work)
{
	open_pair(work);
	set_timeout(work->fds[0], SO_RCVTIMEO);
}

static void fill(int fd)
{
	static const char block[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	while (write(fd, block, 1) > 0)
		continue;
	fcntl(fd, F_SETFL, flags);
}

static void open_full_pair(struct work *work)
{
	open_pair(work);
	fill(work->fds[0]);
}

static void open_timed_full_pair(struct work *work)
{
	open_full_pair(work);
	set_timeout(work->fds[0], SO_SNDTIMEO);
}

static void open_pipe_to_write(struct work *work)
{
	int read_end;

	open_pipe(work);
	read_end = work->fds[0];
	work->fds[0] = work->fds[1];
	work->fds[1] = read_end;
}

static void open_full_pipe(struct work *work)
{
	open_pipe_to_write(work);
	fill(work->fds[0]);
}

static void wake_by_byte(struct work *work)
{
	char byte = 'x';

	if (write(work->fds[1], &byte, 1) != 1)
		victim_die("write");
}

/* Until the call is over; it may have been cut short. */
static void wake_by_draining(struct work *work)
{
	struct pollfd ready = { .fd = work->fds[1], .events = POLLIN };
	static char block[65536];

	while (!work->done) {
		if (poll(&ready, 1, 5) > 0 &&
		    read(work->fds[1], block, sizeof(block)) < 0)
			victim_die("read");
	}
}

static long call_read(struct work *work)
{
	char byte = 0;
	long result = read(work->fds[0], &byte, 1);

	work->detail = byte;
	return result;
}

static long call_recv(struct work *work)
{
	char byte = 0;
	long result = recv(work->fds[0], &byte, 1, 0);

	work->detail = byte;
	return result;
}

static long call_recvmsg(struct work *work)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	long result = recvmsg(work->fds[0], &message, 0);

	work->detail = byte;
	return result;
}

static long call_recvmmsg(struct work *work)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr message = {
		.msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 },
	};

	return recvmmsg(work->fds[0], &message, 1, 0, NULL);
}

static long call_readv(struct work *work)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };

	return readv(work->fds[0], &iov, 1);
}

static long call_preadv2(struct work *work)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };

	return preadv2(work->fds[0], &iov, 1, -1, 0);
}

static void open_half(struct work *work)
{
	open_pair(work);
	wake_by_byte(work);
}

static long call_recv_all(struct work *work)
{
	char bytes[2];

	return recv(work->fds[0], bytes, 2, MSG_WAITALL);
}

static long call_write(struct work *work)
{
	return write(work->fds[0], "x", 1);
}

static long call_send(struct work *work)
{
	return send(work->fds[0], "x", 1, 0);
}

static long call_sendmsg(struct work *work)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(work->fds[0], &message, 0);
}

static long call_writev(struct work *work)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };

	return writev(work->fds[0], &iov, 1);
}

static void open_big_pipe(struct work *work)
{
	open_pipe_to_write(work);
	work->memory = calloc(1, BIG);
}

static void open_big_pair(struct work *work)
{
	open_pair(work);
	work->memory = calloc(1, BIG);
}

static long call_write_big(struct work *work)
{
	return write(work->fds[0], work->memory, BIG);
}

static long call_splice(struct work *work)
{
	return splice(work->fds[0], NULL, work->fds[2], NULL, 1, 0);
}

static void open_splice(struct work *work)
{
	open_pipe(work);
	work->fds[2] = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

/* From a socket with a time-out into a pipe. */
static void open_timed_splice(struct work *work)
{
	int pipe_fds[2];

	open_timed_pair(work);
	must(pipe(pipe_fds), "pipe");
	work->fds[2] = pipe_fds[1];
	work->fds[3] = pipe_fds[0];
}

static void open_timed_sendfile(struct work *work)
{
	open_timed_full_pair(work);
	work->fds[2] = memfd_create("file", MFD_CLOEXEC);
	must(ftruncate(work->fds[2], 4096), "ftruncate");
}

static long call_sendfile(struct work *work)
{
	return sendfile(work->fds[0], work->fds[2], NULL, 4096);
}

/* --- Connections --------------------------------------------------------- */

static socklen_t listen_unix(struct work *work, struct sockaddr_un *ret_addr)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(*ret_addr);

	work->fds[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The kernel chooses a name. */
	must(bind(work->fds[1], (void *)&any, sizeof(any.sun_family)), "bind");
	must(listen(work->fds[1], 0), "listen");
	must(getsockname(work->fds[1], (void *)ret_addr, &len), "getsockname");
	return len;
}

/* fds[1] listens, fds[2] is to connect. */
static void open_accept(struct work *work)
{
	struct sockaddr_un addr;

	listen_unix(work, &addr);
	work->fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void open_timed_accept(struct work *work)
{
	open_accept(work);
	set_timeout(work->fds[1], SO_RCVTIMEO);
}

static long call_accept(struct work *work)
{
	work->fds[3] = accept(work->fds[1], NULL, NULL);
	return work->fds[3] >= 0 ? 0 : -1;
}

static void wake_by_connecting(struct work *work)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	must(getsockname(work->fds[1], (void *)&addr, &len), "getsockname");
	must(connect(work->fds[2], (void *)&addr, len), "connect");
}

/* One fits into the queue, the next one waits. */
static void open_connect(struct work *work)
{
	struct sockaddr_un addr;
	socklen_t len = listen_unix(work, &addr);

	work->fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(work->fds[2], (void *)&addr, len), "connect");
	work->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void open_timed_connect(struct work *work)
{
	open_connect(work);
	set_timeout(work->fds[0], SO_SNDTIMEO);
}

static void open_timed_connect_tcp(struct work *work)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	work->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(work->fds[1], (void *)&addr, sizeof(addr)), "bind");
	must(listen(work->fds[1], 0), "listen");
	must(getsockname(work->fds[1], (void *)&addr, &len), "getsockname");
	work->fds[2] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(work->fds[2], (void *)&addr, len), "connect");
	work->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_timeout(work->fds[0], SO_SNDTIMEO);
}

static long call_connect(struct work *work)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	must(getsockname(work->fds[1], (void *)&addr, &len), "getsockname");
	return connect(work->fds[0], (void *)&addr, len);
}

static void wake_by_accepting(struct work *work)
{
	work->fds[3] = accept(work->fds[1], NULL, NULL);
}

/* --- Others --------------------------------------------------------------- */

static void open_inotify(struct work *work)
{
	char path[64];

	work->fds[0] = inotify_init1(IN_CLOEXEC);
	work->fds[1] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", work->fds[1]);
	must(inotify_add_watch(work->fds[0], path, IN_MODIFY), "inotify");
}

static long call_inotify(struct work *work)
{
	struct inotify_event event = { 0 };
	long result = read(work->fds[0], &event, sizeof(event));

	work->detail = event.mask;
	return result;
}

/* Again and again; how many came back with less. */
static long call_getrandom(struct work *work)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	unsigned long end = work->begin_ns + LASTS_MS * 1000000;
	char *bytes = malloc(RANDOM_LEN);
	long result = 0;

	while (victim_now_ns() < end && result >= 0) {
		result = getrandom(bytes, RANDOM_LEN, 0);
		work->detail += result != RANDOM_LEN;
		nanosleep(&pause, NULL);
	}
	free(bytes);
	return result < 0 ? -1 : 0;
}

static long aio_submit_poll(aio_context_t context, int fd)
{
	struct iocb poll_in = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = POLLIN,
	};
	struct iocb *list[] = { &poll_in };

	return syscall(SYS_io_submit, context, 1, list);
}

static void open_aio(struct work *work)
{
	aio_context_t *context = calloc(1, sizeof(*context));

	open_pipe(work);
	if (!context || syscall(SYS_io_setup, 4, context) != 0 ||
	    aio_submit_poll(*context, work->fds[0]) != 1)
		victim_die("io_setup");
	work->memory = context;
}

/* Two of them; one comes at once. */
static void open_half_aio(struct work *work)
{
	int ready[2];

	open_aio(work);
	must(pipe(ready), "pipe");
	work->fds[2] = ready[0];
	work->fds[3] = ready[1];
	if (write(ready[1], "x", 1) != 1 ||
	    aio_submit_poll(*(aio_context_t *)work->memory, ready[0]) != 1)
		victim_die("io_submit");
}

static void close_aio(struct work *work)
{
	syscall(SYS_io_destroy, *(aio_context_t *)work->memory);
}

static long get_events(struct work *work, long min, struct timespec *timeout)
{
	struct io_event events[2] = { 0 };
	long result = syscall(SYS_io_getevents, *(aio_context_t *)work->memory,
			      min, 2, events, timeout);

	work->detail = (long)events[0].res;
	return result;
}

static long call_aio(struct work *work)
{
	return get_events(work, 1, NULL);
}

static long call_two_aio(struct work *work)
{
	return get_events(work, 2, NULL);
}

static long call_timed_aio(struct work *work)
{
	struct timespec timeout = lasts();
	long result = get_events(work, 1, &timeout);

	/* The program's own time-out stays as it was. */
	work->detail = timeout.tv_sec * 1000 + timeout.tv_nsec / 1000000;
	return result;
}

struct uring {
	unsigned char *rings;
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	struct __kernel_timespec timeout;
};

static void open_uring(struct work *work)
{
	struct uring *uring = calloc(1, sizeof(*uring));

	if (!uring)
		victim_die("calloc");
	work->fds[0] = (int)syscall(SYS_io_uring_setup, 4, &uring->params);
	must(work->fds[0], "io_uring_setup");
	uring->rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			    work->fds[0], IORING_OFF_SQ_RING);
	uring->entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			      work->fds[0], IORING_OFF_SQES);
	uring->timeout.tv_sec = LASTS_MS / 1000;
	uring->timeout.tv_nsec = LASTS_MS % 1000 * 1000000;
	work->memory = uring;
}

static void close_uring(struct work *work)
{
	struct uring *uring = work->memory;

	munmap(uring->rings, 4096);
	munmap(uring->entries, 4096);
}

/* An operation that completes after LASTS_MS. */
static void prepare_timeout(struct uring *uring)
{
	const struct io_sqring_offsets *at = &uring->params.sq_off;
	uint32_t *tail = (void *)(uring->rings + at->tail);
	uint32_t *array = (void *)(uring->rings + at->array);

	uring->entries[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_TIMEOUT,
		.addr = (uintptr_t)&uring->timeout,
		.len = 1,
	};
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void open_prepared_uring(struct work *work)
{
	open_uring(work);
	prepare_timeout(work->memory);
}

/* How many completions there are. */
static long uring_ready(const struct uring *uring)
{
	const struct io_cqring_offsets *at = &uring->params.cq_off;
	uint32_t *tail = (void *)(uring->rings + at->tail);

	return __atomic_load_n(tail, __ATOMIC_ACQUIRE);
}

static long call_uring(struct work *work)
{
	long result;

	must((int)syscall(SYS_io_uring_enter, work->fds[0], 1, 0, 0, NULL, 0),
	     "io_uring_enter");
	result = syscall(SYS_io_uring_enter, work->fds[0], 0, 1,
			 IORING_ENTER_GETEVENTS, NULL, 0);

	work->detail = uring_ready(work->memory);
	return result;
}

static long call_uring_submit(struct work *work)
{
	long result = syscall(SYS_io_uring_enter, work->fds[0], 1, 1,
			      IORING_ENTER_GETEVENTS, NULL, 0);

	work->detail = uring_ready(work->memory);
	return result;
}

static long call_timed_uring(struct work *work)
{
	struct uring *uring = work->memory;
	struct io_uring_getevents_arg arg = {
		.ts = (uintptr_t)&uring->timeout,
	};

	return syscall(SYS_io_uring_enter, work->fds[0], 0, 1,
		       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
		       sizeof(arg));
}

const struct row transfer_rows[] = {
	/* clang-format off */
	{ "read", open_pipe, call_read, wake_by_byte, NULL },
	{ "read_timed", open_timed_pair, call_read, NULL, NULL },
	{ "readv_timed", open_timed_pair, call_readv, NULL, NULL },
	{ "preadv2_timed", open_timed_pair, call_preadv2, NULL, NULL },
	{ "inotify", open_inotify, call_inotify, wake_by_byte, NULL },
	{ "recv", open_pair, call_recv, wake_by_byte, NULL },
	{ "recv_timed", open_timed_pair, call_recv, NULL, NULL },
	{ "recvmsg_timed", open_timed_pair, call_recvmsg, NULL, NULL },
	{ "recvmmsg_timed", open_timed_pair, call_recvmmsg, NULL, NULL },
	{ "recv_all", open_half, call_recv_all, wake_by_byte, NULL },
	{ "write", open_full_pipe, call_write, wake_by_draining, NULL },
	{ "write_timed", open_timed_full_pair, call_write, NULL, NULL },
	{ "writev_timed", open_timed_full_pair, call_writev, NULL, NULL },
	{ "send", open_full_pair, call_send, wake_by_draining, NULL },
	{ "send_timed", open_timed_full_pair, call_send, NULL, NULL },
	{ "sendmsg_timed", open_timed_full_pair, call_sendmsg, NULL, NULL },
	{ "write_big", open_big_pipe, call_write_big, wake_by_draining, NULL },
	{ "send_big", open_big_pair, call_write_big, wake_by_draining, NULL },
	{ "accept", open_accept, call_accept, wake_by_connecting, NULL },
	{ "accept_timed", open_timed_accept, call_accept, NULL, NULL },
	{ "connect", open_connect, call_connect, wake_by_accepting, NULL },
	{ "connect_timed", open_timed_connect, call_connect, NULL, NULL },
	{ "connect_tcp_timed", open_timed_connect_tcp, call_connect, NULL, NULL },
	{ "splice", open_splice, call_splice, wake_by_byte, NULL },
	{ "splice_timed", open_timed_splice, call_splice, NULL, NULL },
	{ "sendfile_timed", open_timed_sendfile, call_sendfile, NULL, NULL },
	{ "getrandom", NULL, call_getrandom, NULL, NULL },
	{ "io_getevents", open_aio, call_aio, wake_by_byte, close_aio },
	{ "io_getevents_two", open_half_aio, call_two_aio, wake_by_byte, close_aio },
	{ "io_getevents_timed", open_aio, call_timed_aio, NULL, close_aio },
	{ "io_uring", open_prepared_uring, call_uring, NULL, close_uring },
	{ "io_uring_submit", open_prepared_uring, call_uring_submit, NULL, close_uring },
	{ "io_uring_timed", open_uring, call_timed_uring, NULL, close_uring },
	{ 0 },
	/* clang-format on */
};
