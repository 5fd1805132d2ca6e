/* SPDX-License-Identifier: MIT */
/*
 * Debian's redis-server, stripped, under load: no request fails, and a client
 * that stays connected sees old, new, old.
 */
#include "child.h"
#include "client.h"
#include "deadline.h"
#include "paths.h"
#include "upatchctl.h"
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(redis, .timeout = 300);

static void expect_pong(int fd, const char *expected)
{
	char answer[128];

	if (!client_ask(fd, "PING\r\n", "\r\n", answer, sizeof(answer)))
		cr_fatal("redis-server does not answer");
	/* A bulk reply comes as two lines. */
	if (answer[0] == '$' && strstr(answer, "patched") == NULL &&
	    !client_ask(fd, "", "\r\n", answer, sizeof(answer)))
		cr_fatal("redis-server does not answer in full");
	if (strstr(answer, expected) == NULL)
		cr_fatal("redis-server says '%s', expected '%s'", answer,
			 expected);
}

/* It ends by itself, with a message, at the first error. */
static void expect_no_failure(struct child *load)
{
	siginfo_t end = { 0 };

	waitid(P_PID, (id_t)load->pid, &end, WEXITED | WNOHANG | WNOWAIT);
	if (end.si_pid != 0)
		cr_fatal("redis-benchmark ended with status %d", end.si_status);
	kill(load->pid, SIGKILL);
	child_stop(load, DEADLINE_MS);
}

Test(redis, is_patched_and_reverted_under_load)
{
	char port[16], target[16];
	const char *const server_argv[] = {
		"redis-server", "--port",	port, "--bind",
		"127.0.0.1",	"--save",	"",   "--dir",
		"/tmp",		"--appendonly", "no", NULL
	};
	const char *const load_argv[] = { "redis-benchmark", "-p", port, "-t",
					  "ping,set,get",    "-c", "16", "-n",
					  "1000000000",	     "-q", NULL };
	struct child server, load;
	int fd;

	require_ptrace();
	if (access("/usr/bin/redis-server", X_OK) != 0 ||
	    access("/usr/bin/redis-benchmark", X_OK) != 0)
		cr_skip("redis is not installed");
	snprintf(port, sizeof(port), "%d", client_free_port());
	child_start(&server, server_argv, CHILD_QUIET | CHILD_DIES_WITH_TEST);
	snprintf(target, sizeof(target), "%d", server.pid);
	fd = client_connect((int)strtol(port, NULL, 10));
	expect_pong(fd, "+PONG");
	child_start(&load, load_argv, CHILD_QUIET | CHILD_DIES_WITH_TEST);
	for (unsigned int i = 0; i < cycle_count(10); i++) {
		upatchctl_apply(target, "redis_ping");
		expect_pong(fd, "PONG, patched");
		upatchctl_revert(target, "redis-ping");
		expect_pong(fd, "+PONG");
	}
	expect_no_failure(&load);
	close(fd);
	child_terminate(&server, DEADLINE_MS);
}
