/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into upatchctl: the UPATCH_FAIL_ALLOC-th allocation fails; "N+":
 * and all later ones.  What failed is written to the file UPATCH_FAIL_REPORT.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FRAMES 16

/* What malloc(3) of the C library is behind its own name. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static unsigned long fail_at;
static bool fail_later;
static bool is_counting;
static int report_fd = -1;
static atomic_ulong count;
static __thread bool is_reporting;

static void report_failure(void)
{
	void *frames[MAX_FRAMES];

	is_reporting = true;
	if (report_fd >= 0) {
		dprintf(report_fd, "failed\n");
		backtrace_symbols_fd(frames, backtrace(frames, MAX_FRAMES),
				     report_fd);
	}
	is_reporting = false;
}

static bool must_fail(void)
{
	unsigned long n;

	if (!is_counting || is_reporting)
		return false;
	n = atomic_fetch_add(&count, 1) + 1;
	if (n == fail_at)
		report_failure();
	if (!fail_at || (fail_later ? n < fail_at : n != fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("UPATCH_FAIL_ALLOC");
	const char *path = getenv("UPATCH_FAIL_REPORT");
	void *frame;
	char *end;

	if (!at)
		return;
	/* So early that nothing has to be allocated for it later. */
	(void)backtrace(&frame, 1);
	fail_at = strtoul(at, &end, 10);
	fail_later = *end == '+';
	if (path)
		report_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				 0600);
	is_counting = true;
}

__attribute__((destructor)) static void end(void)
{
	is_counting = false;
	if (report_fd >= 0)
		dprintf(report_fd, "counted %lu\n", atomic_load(&count));
}

void *malloc(size_t size)
{
	return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t size)
{
	return must_fail() ? NULL : __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size)
{
	return must_fail() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return must_fail() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
	void *block = must_fail() ? NULL : __libc_memalign(alignment, size);

	if (!block)
		return ENOMEM;
	*ret_block = block;
	return 0;
}

void *mmap(void *addr, size_t len, int protection, int flags, int fd,
	   off_t offset)
{
	if (must_fail())
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, len, protection, flags, fd,
			       offset);
}
