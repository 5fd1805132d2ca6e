/* SPDX-License-Identifier: MIT */
/* The standard streams of a program that opens files of other processes. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failure.h"
#include "printable.h"

int output_reserve_streams(struct upatch_error *err)
{
	int fd;

	/* Reading only: what is written to a closed stream still fails. */
	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return failure_set(err, UPATCH_ERROR_SYSTEM, errno,
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
	return failure_set(err, UPATCH_ERROR_SYSTEM, saved_errno,
			   "done, but cannot write standard output");
}

void output_write_failure(const struct upatch_error *failure)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	fputs("upatchctl: ", out);
	printable_put(out, failure->message);
	fputc('\n', out);
	if (fclose(out) == 0)
		output_write_all(STDERR_FILENO, line, len);
	free(line);
}
