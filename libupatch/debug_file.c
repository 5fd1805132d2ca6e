/* SPDX-License-Identifier: MIT */
/*
 * The file into which debuginfo and symbols of an ELF file were split off
 * (gdb manual, "Debugging Information in Separate Files").
 */
#include "debug_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEBUG_ROOT "/usr/lib/debug"

/* What a debug file must agree with. */
struct wanted {
	int root_fd;
	char build_id[ELF_FILE_BUILD_ID_SIZE]; /* "": it has none */
	uint32_t crc;
};

uint32_t debug_file_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
	uint32_t table[256];

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320U : 0);
		table[i] = value;
	}
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
	return ~crc;
}

static bool has_crc(const struct elf_file *file, uint32_t wanted_crc)
{
	uint8_t bytes[65536];
	uint32_t crc = 0;
	off_t at = 0;

	for (;;) {
		ssize_t len = pread(file->fd, bytes, sizeof(bytes), at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return false;
		if (len == 0)
			return crc == wanted_crc;
		crc = debug_file_crc(crc, bytes, (size_t)len);
		at += len;
	}
}

static bool belongs(const struct elf_file *debug, const struct wanted *wanted)
{
	char build_id[ELF_FILE_BUILD_ID_SIZE];

	if (wanted->build_id[0] != '\0' && elf_file_build_id(debug, build_id))
		return strcmp(build_id, wanted->build_id) == 0;
	return has_crc(debug, wanted->crc);
}

static bool try_path(const struct wanted *wanted, const char *path,
		     struct elf_file *ret_debug)
{
	struct elf_file debug;

	if (elf_file_open(wanted->root_fd, path, &debug, NULL) < 0)
		return false;
	if (elf_file_section(&debug, SHT_SYMTAB, NULL) &&
	    belongs(&debug, wanted)) {
		*ret_debug = debug;
		return true;
	}
	elf_file_close(&debug);
	return false;
}

static bool find_by_build_id(const struct wanted *wanted,
			     struct elf_file *ret_debug)
{
	char path[PATH_MAX];

	if (strlen(wanted->build_id) < 4)
		return false;
	snprintf(path, sizeof(path), DEBUG_ROOT "/.build-id/%.2s/%s.debug",
		 wanted->build_id, wanted->build_id + 2);
	return try_path(wanted, path, ret_debug);
}

static bool find_by_link(const struct wanted *wanted, const char *path,
			 const char *link, struct elf_file *ret_debug)
{
	/* DIRECTORY/link, DIRECTORY/.debug/link, DEBUG_ROOT/DIRECTORY/link */
	static const char *const before[] = { "", "", DEBUG_ROOT };
	static const char *const after[] = { "", "/.debug", "" };
	const char *slash = strrchr(path, '/');
	char candidate[2 * PATH_MAX];

	/* A link is a file name; one that is a path wants to lead elsewhere. */
	if (!slash || strchr(link, '/') || slash - path >= PATH_MAX)
		return false;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		int len = snprintf(candidate, sizeof(candidate), "%s%.*s%s/%s",
				   before[i], (int)(slash - path), path,
				   after[i], link);

		if (len > 0 && (size_t)len < sizeof(candidate) &&
		    try_path(wanted, candidate, ret_debug))
			return true;
	}
	return false;
}

bool debug_file_find(const struct elf_file *file, int root_fd, const char *path,
		     struct elf_file *ret_debug)
{
	struct wanted wanted = { .root_fd = root_fd };
	const char *link;
	GElf_Word crc;

	if (!elf_file_build_id(file, wanted.build_id))
		wanted.build_id[0] = '\0';
	if (find_by_build_id(&wanted, ret_debug))
		return true;
	link = dwelf_elf_gnu_debuglink(file->elf, &crc);
	if (!link)
		return false;
	wanted.crc = crc;
	return find_by_link(&wanted, path, link, ret_debug);
}
