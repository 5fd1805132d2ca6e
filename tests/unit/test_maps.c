/* SPDX-License-Identifier: MIT */
/* Parsing /proc/PID/maps and looking for room. */
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PAGE 4096UL
#define MIB  (1UL << 20)
#define GIB  (1UL << 30)

TestSuite(maps, .timeout = 20);

static void parse(struct maps *maps, const char *text)
{
	struct upatch_error err = { 0 };
	int ret = maps_parse(text, strlen(text), maps, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
}

Test(maps, a_line_is_taken_apart)
{
	struct maps maps;
	struct map *map;

	parse(&maps,
	      "55d0a1000000-55d0a1005000 r-xs 00003000 fe:1a 10977286                   /usr/bin/a b\n"
	      "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
	      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
	cr_assert(eq(sz, maps.count, 3));
	map = &maps.maps[0];
	cr_assert(eq(u64, map->start, 0x55d0a1000000));
	cr_assert(eq(u64, map->end, 0x55d0a1005000));
	cr_assert(map->readable && !map->writable && map->executable &&
		  map->shared && !map->deleted);
	cr_assert(eq(u64, map->offset, 0x3000));
	cr_assert(eq(u64, map->dev, makedev(0xfe, 0x1a)));
	cr_assert(eq(u64, map->inode, 10977286));
	cr_assert(zero(int, strcmp(map->path, "/usr/bin/a b")));
	cr_assert(maps.maps[1].writable && !maps.maps[1].shared);
	cr_assert(zero(int, strcmp(maps.maps[2].path, "[vsyscall]")));
	maps_free(&maps);
}

Test(maps, paths_can_be_anything)
{
	static const struct {
		const char *line;
		const char *path;
		bool deleted;
	} cases[] = {
		{ "1000-2000 r--p 00000000 00:00 0", "", false },
		{ "1000-2000 r--p 00000000 00:00 0 ", "", false },
		{ "1000-2000 r--p 00000000 00:00 0 \n", "", false },
		{ "1000-2000 r--p 00000000 00:01 7 /lib/a.so (deleted)\n",
		  "/lib/a.so", true },
		{ "1000-2000 r--p 00000000 00:01 7 /memfd:x (deleted)\n",
		  "/memfd:x", true },
		{ "1000-2000 r--p 00000000 00:01 7 /a\\012b\n", "/a\nb",
		  false },
		{ "1000-2000 r--p 00000000 00:01 7 /two  blanks\n",
		  "/two  blanks", false },
		{ "1000-2000 r--p 00000000 00:01 7  (deleted)\n", "(deleted)",
		  false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct maps maps;
		bool deleted;

		parse(&maps, cases[i].line);
		cr_assert(eq(sz, maps.count, 1), "%s", cases[i].line);
		cr_assert(zero(int, strcmp(maps.maps[0].path, cases[i].path)),
			  "%s", cases[i].line);
		deleted = maps.maps[0].deleted;
		cr_assert(eq(int, deleted, cases[i].deleted), "%s",
			  cases[i].line);
		maps_free(&maps);
	}
}

Test(maps, what_is_no_line_is_refused)
{
	static const char *const cases[] = {
		"x",
		"\n",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r-x",
		"1000-2000 r-xp",
		"1000-2000 r-xp 0",
		"1000-2000 r-xp 0 00:00",
		"1000-2000 r-xp 0 00:00 ",
		"1000-2000 r-xp 0 00:00 x",
		"1000-2000 r-xp 0 00:00 12x",
		"1000-2000 r-xp 0 0000 1",
		"2000-1000 r-xp 0 00:00 0 ",
		"2000-2000 r-xp 0 00:00 0 ",
		"12345678123456781-12345678123456782 r-xp 0 00:00 0 ",
		"1000-2000 r-xp 0 00:00 99999999999999999999999 ",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct upatch_error err = { 0 };
		struct maps maps = { 0 };
		int ret = maps_parse(cases[i], strlen(cases[i]), &maps, &err);

		cr_assert(eq(int, ret, UPATCH_ERROR_SYSTEM), "%s", cases[i]);
		cr_assert(eq(ptr, maps.maps, NULL));
		cr_assert(ne(int, err.message[0], 0));
	}
}

Test(maps, every_truncation_is_an_error_or_a_shorter_list)
{
	static const char text[] = "1000-2000 r-xp 00000000 fe:00 12 /bin/a\n"
				   "3000-4000 rw-p 00000000 00:00 0 [heap]\n"
				   "5000-6000 rw-p 00000000 00:00 0 \n";

	for (size_t len = 0; len < sizeof(text); len++) {
		struct maps maps = { 0 };

		if (maps_parse(text, len, &maps, NULL) == 0)
			cr_assert(le(sz, maps.count, 3));
		maps_free(&maps);
	}
}

Test(maps, a_mapping_shown_twice_counts_as_it_was_shown_last)
{
	struct maps maps;

	parse(&maps, "1000-3000 r--p 0 00:00 0\n"
		     "3000-4000 r--p 0 00:00 0\n"
		     "3000-8000 rw-p 0 00:00 0\n"
		     "7000-9000 r-xp 0 00:00 0\n");
	cr_assert(eq(sz, maps.count, 3));
	cr_assert(eq(u64, maps.maps[1].start, 0x3000));
	cr_assert(eq(u64, maps.maps[1].end, 0x7000));
	cr_assert(maps.maps[1].writable);
	cr_assert(maps.maps[2].executable);
	maps_free(&maps);
}

Test(maps, find_knows_the_ends)
{
	struct maps maps;
	const struct map *map;

	parse(&maps, "1000-2000 r--p 0 00:00 0\n"
		     "2000-3000 rw-p 0 00:00 0\n"
		     "5000-6000 r-xp 0 00:00 0\n");
	map = maps_find(&maps, 0xfff);
	cr_assert(eq(ptr, (void *)(uintptr_t)map, NULL));
	cr_assert(maps_find(&maps, 0x1000) == &maps.maps[0]);
	cr_assert(maps_find(&maps, 0x1fff) == &maps.maps[0]);
	cr_assert(maps_find(&maps, 0x2000) == &maps.maps[1]);
	cr_assert(maps_find(&maps, 0x3000) == NULL);
	cr_assert(maps_find(&maps, 0x5fff) == &maps.maps[2]);
	cr_assert(maps_find(&maps, 0x6000) == NULL);
	cr_assert(maps_find(&maps, UINT64_MAX) == NULL);
	maps_free(&maps);
	cr_assert(maps_find(&maps, 0x1000) == NULL);
}

Test(maps, own_maps_tell_where_things_are)
{
	struct upatch_error err = { 0 };
	const struct map *map;
	struct maps maps;
	struct stat st;
	int local = 0;
	int ret = maps_read(getpid(), &maps, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	map = maps_find(&maps, (uintptr_t)&local);
	cr_assert(map && map->writable);
	map = maps_find(&maps, (uintptr_t)maps_find);
	cr_assert(map && map->executable);
	cr_assert(eq(int, stat(map->path, &st), 0));
	cr_assert(eq(u64, st.st_ino, map->inode));
	cr_assert(eq(u64, st.st_dev, map->dev));
	for (size_t i = 0; i < maps.count; i++) {
		if (strcmp(maps.maps[i].path, "[heap]") == 0)
			cr_assert(eq(u64, maps.brk, maps.maps[i].end));
	}
	cr_assert(ne(u64, maps.brk, 0));
	maps_free(&maps);
}

Test(maps, a_process_that_is_not_there_is_no_target)
{
	struct upatch_error err = { 0 };
	struct maps maps;
	int ret = maps_read(0x3fffffff, &maps, &err);

	cr_assert(eq(int, ret, UPATCH_ERROR_NO_TARGET));
	cr_assert(eq(str, err.message, "no process 1073741823"));
}

/* --- Room ------------------------------------------------------------- */

#define FILE_MAP " r-xp 00000000 fe:00 12 /bin/a\n"
#define ANON_MAP " rw-p 00000000 00:00 0 \n"

static upatch_addr_t gap_in(const char *text, upatch_addr_t near,
			    uint64_t reach, uint64_t len)
{
	struct maps maps;
	upatch_addr_t gap;

	parse(&maps, text);
	gap = maps_find_gap(&maps, near, reach, len);
	maps_free(&maps);
	return gap;
}

Test(maps, room_is_taken_after_the_module_behind_a_guard_page)
{
	cr_assert(eq(u64, 0x40003000,
		     gap_in("40000000-40002000" FILE_MAP, 0x40001000, GIB,
			    16 * PAGE)));
	/* a gap that is too small for itself and two guards is passed over */
	cr_assert(eq(u64, 0x40007000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40004000-40006000" FILE_MAP,
			    0x40001000, GIB, PAGE)));
	cr_assert(eq(u64, 0x40003000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40005000-40006000" FILE_MAP,
			    0x40001000, GIB, PAGE)));
	/* a length is made whole pages */
	cr_assert(eq(u64, 0x40008000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40005000-40007000" FILE_MAP,
			    0x40001000, GIB, PAGE + 1)));
}

Test(maps, room_is_taken_before_the_module_where_there_is_none_after)
{
	cr_assert(eq(u64, 0x40000000 - 2 * PAGE,
		     gap_in("40000000-c0000000" FILE_MAP, 0x40001000, GIB,
			    PAGE)));
}

Test(maps, no_byte_is_out_of_reach)
{
	static const char around[] = "40000000-40010000" FILE_MAP;
	upatch_addr_t near = 0x40008000;

	/* after: [0x40011000, 0x40012000) ends 0xa000 behind near */
	cr_assert(eq(u64, 0x40011000, gap_in(around, near, 0xa000, PAGE)));
	/* before: 0x3fffe000 is 0xa000 away */
	cr_assert(eq(u64, 0, gap_in(around, near, 0x9fff, PAGE)));
	cr_assert(eq(u64, 0x3fffe000,
		     gap_in("40000000-50010000" FILE_MAP, near, 0xa001, PAGE)));
	cr_assert(eq(u64, 0,
		     gap_in("40000000-50010000" FILE_MAP, near, 0xa000, PAGE)));
}

Test(maps, the_lowest_and_highest_addresses_are_left_alone)
{
	cr_assert(eq(u64, 0x10000,
		     gap_in("12000-80000000" FILE_MAP, 0x13000, GIB, PAGE)));
	cr_assert(eq(u64, 0,
		     gap_in("11000-80000000" FILE_MAP, 0x13000, GIB, PAGE)));
	cr_assert(eq(u64, 0,
		     gap_in("7fff00000000-7fffffffd000" FILE_MAP,
			    0x7fffffff0000, MIB, 2 * PAGE)));
	cr_assert(eq(u64, 0x7fffffffd000,
		     gap_in("7fff00000000-7fffffffc000" FILE_MAP,
			    0x7fffffff0000, MIB, 2 * PAGE)));
}

Test(maps, what_may_grow_down_keeps_its_distance)
{
	/* 256 pages below anonymous memory, which may be a stack */
	cr_assert(eq(u64, 0x40003000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40104000-40105000" ANON_MAP,
			    0x40001000, 2 * MIB, PAGE)));
	cr_assert(eq(u64, 0x40106000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40103000-40105000" ANON_MAP,
			    0x40001000, 2 * MIB, PAGE)));
	/* 128 MiB from the upper end of [stack], and a guard */
	cr_assert(eq(u64, 0,
		     gap_in("7fe000000000-7ff000002000" FILE_MAP
			    "7ff008100000-7ff008102000 rw-p 0 00:00 0 [stack]\n"
			    "7ff008103000-7ff100000000" FILE_MAP,
			    0x7ff000001000, 0x5000, PAGE)));
	cr_assert(
		eq(u64, 0x7ff000003000,
		   gap_in("7ff000000000-7ff000002000" FILE_MAP
			  "7ff008200000-7ff008202000 rw-p 0 00:00 0 [stack]\n",
			  0x7ff000001000, 0x5000, PAGE)));
}

