/* SPDX-License-Identifier: MIT */
/*
 * Programs of Debian, built by others and stripped: each is patched and
 * reverted, and its users see old, new, old.
 */
#include "child.h"
#include "client.h"
#include "deadline.h"
#include "paths.h"
#include "procfs.h"
#include "upatchctl.h"
#include "victim.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(programs, .timeout = 300);

static void require_program(const char *path)
{
	if (access(path, X_OK) != 0)
		cr_skip("not tried: %s is not installed", path);
	require_ptrace();
}

/* --- Interpreters ------------------------------------------------------------ */

static void expect_interpreter(struct victim *victim, const char *patch,
			       const char *old_answer, const char *new_answer)
{
	victim_expect(victim, "x", old_answer);
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(victim->target, patch);
		victim_expect(victim, "x", new_answer);
		upatchctl_revert(victim->target, patch);
		victim_expect(victim, "x", old_answer);
	}
	victim_check_undisturbed(victim);
	victim_stop(victim);
}

Test(programs, python_is_patched)
{
	struct victim victim;

	require_program("/usr/bin/python3");
	VICTIM_START(&victim, "/usr/bin/python3", "-u", "-c",
		     "import sys\n"
		     "print('ready')\n"
		     "for line in sys.stdin: print(repr(1.5))\n");
	expect_interpreter(&victim, "program_python", "1.5", "2.5");
}

Test(programs, perl_is_patched)
{
	struct victim victim;

	require_program("/usr/bin/perl");
	VICTIM_START(&victim, "/usr/bin/perl", "-e",
		     "$| = 1; print qq(ready\\n);"
		     "while (<STDIN>) { $a = q(Abc); print uc($a), qq(\\n); }");
	expect_interpreter(&victim, "program_perl", "ABC", "abc");
}

/* --- Servers with threads ---------------------------------------------------- */

struct server {
	struct child child;
	char target[16];
	int port;
};

static void server_start(struct server *server, const char *const argv[])
{
	child_start(&server->child, argv, CHILD_QUIET | CHILD_DIES_WITH_TEST);
	snprintf(server->target, sizeof(server->target), "%d",
		 server->child.pid);
	close(client_connect(server->port));
}

static void expect_answer(const struct server *server, const char *request,
			  const char *end, const char *part)
{
	char answer[32768];
	int fd = client_connect(server->port);

	if (!client_ask(fd, request, end, answer, sizeof(answer)))
		cr_fatal("no answer");
	if (strstr(answer, part) == NULL)
		cr_fatal("no '%s' in\n%s", part, answer);
	close(fd);
}

/* It exports nothing: what it is linked with can be patched. */
Test(programs, memcached_is_patched_in_its_library)
{
	struct server server = { .port = client_free_port() };
	char port[16];
	const char *const argv[] = { "/usr/bin/memcached",
				     "-u",
				     "root",
				     "-l",
				     "127.0.0.1",
				     "-t",
				     "4",
				     "-p",
				     port,
				     NULL };

	require_program(argv[0]);
	snprintf(port, sizeof(port), "%d", server.port);
	server_start(&server, argv);
	expect_answer(&server, "stats\r\n", "END\r\n", "STAT libevent 2.");
	EXPECT_REFUSAL(EXIT_REFUSED, "of which only exported symbols are known",
		       "apply", server.target,
		       path_of_patch("program_memcached_main"));
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(server.target, "program_memcached");
		expect_answer(&server, "stats\r\n", "END\r\n",
			      "STAT libevent patched");
		upatchctl_revert(server.target, "program_memcached");
		expect_answer(&server, "stats\r\n", "END\r\n",
			      "STAT libevent 2.");
	}
	child_terminate(&server.child, DEADLINE_MS);
}

#define HTTP_GET "GET / HTTP/1.0\r\n\r\n"

Test(programs, haproxy_with_threads_is_patched)
{
	struct server server = { .port = client_free_port() };
	char config[] = "/tmp/upatch-haproxy-XXXXXX";
	const char *const argv[] = { "/usr/sbin/haproxy", "-db", "-f", config,
				     NULL };
	int fd;

	require_program(argv[0]);
	fd = mkstemp(config);
	cr_assert(ge(int, fd, 0));
	dprintf(fd,
		"global\n nbthread 4\n"
		"defaults\n mode http\n timeout client 5s\n timeout server 5s\n"
		" timeout connect 5s\n"
		"frontend f\n bind 127.0.0.1:%d\n"
		" http-request return status 200 content-type text/plain"
		" lf-string \"hash=%%[str(abc),djb2];\"\n",
		server.port);
	close(fd);
	server_start(&server, argv);
	unlink(config);
	expect_answer(&server, HTTP_GET, ";", "hash=193485963;");
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(server.target, "program_haproxy");
		/* whichever thread accepts */
		for (int j = 0; j < 8; j++)
			expect_answer(&server, HTTP_GET, ";", "hash=4711;");
		upatchctl_revert(server.target, "program_haproxy");
		for (int j = 0; j < 8; j++)
			expect_answer(&server, HTTP_GET, ";",
				      "hash=193485963;");
	}
	child_terminate(&server.child, DEADLINE_MS);
}

