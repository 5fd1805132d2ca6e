/* SPDX-License-Identifier: MIT */
/*
 * Asks a server at a fixed rate and says how long it took to answer, counted
 * from when each request was due: a server that stands still is charged for
 * all that was due meanwhile.
 * usage: load PORT CONNECTIONS REQUESTS_PER_SECOND SECONDS REQUEST
 * The answers must all have the length of the first one.  One JSON object:
 * latencies in microseconds, `slots` the worst of each 20 ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SLOT_NS	   20000000ULL
#define ANSWER_MAX 65536
#define DRAIN_NS   2000000000ULL

struct connection {
	int fd;
	bool is_busy;
	uint64_t due_ns;
	size_t received;
};

static struct {
	const char *request;
	size_t request_len, answer_len;
	struct connection *connections;
	int connection_count, epoll_fd;
	uint64_t begin_ns, end_ns;
	double rate;
	uint64_t asked; /* how many were due and have been sent */
	uint32_t *latencies_us;
	size_t count, errors;
	uint32_t *slots_us;
	size_t slot_count;
} load;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int connect_to(uint16_t port)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* What comes until nothing more has come for a while. */
static void learn_answer(int fd)
{
	const struct timeval quiet = { .tv_usec = 200000 };
	const struct timeval none = { 0 };
	char answer[ANSWER_MAX];
	ssize_t len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet));
	if (write(fd, load.request, load.request_len) < 0)
		die("write");
	while ((len = read(fd, answer, sizeof(answer))) > 0)
		load.answer_len += (size_t)len;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	if (!load.answer_len) {
		fputs("the server does not answer\n", stderr);
		exit(1);
	}
}

static void open_all(uint16_t port)
{
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < load.connection_count; i++) {
		struct connection *connection = &load.connections[i];
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = connection };

		connection->fd = connect_to(port);
		if (i == 0)
			learn_answer(connection->fd);
		epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
	}
}

static uint64_t due_ns(uint64_t number)
{
	return load.begin_ns + (uint64_t)((double)number * 1e9 / load.rate);
}

static void note(uint64_t due, uint64_t answered)
{
	uint64_t slot = (due - load.begin_ns) / SLOT_NS;
	uint32_t us = (uint32_t)((answered - due) / 1000);

	load.latencies_us[load.count++] = us;
	if (slot < load.slot_count && us > load.slots_us[slot])
		load.slots_us[slot] = us;
}

/*
 * A request that finds no free connection waits: its time counts from `due`.
 * True: one does, so that nothing is to be done before an answer comes.
 */
static bool ask_what_is_due(uint64_t now)
{
	static int next;

	for (int tried = 0; tried < load.connection_count; tried++) {
		struct connection *connection =
			&load.connections[next++ % load.connection_count];
		uint64_t due = due_ns(load.asked);

		if (due > now || due >= load.end_ns)
			return false;
		if (connection->is_busy || connection->fd < 0)
			continue;
		connection->is_busy = true;
		connection->due_ns = due;
		connection->received = 0;
		load.asked++;
		if (write(connection->fd, load.request, load.request_len) !=
		    (ssize_t)load.request_len)
			load.errors++;
	}
	return due_ns(load.asked) < load.end_ns;
}

static void take_answer(struct connection *connection)
{
	char answer[ANSWER_MAX];
	ssize_t len = read(connection->fd, answer, sizeof(answer));

	if (len < 0 && errno == EINTR)
		return;
	if (len <= 0) {
		load.errors++;
		close(connection->fd);
		connection->fd = -1;
		return;
	}
	connection->received += (size_t)len;
	if (connection->received < load.answer_len)
		return;
	load.errors += connection->received != load.answer_len;
	connection->is_busy = false;
	note(connection->due_ns, now_ns());
}

/*
 * Never polls: on a machine of few processors that would keep the server from
 * one, and most of all when it is late.
 */
static void run(void)
{
	const uint64_t last_ns = load.end_ns + DRAIN_NS;
	struct epoll_event events[64];
	uint64_t now;

	while ((now = now_ns()) < last_ns) {
		bool is_full = ask_what_is_due(now);
		uint64_t due = due_ns(load.asked);
		uint64_t until = is_full || due >= load.end_ns ? last_ns : due;
		struct timespec left = { 0 };
		int count;

		if (due >= load.end_ns && load.count >= load.asked)
			return;
		if (until > now) {
			left.tv_sec = (time_t)((until - now) / 1000000000);
			left.tv_nsec = (long)((until - now) % 1000000000);
		}
		count = epoll_pwait2(load.epoll_fd, events, 64, &left, NULL);
		for (int i = 0; i < count; i++)
			take_answer(events[i].data.ptr);
	}
}

static int compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static uint32_t quantile(double part)
{
	size_t at = (size_t)((double)load.count * part);

	if (!load.count)
		return 0;
	return load.latencies_us[at < load.count ? at : load.count - 1];
}

static void report(double seconds)
{
	qsort(load.latencies_us, load.count, sizeof(*load.latencies_us),
	      compare);
	printf("{\"asked\": %lu, \"answered\": %zu, \"errors\": %zu, "
	       "\"per_second\": %.1f, \"p50\": %u, \"p99\": %u, "
	       "\"p999\": %u, \"max\": %u, \"slots\": [",
	       (unsigned long)load.asked, load.count,
	       load.errors + (load.asked - load.count),
	       (double)load.count / seconds, quantile(0.5), quantile(0.99),
	       quantile(0.999), quantile(1));
	for (size_t i = 0; i < load.slot_count; i++)
		printf("%s%u", i ? "," : "", load.slots_us[i]);
	puts("]}");
}

int main(int argc, char **argv)
{
	double seconds;

	if (argc != 6)
		return 2;
	load.connection_count = atoi(argv[2]);
	load.rate = atof(argv[3]);
	seconds = atof(argv[4]);
	load.request = argv[5];
	load.request_len = strlen(load.request);
	load.connections = calloc((size_t)load.connection_count,
				  sizeof(*load.connections));
	load.latencies_us = calloc((size_t)(load.rate * seconds) + 16,
				   sizeof(*load.latencies_us));
	load.slot_count = (size_t)(seconds * 1e9 / SLOT_NS);
	load.slots_us = calloc(load.slot_count + 1, sizeof(*load.slots_us));
	if (!load.connections || !load.latencies_us || !load.slots_us)
		die("calloc");
	open_all((uint16_t)atoi(argv[1]));
	load.begin_ns = now_ns();
	load.end_ns = load.begin_ns + (uint64_t)(seconds * 1e9);
	run();
	/* What was late was asked for, and answered, after the end. */
	report((double)(now_ns() - load.begin_ns) / 1e9);
	return 0;
}