Test(maps, the_heap_keeps_room_to_grow)
{
	/* between the module and the heap, which begins at random */
	cr_assert(eq(u64, 0x40003000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40005000-40026000 rw-p 0 00:00 0 [heap]\n",
			    0x40001000, GIB, PAGE)));
	/* beyond its room */
	cr_assert(eq(u64, 0x40025000 + 16 * MIB,
		     gap_in("40000000-40002000" FILE_MAP
			    "40004000-40025000 rw-p 0 00:00 0 [heap]\n",
			    0x40001000, GIB, PAGE)));
	/* before the module rather than in the heap's room */
	cr_assert(eq(u64, 0x3fffe000,
		     gap_in("40000000-40002000" FILE_MAP
			    "40002000-40025000 rw-p 0 00:00 0 [heap]\n"
			    "40800000-80000000" FILE_MAP,
			    0x40001000, GIB, PAGE)));
	/* nowhere else: as far away as possible */
	cr_assert(eq(u64, 0x40800000 - 2 * PAGE,
		     gap_in("10000-40002000" FILE_MAP
			    "40002000-40025000 rw-p 0 00:00 0 [heap]\n"
			    "40800000-80000000" FILE_MAP,
			    0x40001000, GIB, PAGE)));
}

Test(maps, a_heap_that_is_still_empty_keeps_room_too)
{
	struct maps maps;

	parse(&maps, "40000000-40002000" FILE_MAP);
	maps.brk = 0x40004000;
	cr_assert(eq(u64, maps_find_gap(&maps, 0x40001000, GIB, PAGE),
		     0x40004000 + 16 * MIB));
	maps.brk = 0x40005000;
	cr_assert(eq(u64, maps_find_gap(&maps, 0x40001000, GIB, PAGE),
		     0x40003000));
	maps_free(&maps);
}

