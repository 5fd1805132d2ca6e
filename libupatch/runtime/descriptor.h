/* SPDX-License-Identifier: MIT */
/* Descriptors of ours among those of the program. */
#ifndef UPATCH_RUNTIME_DESCRIPTOR_H
#define UPATCH_RUNTIME_DESCRIPTOR_H

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* fstat(2) of the kernel; that of libc would ask for glibc 2.33. */
static inline int descriptor_stat(int fd, struct stat *ret_stat)
{
	return (int)syscall(SYS_fstat, fd, ret_stat);
}

#endif