/* --- PostgreSQL -------------------------------------------------------------- */

#define PATCH	   "program_postgres"
#define NEW_ANSWER "4711"
#define QUERY	   "select pg_backend_pid();"

struct postgres {
	struct child postmaster;
	char target[16];
	char bin[64];
	char dir[32];
	/* a copy, so that exe: names these processes and no others */
	char server[64];
};

/* postgres does not run as root. */
#define AS_NOBODY "setpriv", "--reuid", "65534", "--regid", "65534"
#define NO_GROUPS "--clear-groups", "--pdeathsig", "INT"

static bool find_postgres(struct postgres *postgres)
{
	glob_t found;
	bool is_found = glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0;

	if (is_found)
		snprintf(postgres->bin, sizeof(postgres->bin), "%s",
			 found.gl_pathv[0]);
	globfree(&found);
	return is_found;
}

static void run_to_end(const char *const argv[])
{
	struct child child;
	int status;

	child_start(&child, argv, CHILD_QUIET);
	if (!child_wait(&child, 2 * DEADLINE_MS, &status) || status != 0)
		cr_fatal("%s fails", argv[0]);
}

/* The socket is there before it does. */
static bool accepts(void *arg)
{
	struct postgres *postgres = arg;
	const char *const argv[] = { "pg_isready", "-h", postgres->dir, NULL };
	struct child child;
	int status;

	child_start(&child, argv, CHILD_QUIET);
	return child_wait(&child, DEADLINE_MS, &status) && status == 0;
}

static void postgres_start(struct postgres *postgres)
{
	char initdb[96], installed[96], data[64];
	const char *const init_argv[] = { AS_NOBODY,  NO_GROUPS, initdb,
					  "-D",	      data,	 "-A",
					  "trust",    "-U",	 "postgres",
					  "-N",	      "-E",	 "UTF8",
					  "--locale", "C.UTF-8", NULL };
	const char *const copy_argv[] = { "cp", installed, postgres->server,
					  NULL };
	const char *const argv[] = {
		AS_NOBODY,     NO_GROUPS, postgres->server,
		"-D",	       data,	  "-k",
		postgres->dir, "-h",	  "",
		"-F",	       "-c",	  "autovacuum_naptime=1h",
		NULL
	};

	snprintf(postgres->dir, sizeof(postgres->dir),
		 "/tmp/upatch-postgres-XXXXXX");
	if (mkdtemp(postgres->dir) == NULL ||
	    chown(postgres->dir, 65534, 65534) != 0)
		cr_fatal("cannot make a directory");
	snprintf(initdb, sizeof(initdb), "%s/initdb", postgres->bin);
	snprintf(installed, sizeof(installed), "%s/postgres", postgres->bin);
	snprintf(postgres->server, sizeof(postgres->server), "%s/postgres",
		 postgres->dir);
	snprintf(data, sizeof(data), "%s/data", postgres->dir);
	run_to_end(init_argv);
	run_to_end(copy_argv);
	child_start(&postgres->postmaster, argv, CHILD_QUIET);
	snprintf(postgres->target, sizeof(postgres->target), "%d",
		 postgres->postmaster.pid);
	cr_assert(wait_until(accepts, postgres, DEADLINE_MS));
}

static void postgres_stop(struct postgres *postgres)
{
	const char *const argv[] = { "rm", "-rf", postgres->dir, NULL };

	kill(postgres->postmaster.pid, SIGINT);
	child_stop(&postgres->postmaster, DEADLINE_MS);
	run_to_end(argv);
}

static void session_start(struct postgres *postgres, struct child *session)
{
	const char *const argv[] = { "psql",	 "-h",	 postgres->dir, "-U",
				     "postgres", "-qAt", NULL };

	child_start(session, argv, 0);
}

static const char *ask(struct child *session)
{
	const char *line = NULL;

	if (child_send(session, QUERY))
		line = child_read_line(session, DEADLINE_MS);
	if (line == NULL)
		cr_fatal("no answer to a query");
	return line;
}

static void expect_new(struct child *session)
{
	const char *line = ask(session);

	cr_assert(strcmp(line, NEW_ANSWER) == 0, "%s", line);
}

static void expect_old(struct child *session, const char *pid)
{
	const char *line = ask(session);

	cr_assert(strcmp(line, pid) == 0, "%s", line);
}

