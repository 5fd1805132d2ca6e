/* SPDX-License-Identifier: MIT */
/*
 * TCP with deadlines.
 */
#include "client.h"

#include "deadline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct sockaddr_in address_of(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		cr_fatal("cannot make a socket: %s", strerror(errno));
	return fd;
}

int client_free_port(void)
{
	struct sockaddr_in address = address_of(0);
	socklen_t len = sizeof(address);
	int fd = open_socket();

	if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		cr_fatal("cannot find a free port: %s", strerror(errno));
	close(fd);
	return ntohs(address.sin_port);
}

struct connection {
	int port, fd;
};

static bool try_connect(void *arg)
{
	struct connection *connection = arg;
	struct sockaddr_in address = address_of(connection->port);

	connection->fd = open_socket();
	if (connect(connection->fd, (struct sockaddr *)&address,
		    sizeof(address)) == 0)
		return true;
	close(connection->fd);
	return false;
}

int client_connect(int port)
{
	struct connection connection = { port, -1 };

	if (!wait_until(try_connect, &connection, DEADLINE_MS))
		cr_fatal("nobody listens on port %d", port);
	return connection.fd;
}

bool client_ask(int fd, const char *request, const char *end, char *answer,
		size_t size)
{
	int64_t deadline_ms = deadline_now_ms() + DEADLINE_MS;
	size_t len = strlen(request);

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	for (len = 0; len + 1 < size;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, deadline_left_ms(deadline_ms)) != 1)
			return false;
		got = recv(fd, answer + len, size - 1 - len, 0);
		if (got <= 0)
			return false;
		len += (size_t)got;
		answer[len] = '\0';
		if (strstr(answer, end) != NULL)
			return true;
	}
	return true;
}
