/* SPDX-License-Identifier: MIT */
/*
 * Debian's nginx, stripped, with two workers under load: no request fails,
 * and a client sees old, new, old.
 */
#include "child.h"
#include "client.h"
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "upatchctl.h"
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define WORKER_COUNT 2
#define PATCH	     "nginx_coarse_time"
#define PATCH_NAME   "nginx-coarse-time"
/* 2021-03-04 05:06:07 UTC, and the day alone */
#define FILE_TIME  1614834367
#define OLD_HEADER "Last-Modified: Thu, 04 Mar 2021 05:06:07 GMT"
#define NEW_HEADER "Last-Modified: Thu, 04 Mar 2021 00:00:00 GMT"

TestSuite(nginx, .timeout = 300);

struct server {
	struct child master;
	int port;
	char dir[32];
	pid_t workers[WORKER_COUNT];
	unsigned int worker_count;
};

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		cr_fatal("cannot write %s", path);
}

static void write_config(const struct server *server)
{
	char text[1024], path[64];
	struct utimbuf times = { FILE_TIME, FILE_TIME };

	snprintf(text, sizeof(text),
		 "%sdaemon off;\nworker_processes %d;\npid %s/pid;\n"
		 "error_log %s/error.log;\n"
		 "events { worker_connections 256; }\n"
		 "http {\n access_log off;\n keepalive_requests 1000000;\n"
		 " client_body_temp_path %s/body;\n proxy_temp_path %s/proxy;\n"
		 " fastcgi_temp_path %s/fastcgi;\n uwsgi_temp_path %s/uwsgi;\n"
		 " scgi_temp_path %s/scgi;\n"
		 " server { listen 127.0.0.1:%d; root %s; }\n}\n",
		 geteuid() == 0 ? "user root;\n" : "", WORKER_COUNT,
		 server->dir, server->dir, server->dir, server->dir,
		 server->dir, server->dir, server->dir, server->port,
		 server->dir);
	write_file(server->dir, "nginx.conf", text);
	write_file(server->dir, "index.html", "hello\n");
	snprintf(path, sizeof(path), "%s/index.html", server->dir);
	utime(path, &times);
}

static void note_child(pid_t unused, int pid, void *arg)
{
	struct server *server = arg;
	char parent[32];

	(void)unused;
	procfs_status_field(pid, pid, "PPid", parent, sizeof(parent));
	if (strtol(parent, NULL, 10) == server->master.pid &&
	    server->worker_count < WORKER_COUNT)
		server->workers[server->worker_count++] = pid;
}

static bool has_all_workers(void *arg)
{
	struct server *server = arg;

	server->worker_count = 0;
	procfs_for_each_process(note_child, server);
	return server->worker_count == WORKER_COUNT;
}

static void server_start(struct server *server)
{
	char config[64];
	const char *const argv[] = {
		"/usr/sbin/nginx", "-p", server->dir, "-c", config, NULL
	};

	snprintf(server->dir, sizeof(server->dir), "/tmp/upatch-nginx-XXXXXX");
	if (mkdtemp(server->dir) == NULL)
		cr_fatal("cannot make a directory");
	server->port = client_free_port();
	write_config(server);
	snprintf(config, sizeof(config), "%s/nginx.conf", server->dir);
	child_start(&server->master, argv, CHILD_QUIET | CHILD_DIES_WITH_TEST);
	close(client_connect(server->port));
	if (!wait_until(has_all_workers, server, DEADLINE_MS))
		cr_fatal("nginx does not start %d workers", WORKER_COUNT);
}

static void server_stop(struct server *server)
{
	const char *const argv[] = { "rm", "-rf", server->dir, NULL };
	struct child child;

	child_terminate(&server->master, DEADLINE_MS);
	child_start(&child, argv, 0);
	child_stop(&child, DEADLINE_MS);
}

static void on_each_worker(struct server *server, bool apply)
{
	for (unsigned int i = 0; i < WORKER_COUNT; i++) {
		char target[16];

		snprintf(target, sizeof(target), "%d", server->workers[i]);
		if (apply)
			upatchctl_apply(target, PATCH);
		else
			upatchctl_revert(target, PATCH_NAME);
	}
}

/* On the connection that was there first and on ones to whoever accepts. */
static void expect_header(struct server *server, int open_fd,
			  const char *header)
{
	static const char request[] =
		"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	char answer[2048];

	for (int i = 0; i < 8; i++) {
		int fd = i == 0 ? open_fd : client_connect(server->port);

		if (!client_ask(fd, request, "\r\n\r\n", answer,
				sizeof(answer)))
			cr_fatal("nginx does not answer");
		if (strstr(answer, header) == NULL)
			cr_fatal("no '%s' in\n%s", header, answer);
		if (i != 0)
			close(fd);
	}
}

/* SIGINT makes wrk print what it has seen so far. */
static void expect_no_failure(struct child *load)
{
	const char *line;
	bool has_result = false;

	kill(load->pid, SIGINT);
	while ((line = child_read_line(load, DEADLINE_MS)) != NULL) {
		if (strstr(line, "Socket errors") != NULL ||
		    strstr(line, "Non-2xx") != NULL)
			cr_fatal("requests failed: %s", line);
		has_result |= strstr(line, "Requests/sec") != NULL;
		if (strstr(line, "requests in") != NULL)
			cr_log_info("%s", line);
	}
	cr_assert(has_result);
	child_stop(load, DEADLINE_MS);
}

Test(nginx, is_patched_and_reverted_under_load)
{
	struct server server = { 0 };
	struct child load;
	char url[64];
	const char *const argv[] = {
		"wrk", "-t1", "-c16", "-d200s", url, NULL
	};
	int fd;

	require_ptrace();
	if (access("/usr/sbin/nginx", X_OK) != 0 ||
	    access("/usr/bin/wrk", X_OK) != 0)
		cr_skip("nginx or wrk is not installed");
	server_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
	child_start(&load, argv, CHILD_DIES_WITH_TEST);
	fd = client_connect(server.port);
	expect_header(&server, fd, OLD_HEADER);
	for (unsigned int i = 0; i < cycle_count(10); i++) {
		on_each_worker(&server, true);
		expect_header(&server, fd, NEW_HEADER);
		on_each_worker(&server, false);
		expect_header(&server, fd, OLD_HEADER);
	}
	close(fd);
	expect_no_failure(&load);
	server_stop(&server);
}
