/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a victim: the n-th call of the agent's into the C library
 * that can fail does.  UPATCH_FAIL_INSIDE names a file that holds a struct
 * fail_inside, shared with the test.
 */
#include "fail_inside.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What malloc(3) of the C library is behind its own name. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static struct fail_inside *shared;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("UPATCH_FAIL_INSIDE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *place;

	if (fd < 0)
		return;
	place = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	close(fd);
	if (place != MAP_FAILED)
		shared = place;
}

static bool is_agent(void)
{
	char name[16];

	return syscall(SYS_prctl, PR_GET_NAME, name) == 0 &&
	       strcmp(name, "upatch-agent") == 0;
}

static bool must_fail(const char *function, int error)
{
	unsigned int n;

	if (!shared || !is_agent())
		return false;
	n = ++shared->count;
	if (!shared->fail_at ||
	    (shared->fail_later ? n < shared->fail_at : n != shared->fail_at))
		return false;
	shared->failed++;
	strncpy(shared->function, function, sizeof(shared->function) - 1);
	errno = error;
	return true;
}

void *malloc(size_t size)
{
	return must_fail("malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return must_fail("calloc", ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t size)
{
	return must_fail("realloc", ENOMEM) ? NULL
					    : __libc_realloc(block, size);
}

void *mmap(void *addr, size_t len, int protection, int flags, int fd,
	   off_t offset)
{
	if (must_fail("mmap", ENOMEM))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, protection, flags, fd,
			       offset);
}

int mprotect(void *addr, size_t len, int protection)
{
	if (must_fail("mprotect", ENOMEM))
		return -1;
	return (int)syscall(SYS_mprotect, addr, len, protection);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (must_fail("poll", ENOMEM))
		return -1;
	return (int)syscall(SYS_poll, fds, count, timeout_ms);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (must_fail("recvmsg", ENOMEM))
		return -1;
	return syscall(SYS_recvmsg, fd, msg, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	if (must_fail("send", ENOBUFS))
		return -1;
	return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	if (must_fail("pwrite", EIO))
		return -1;
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

void *dlopen(const char *path, int flags)
{
	void *(*next)(const char *, int);

	if (must_fail("dlopen", ENOMEM))
		return NULL;
	*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	return next(path, flags);
}
