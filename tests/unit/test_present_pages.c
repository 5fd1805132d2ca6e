/* SPDX-License-Identifier: MIT */
/* Pages that are there among far more that are only reserved. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <sys/mman.h>
#include <unistd.h>

#include "present_pages.h"

#define PAGE 4096UL
#define MIB  (1UL << 20)
#define TIB  (1UL << 40)

TestSuite(present_pages, .timeout = 60);

static upatch_addr_t reserve(size_t len)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (addr == MAP_FAILED)
		cr_skip("so much cannot be reserved here");
	madvise(addr, len, MADV_NOHUGEPAGE);
	return (upatch_addr_t)addr;
}

static void touch(upatch_addr_t start, upatch_addr_t end)
{
	for (upatch_addr_t addr = start; addr < end; addr += PAGE)
		*(volatile char *)addr = 1;
}

/* The 5th to 8th page, one amid them, and the last one. */
static void expect_found(struct present_pages *pages, size_t len)
{
	upatch_addr_t start = reserve(len), end = start + len;
	const struct addr_range expected[] = {
		{ start + 4 * PAGE, start + 8 * PAGE },
		{ start + len / 2, start + len / 2 + PAGE },
		{ end - PAGE, end },
	};
	upatch_addr_t at = start;
	struct addr_range found;

	for (int i = 0; i < 3; i++)
		touch(expected[i].start, expected[i].end);
	for (int i = 0; i < 3; i++) {
		cr_assert(eq(int, present_pages_next(pages, at, end, &found),
			     PRESENT_SOME));
		cr_expect(eq(u64, found.start, expected[i].start), "%d", i);
		cr_expect(eq(u64, found.end, expected[i].end), "%d", i);
		at = found.end;
	}
	cr_assert(eq(int, present_pages_next(pages, at, end, &found),
		     PRESENT_NONE));
	munmap((void *)start, len);
}

Test(present_pages, are_listed_by_the_kernel)
{
	struct present_pages pages;

	present_pages_open(&pages, getpid());
	if (!pages.can_list)
		cr_skip("this kernel does not list pages");
	expect_found(&pages, 64 * MIB);
	expect_found(&pages, TIB);
	present_pages_close(&pages);
}

Test(present_pages, are_asked_for_one_by_one)
{
	struct present_pages pages;

	present_pages_open(&pages, getpid());
	pages.can_list = false;
	expect_found(&pages, 64 * MIB);
	present_pages_close(&pages);
}

Test(present_pages, are_not_asked_for_without_end)
{
	struct present_pages pages;
	upatch_addr_t start = reserve(TIB);
	struct addr_range found;

	present_pages_open(&pages, getpid());
	pages.can_list = false;
	cr_assert(eq(int,
		     present_pages_next(&pages, start, start + TIB, &found),
		     PRESENT_UNKNOWN));
	present_pages_close(&pages);
	munmap((void *)start, TIB);
}

Test(present_pages, all_count_where_nothing_tells)
{
	struct present_pages pages = { .fd = -1 };
	struct addr_range found;

	cr_assert(eq(int, present_pages_next(&pages, PAGE, 9 * PAGE, &found),
		     PRESENT_SOME));
	cr_assert(eq(u64, found.start, PAGE));
	cr_assert(eq(u64, found.end, 9 * PAGE));
}
