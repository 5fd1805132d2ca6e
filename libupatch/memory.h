/* SPDX-License-Identifier: MIT */
/* Reading and writing the memory of the target. */
#ifndef UPATCH_MEMORY_H
#define UPATCH_MEMORY_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "addr.h"
#include "error.h"

struct memory {
	pid_t pid;
	int mem_fd; /* /proc/PID/mem, read and write */
};

/* Needs the permission to ptrace the target (proc(5), /proc/PID/mem). */
UPATCH_MUST_CHECK int memory_open(struct memory *memory, pid_t pid,
				  struct upatch_error *err);
void memory_close(struct memory *memory);

/* All of `len` bytes, or an error. */
UPATCH_MUST_CHECK int memory_read(const struct memory *memory,
				  upatch_addr_t addr, void *buf, size_t len,
				  struct upatch_error *err);
/* As many bytes as are readable from `addr` on, at most `len`; no error. */
size_t memory_read_some(const struct memory *memory, upatch_addr_t addr,
			void *buf, size_t len);
/* As process_vm_readv(2), also where the main thread has ended. */
ssize_t memory_readv(const struct memory *memory, const struct iovec *here,
		     size_t here_count, const struct iovec *there,
		     size_t there_count);
/*
 * A word at each of the addresses, in one call where it can be.  Returns how
 * many were read: those before the first that is not readable.
 */
size_t memory_read_words(const struct memory *memory,
			 const upatch_addr_t *addrs, size_t count,
			 uint32_t *ret_words);
/* A NUL-terminated string of at most size - 1 bytes; longer: an error. */
UPATCH_MUST_CHECK int memory_read_string(const struct memory *memory,
					 upatch_addr_t addr, char *buf,
					 size_t size, struct upatch_error *err);
/*
 * Writes also where the page is read-only or executable: /proc/PID/mem copies
 * such a page on write (FOLL_FORCE) and leaves its protection as it is.
 */
UPATCH_MUST_CHECK int memory_write(const struct memory *memory,
				   upatch_addr_t addr, const void *buf,
				   size_t len, struct upatch_error *err);

#endif