static void load_start(struct postgres *postgres, struct child *load)
{
	char script[64];
	const char *const argv[] = { "pgbench", "-h",	    postgres->dir,
				     "-U",	"postgres", "-n",
				     "-C",	"-c",	    "2",
				     "-t",	"100",	    "-f",
				     script,	"postgres", NULL };
	FILE *file;

	snprintf(script, sizeof(script), "%s/load.sql", postgres->dir);
	file = fopen(script, "we");
	if (file == NULL || fputs(QUERY "\n", file) < 0 || fclose(file) != 0)
		cr_fatal("cannot write %s", script);
	child_start(load, argv, 0);
}

/* pgbench connects anew for each query. */
static void expect_no_failure(struct child *load)
{
	const char *line;
	bool is_complete = false;

	while ((line = child_read_line(load, 2 * DEADLINE_MS)) != NULL)
		is_complete |= strstr(line, "processed: 200/200") != NULL;
	cr_assert(is_complete);
	cr_assert(eq(int, child_stop(load, DEADLINE_MS), 0));
}

static void require_postgres(struct postgres *postgres)
{
	if (!find_postgres(postgres))
		cr_skip("not tried: postgresql is not installed");
	if (geteuid() != 0)
		cr_skip("not tried: only root can become somebody else");
	require_ptrace();
}

/* A backend that is there is patched on its own; later ones are born patched. */
Test(programs, postgres_is_patched_under_load)
{
	struct postgres postgres;
	struct child session = { .pid = -1 }, later, load;
	char pid[16];

	require_postgres(&postgres);
	postgres_start(&postgres);
	session_start(&postgres, &session);
	snprintf(pid, sizeof(pid), "%s", ask(&session));
	load_start(&postgres, &load);
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(postgres.target, PATCH);
		session_start(&postgres, &later);
		expect_new(&later);
		expect_old(&session, pid);
		child_stop(&later, DEADLINE_MS);
		upatchctl_apply(pid, PATCH);
		expect_new(&session);
		upatchctl_revert(postgres.target, PATCH);
		expect_new(&session);
		upatchctl_revert(pid, PATCH);
		expect_old(&session, pid);
	}
	expect_no_failure(&load);
	child_stop(&session, DEADLINE_MS);
	postgres_stop(&postgres);
}

/*
 * PostgreSQL 15 makes all but the last one in a signal handler of the
 * postmaster, below which they stay for as long as they live.
 */
static const char *const servants[] = {
	"walwriter",
	"autovacuum launcher",
	"logical replication launcher",
	"checkpointer",
};
#define SERVANT_COUNT (sizeof(servants) / sizeof(servants[0]))

struct census {
	const char *server;
	size_t patch_count; /* that each is to have */
	size_t processes, patched;
	bool seen[SERVANT_COUNT];
};

static bool read_title(pid_t pid, char *title, size_t size)
{
	char path[32];
	ssize_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	len = (ssize_t)fread(title, 1, size - 1, file);
	fclose(file);
	title[len] = '\0';
	return len > 0;
}

static void count_process(pid_t unused, int pid, void *arg)
{
	struct census *census = arg;
	char path[32], exe[64], target[16], title[256];
	ssize_t len;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	exe[len > 0 ? len : 0] = '\0';
	if (strcmp(exe, census->server) != 0 ||
	    !read_title(pid, title, sizeof(title)))
		return;
	snprintf(target, sizeof(target), "%d", pid);
	census->processes++;
	census->patched += upatchctl_patch_count(target) == census->patch_count;
	for (size_t i = 0; i < SERVANT_COUNT; i++)
		census->seen[i] |= strstr(title, servants[i]) != NULL;
}

static bool is_complete(void *arg)
{
	struct census *census = arg;

	*census = (struct census){ .server = census->server,
				   .patch_count = census->patch_count };
	procfs_for_each_process(count_process, census);
	for (size_t i = 0; i < SERVANT_COUNT; i++) {
		if (!census->seen[i])
			return false;
	}
	return true;
}

/* All processes, of which the named ones have to be there. */
static void expect_patches(const struct postgres *postgres, size_t patch_count)
{
	struct census census = { .server = postgres->server,
				 .patch_count = patch_count };

	cr_assert(wait_until(is_complete, &census, DEADLINE_MS));
	cr_assert(eq(sz, census.patched, census.processes));
}

Test(programs, postgres_is_patched_in_all_its_processes)
{
	struct postgres postgres;
	struct child session = { .pid = -1 };
	char pid[16], all[80];

	require_postgres(&postgres);
	postgres_start(&postgres);
	session_start(&postgres, &session);
	snprintf(pid, sizeof(pid), "%s", ask(&session));
	snprintf(all, sizeof(all), "exe:%s", postgres.server);
	expect_patches(&postgres, 0);
	for (int i = 0; i < 2; i++) {
		upatchctl_apply(all, PATCH);
		expect_new(&session);
		expect_patches(&postgres, 1);
		upatchctl_revert(all, PATCH);
		expect_old(&session, pid);
		expect_patches(&postgres, 0);
	}
	child_stop(&session, DEADLINE_MS);
	postgres_stop(&postgres);
}
