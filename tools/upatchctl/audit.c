/* SPDX-License-Identifier: MIT */
/* One line to syslog for each operation on a process. */
#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "printable.h"

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
	if (fclose(out) == 0) {
		openlog("upatchctl", LOG_PID, LOG_AUTHPRIV);
		syslog(LOG_NOTICE, "%s", line);
	}
	free(line);
}