Test(maps, nothing_is_found_in_odd_requests)
{
	static const char text[] = "40000000-40002000" FILE_MAP;

	cr_assert(eq(u64, 0, gap_in(text, 0x40001000, 0, PAGE)));
	cr_assert(eq(u64, 0, gap_in(text, 0x40001000, GIB, 0)));
	cr_assert(eq(u64, 0, gap_in(text, 0x40001000, GIB, UINT64_MAX)));
	cr_assert(eq(u64, 0, gap_in(text, 0x40001000, GIB, 4 * GIB)));
	cr_assert(eq(u64, 0, gap_in(text, UINT64_MAX, GIB, PAGE)));
	cr_assert(ne(u64, 0, gap_in("", 0x40001000, GIB, PAGE)));
	cr_assert(ne(u64, 0, gap_in(text, 0x40001000, UINT64_MAX, PAGE)));
}

/* What is promised, checked byte by byte on layouts made at random. */
Test(maps, every_answer_keeps_the_promises)
{
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		char text[4096] = "";
		upatch_addr_t at = 0x40000000;
		upatch_addr_t near = 0x40000000 + (upatch_addr_t)random() % MIB;
		uint64_t reach = 1 + (uint64_t)random() % (4 * MIB);
		uint64_t len = PAGE * (1 + (uint64_t)random() % 64);
		struct maps maps;
		upatch_addr_t gap;

		for (int i = 0; i < 20; i++) {
			char line[80];

			at += PAGE * ((uint64_t)random() % 40);
			snprintf(line, sizeof(line), "%lx-%lx" FILE_MAP, at,
				 at + PAGE * (1 + (uint64_t)i % 3));
			at += PAGE * (1 + (uint64_t)i % 3);
			strcat(text, line);
		}
		parse(&maps, text);
		gap = maps_find_gap(&maps, near, reach, len);
		for (upatch_addr_t byte = gap - PAGE;
		     gap != 0 && byte < gap + len + PAGE; byte += PAGE)
			cr_assert(maps_find(&maps, byte) == NULL);
		if (gap != 0) {
			upatch_addr_t last = gap + len - 1;

			cr_assert(eq(u64, gap % PAGE, 0));
			cr_assert(gap > near || near - gap < reach);
			cr_assert(last < near || last - near < reach);
		}
		maps_free(&maps);
	}
}

Test(maps, room_in_this_process_can_be_mapped)
{
	struct maps maps;
	upatch_addr_t gap;
	void *mapped;

	cr_assert(eq(int, maps_read(getpid(), &maps, NULL), 0));
	gap = maps_find_gap(&maps, (uintptr_t)maps_find, 0x7fff0000, 65536);
	cr_assert(ne(u64, gap, 0));
	mapped = mmap((void *)gap, 65536, PROT_READ,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	cr_assert(mapped == (void *)gap);
	maps_free(&maps);
}
