/* SPDX-License-Identifier: MIT */
/* One line to syslog for each operation on a process. */
#include "audit.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "printable.h"

#define LOG_WAIT_MS 1000

/* Quoted: a name must not be able to look like the next field. */
static void put_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, " %s=\"", key);
	printable_put_quoted(out, text);
	fputc('"', out);
}

/*
 * Who logged in, which sudo and su leave alone (pam_loginuid(8)).  False:
 * nobody has, as for a service.
 */
static bool find_login(unsigned int *ret_uid)
{
	FILE *file = fopen("/proc/self/loginuid", "re");
	bool found = file && fscanf(file, "%u", ret_uid) == 1 &&
		     *ret_uid != (unsigned int)-1;

	if (file)
		fclose(file);
	return found;
}

static void put_who(FILE *out)
{
	unsigned int login;

	fprintf(out, " uid=%u", getuid());
	if (find_login(&login))
		fprintf(out, " login=%u", login);
}

static void put_what(FILE *out, const struct audit *audit)
{
	const char *exe = upatch_target_exe(audit->target);

	fprintf(out, "%s pid=%d", audit->command,
		(int)upatch_target_pid(audit->target));
	put_text(out, "exe", exe ? exe : "?");
	if (audit->patch && audit->patch[0] != '\0')
		put_text(out, "patch", audit->patch);
	if (!audit->info)
		return;
	put_text(out, "file", audit->info->path);
	if (audit->info->build_id)
		put_text(out, "build-id", audit->info->build_id);
	if (audit->result->signer[0] != '\0')
		put_text(out, "signer", audit->result->signer);
}

static void put_result(FILE *out, const struct audit *audit)
{
	fprintf(out, " exit=%d", upatch_error_exit_status(audit->code));
	if (audit->code != 0)
		put_text(out, "error", audit->err->message);
}

/*
 * syslog(3) waits for ever for a daemon that is there and does not read.
 * Where none is, or one of another kind, it does not, or tells by itself.
 */
static bool log_takes_lines(void)
{
	const struct sockaddr_un log = { AF_UNIX, "/dev/log" };
	struct pollfd end = { .events = POLLOUT };
	bool is_full;

	end.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (end.fd < 0)
		return true;
	is_full = connect(end.fd, (const struct sockaddr *)&log, sizeof(log)) ==
			  0 &&
		  poll(&end, 1, LOG_WAIT_MS) == 0;
	close(end.fd);
	return !is_full;
}

/* Once for all processes: each would wait again. */
static void write_line(const char *line)
{
	static atomic_bool is_full;

	if (is_full)
		return;
	if (log_takes_lines()) {
		openlog("upatchctl", LOG_PID, LOG_AUTHPRIV);
		syslog(LOG_NOTICE, "%s", line);
	} else if (!atomic_exchange(&is_full, true)) {
		fputs("upatchctl: the system log does not take the audit line\n",
		      stderr);
	}
}

void audit_write(const struct audit *audit)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_what(out, audit);
	put_who(out);
	put_result(out, audit);
	if (fclose(out) == 0)
		write_line(line);
	free(line);
}
