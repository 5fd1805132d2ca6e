/* SPDX-License-Identifier: MIT */
/* Reads the text of such files. */
#include "kernel_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool kernel_file_take(int fd, char *buf, size_t size)
{
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, buf, size - 1);
	close(fd);
	buf[len > 0 ? len : 0] = '\0';
	return len > 0;
}

bool kernel_file_read(char *buf, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return len >= 0 && (size_t)len < sizeof(path) &&
	       kernel_file_take(open(path, O_RDONLY | O_CLOEXEC), buf, size);
}
