/* SPDX-License-Identifier: MIT */
/*
 * A price service: a thread per client, and one that counts.  A client sends
 * "QUANTITY CENTS", the net price of one piece, and gets the total with 19 %
 * tax.  The tax is cut to whole cents on each piece, which loses money.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAX_PERCENT	 119
#define COUNT_INTERVAL_S 1

static atomic_ulong answer_count;

__attribute__((noinline, noclone)) static long total_cents(long quantity,
							   long net_cents)
{
	__asm__ volatile("");
	return quantity * (net_cents * TAX_PERCENT / 100);
}

static void *serve_client(void *arg)
{
	int fd = (int)(long)arg;
	FILE *requests = fdopen(fd, "r");
	long quantity, net_cents, total;
	char line[64];

	while (fgets(line, sizeof(line), requests) != NULL &&
	       sscanf(line, "%ld %ld", &quantity, &net_cents) == 2) {
		total = total_cents(quantity, net_cents);
		dprintf(fd, "%ld.%02ld\n", total / 100, total % 100);
		answer_count++;
	}
	fclose(requests);
	return NULL;
}

static void *count_answers(void *arg)
{
	for (;;) {
		sleep(COUNT_INTERVAL_S);
		fprintf(stderr, "%lu answers\n", atomic_load(&answer_count));
	}
	return arg;
}

static int listen_somewhere(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
		perror("priced");
		exit(1);
	}
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(void)
{
	int fd = listen_somewhere();
	pthread_t thread;

	pthread_create(&thread, NULL, count_answers, NULL);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client >= 0 && pthread_create(&thread, NULL, serve_client,
						  (void *)(long)client) == 0)
			pthread_detach(thread);
	}
}
