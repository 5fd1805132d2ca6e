/* SPDX-License-Identifier: MIT */
/* Descriptors of ours among those of the program. */
#ifndef UPATCH_RUNTIME_DESCRIPTOR_H
#define UPATCH_RUNTIME_DESCRIPTOR_H

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* fstat(2) of the kernel; that of libc would ask for glibc 2.33. */
static inline int descriptor_stat(int fd, struct stat *ret_stat)
{
	return (int)syscall(SYS_fstat, fd, ret_stat);
}

/* The program may close what is ours, and get its number for its own. */
struct descriptor {
	int fd;
	dev_t dev;
	ino_t ino;
};

/* 0 or -errno. */
static inline int descriptor_note(struct descriptor *descriptor, int fd)
{
	struct stat st;

	if (descriptor_stat(fd, &st))
		return -errno;
	descriptor->fd = fd;
	descriptor->dev = st.st_dev;
	descriptor->ino = st.st_ino;
	return 0;
}

static inline bool descriptor_is_ours(const struct descriptor *descriptor)
{
	struct stat st;

	return !descriptor_stat(descriptor->fd, &st) &&
	       st.st_dev == descriptor->dev && st.st_ino == descriptor->ino;
}

static inline void descriptor_close(const struct descriptor *descriptor)
{
	if (descriptor_is_ours(descriptor))
		close(descriptor->fd);
}

#endif
