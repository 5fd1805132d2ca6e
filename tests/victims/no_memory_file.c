/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: the process cannot open /proc/.../mem, as without descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int open(const char *path, int flags,
						...)
{
	const char *name = strrchr(path, '/');
	va_list args;
	int mode = 0;

	if (name != NULL && strcmp(name, "/mem") == 0) {
		errno = EMFILE;
		return -1;
	}
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
