/* SPDX-License-Identifier: MIT */
/* Reading and writing the memory of the target. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tasks.h"

#define SHORT_STRING 128

int memory_open(struct memory *memory, pid_t pid, struct upatch_error *err)
{
	int fd = tasks_open(pid, "mem", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "no process %d", pid);
	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open the memory of process %d", pid);
	memory->pid = pid;
	memory->mem_fd = fd;
	return 0;
}

void memory_close(struct memory *memory)
{
	if (memory->mem_fd >= 0)
		close(memory->mem_fd);
	memory->mem_fd = -1;
}

size_t memory_read_some(const struct memory *memory, upatch_addr_t addr,
			void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t count = pread(memory->mem_fd, (char *)buf + done,
				      len - done, (off_t)(addr + done));
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		done += (size_t)count;
	}
	return done;
}

int memory_read(const struct memory *memory, upatch_addr_t addr, void *buf,
		size_t len, struct upatch_error *err)
{
	size_t count;

	errno = 0;
	count = memory_read_some(memory, addr, buf, len);
	if (count == len)
		return 0;
	/* The memory of a process that has ended reads as empty. */
	return error_set(
		err, errno ? UPATCH_ERROR_SYSTEM : UPATCH_ERROR_NO_TARGET,
		errno,
		"cannot read %zu bytes at 0x%lx of process %d: only %zu are there",
		len, addr, memory->pid, count);
}

/* ESRCH: the thread with that number has ended, perhaps alone. */
ssize_t memory_readv(const struct memory *memory, const struct iovec *here,
		     size_t here_count, const struct iovec *there,
		     size_t there_count)
{
	pid_t number = memory->pid, before;
	ssize_t len;

	do {
		before = number;
		len = process_vm_readv(number, here, here_count, there,
				       there_count, 0);
		if (len < 0 && errno == ESRCH)
			number = tasks_first_living(memory->pid);
	} while (number != before);
	return len;
}

size_t memory_read_words(const struct memory *memory,
			 const upatch_addr_t *addrs, size_t count,
			 uint32_t *ret_words)
{
	size_t done = 0;

	while (done < count) {
		struct iovec there[64];
		struct iovec here = { .iov_base = ret_words + done };
		size_t now = 0;
		ssize_t len;

		for (; now < 64 && done + now < count; now++)
			there[now] = (struct iovec){ (void *)addrs[done + now],
						     sizeof(*ret_words) };
		here.iov_len = now * sizeof(*ret_words);
		len = memory_readv(memory, &here, 1, there, now);
		if (len > 0)
			done += (size_t)len / sizeof(*ret_words);
		if (len != (ssize_t)here.iov_len)
			break;
	}
	return done;
}

int memory_read_string(const struct memory *memory, upatch_addr_t addr,
		       char *buf, size_t size, struct upatch_error *err)
{
	size_t count = size < SHORT_STRING ? size : SHORT_STRING;

	/* Names are short, and reading costs by the page. */
	count = memory_read_some(memory, addr, buf, count);
	if (count == SHORT_STRING && !memchr(buf, '\0', count))
		count += memory_read_some(memory, addr + count, buf + count,
					  size - count);
	if (memchr(buf, '\0', count))
		return 0;
	return error_set(
		err, UPATCH_ERROR_SYSTEM, 0,
		"no string of less than %zu bytes at 0x%lx of process %d", size,
		addr, memory->pid);
}

int memory_write(const struct memory *memory, upatch_addr_t addr,
		 const void *buf, size_t len, struct upatch_error *err)
{
	ssize_t count;

	do {
		count = pwrite(memory->mem_fd, buf, len, (off_t)addr);
	} while (count < 0 && errno == EINTR);
	if (count >= 0 && (size_t)count == len)
		return 0;
	return error_set(err, error_code_of_errno(count < 0 ? errno : EIO),
			 count < 0 ? errno : EIO,
			 "cannot write %zu bytes at 0x%lx of process %d", len,
			 addr, memory->pid);
}
