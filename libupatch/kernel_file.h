/* SPDX-License-Identifier: MIT */
/* Files whose text the kernel makes when it is read: of /proc, of cgroups. */
#ifndef UPATCH_KERNEL_FILE_H
#define UPATCH_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What one read(2) yields, up to size - 1 bytes, and a NUL; the path is
 * formatted.  False: it cannot be read, or is empty.
 */
bool kernel_file_read(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a file that is open, unless fd < 0, and closes it. */
bool kernel_file_take(int fd, char *buf, size_t size);

#endif
