/* SPDX-License-Identifier: MIT */
/* The standard streams of a program that opens files of other processes. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libupatch/error.h"
#include "printable.h"

int output_reserve_streams(struct upatch_error *err)
{
	int fd;

	/* Reading only: what is written to a closed stream still fails. */
	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot open '/dev/null'");
	close(fd);
	return 0;
}

int output_write_all(int fd, const char *text, size_t len)
{
	ssize_t written;

	while (len > 0) {
		written = write(fd, text, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		text += written;
		len -= (size_t)written;
	}
	return 0;
}

int output_write(const char *text, size_t len, struct upatch_error *err)
{
	int saved_errno = output_write_all(STDOUT_FILENO, text, len);

	if (saved_errno == 0 || saved_errno == EPIPE)
		return 0;
	return error_set(err, UPATCH_ERROR_SYSTEM, saved_errno,
			 "done, but cannot write standard output");
}

static bool write_composed(const char *message)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);
	bool composed;

	if (!out)
		return false;
	fputs("upatchctl: ", out);
	printable_put(out, message);
	fputc('\n', out);
	composed = !ferror(out);
	composed = fclose(out) == 0 && composed;
	if (composed)
		output_write_all(STDERR_FILENO, line, len);
	free(line);
	return composed;
}

/* Without memory: what is not plain ASCII is not shown. */
static void write_plain(const char *message)
{
	static const char begin[] = "upatchctl: ";
	char line[sizeof(begin) + UPATCH_ERROR_MESSAGE_SIZE];
	size_t len = sizeof(begin) - 1;

	memcpy(line, begin, len);
	for (; *message && len < sizeof(line) - 1; message++)
		line[len++] =
			*message >= ' ' && *message <= '~' ? *message : '?';
	line[len++] = '\n';
	output_write_all(STDERR_FILENO, line, len);
}

void output_write_failure(const struct upatch_error *failure)
{
	if (!write_composed(failure->message))
		write_plain(failure->message);
}
