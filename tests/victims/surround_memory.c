/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: memory that is locked, huge, or not what the file holds.
 */
#include "surroundings.h"
#include "victim.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_LEN 4096UL
#define HUGE_LEN (2UL << 20)

extern char __executable_start, __etext;

static void lock_memory(const char *arg)
{
	(void)arg;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		victim_die("mlockall");
}

static void use_huge_pages(const char *arg)
{
	char *area = mmap(NULL, 4 * HUGE_LEN, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (area == MAP_FAILED || madvise(area, 4 * HUGE_LEN, MADV_HUGEPAGE))
		victim_die("huge pages");
	memset(area, 1, 4 * HUGE_LEN);
}

/* As some databases do: the code is copied to memory of its own. */
static void copy_text(const char *arg)
{
	uintptr_t start, end;
	size_t len;
	char *copy;

	start = (uintptr_t)victim_init & ~(PAGE_LEN - 1);
	end = ((uintptr_t)&__etext + PAGE_LEN - 1) & ~(PAGE_LEN - 1);
	/* The whole segment: the pages before it are not executable. */
	while (start - PAGE_LEN > (uintptr_t)&__executable_start)
		start -= PAGE_LEN;
	len = end - start;
	copy = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		victim_die("copy of the code");
	memcpy(copy, (void *)start, len);
	if (mprotect(copy, len, PROT_READ | PROT_EXEC) ||
	    mremap(copy, len, len, MREMAP_FIXED | MREMAP_MAYMOVE,
		   (void *)start) == MAP_FAILED)
		victim_die("mremap");
	if (strcmp(arg, "huge") == 0)
		madvise((void *)start, len, MADV_HUGEPAGE);
}

/* The page below the thread's frames cannot be written any more. */
static void protect_stack(const char *arg)
{
	char here;
	uintptr_t page = ((uintptr_t)&here & ~(PAGE_LEN - 1)) -
			 strtoul(arg, NULL, 10) * PAGE_LEN;

	if (mprotect((void *)page, PAGE_LEN, PROT_READ))
		victim_die("mprotect");
}

const struct surrounding surround_memory[] = {
	{ "locked", lock_memory },
	{ "huge_pages", use_huge_pages },
	{ "copied_text", copy_text },
	{ "protected_stack", protect_stack },
	{ 0 },
};
