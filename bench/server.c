/* SPDX-License-Identifier: MIT */
/*
 * A server with a thread for each connection, which answers each line with a
 * line.  usage: server THREADS; prints its port
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile unsigned int rounds = 200;

__attribute__((noipa)) unsigned int respond(unsigned int seed);

unsigned int respond(unsigned int seed)
{
	for (unsigned int i = 0; i < rounds; i++)
		seed = seed * 1664525u + 1013904223u;
	return seed;
}

static void *serve(void *arg)
{
	const int listener = *(const int *)arg;
	char line[256], answer[64];
	ssize_t len;

	for (;;) {
		const int one = 1;
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while ((len = read(fd, line, sizeof(line))) > 0) {
			int answer_len =
				snprintf(answer, sizeof(answer), "%010u\n",
					 respond((unsigned int)len));

			if (write(fd, answer, (size_t)answer_len) < 0)
				break;
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int threads = argc > 1 ? atoi(argv[1]) : 64;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bind(listener, (struct sockaddr *)&addr, len) ||
	    listen(listener, threads) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		return 1;
	printf("%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, serve, &listener))
			return 1;
	}
	pause();
	return 0;
}
