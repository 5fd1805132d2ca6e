/* SPDX-License-Identifier: MIT */
/* The file into which debuginfo and symbols of an ELF file were split off. */
#ifndef UPATCH_DEBUG_FILE_H
#define UPATCH_DEBUG_FILE_H

#include "elf_file.h"

/*
 * Looks, below `root_fd` (see elf_file_open), where gdb looks: by build id
 * under /usr/lib/debug, by .gnu_debuglink in the directory of `path`, in its
 * .debug, and under /usr/lib/debug.  No server is asked.  A file is taken only
 * if its build id or, without one, its checksum is right.  False: there is
 * none.
 */
bool debug_file_find(const struct elf_file *file, int root_fd, const char *path,
		     struct elf_file *ret_debug);

/* The checksum of .gnu_debuglink: CRC-32; `crc` is 0 at the beginning. */
uint32_t debug_file_crc(uint32_t crc, const uint8_t *bytes, size_t len);

#endif
