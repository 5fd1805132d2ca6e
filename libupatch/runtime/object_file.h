/* SPDX-License-Identifier: MIT */
/*
 * The file that a library was loaded from, or what was split off it.  Whatever
 * is in it, truncated or made up, ends in "not there", never in a crash: it is
 * read, not mapped, as a file that is cut short meanwhile would be a SIGBUS.
 */
#ifndef UPATCH_RUNTIME_OBJECT_FILE_H
#define UPATCH_RUNTIME_OBJECT_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object_image.h"

struct object_file {
	int fd;
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Shdr *sections;
	size_t section_count;
};

/* False: it is no ELF file of this machine, or out of memory. */
bool object_file_open(const char *path, struct object_file *ret_file);
void object_file_close(struct object_file *file);

/* The first section of a type (SHT_…); NULL: none. */
const Elf64_Shdr *object_file_section(const struct object_file *file,
				      uint32_t type);
/* The section that another one's sh_link names; NULL: there is none. */
const Elf64_Shdr *object_file_linked(const struct object_file *file,
				     const Elf64_Shdr *section);
/*
 * What is in [offset, offset + len), to be released with free; NULL: it is
 * empty or not all there, or out of memory.
 */
void *object_file_read(const struct object_file *file, uint64_t offset,
		       uint64_t len);

/* The build id in hexadecimal; false: it has none. */
bool object_file_build_id(const struct object_file *file,
			  char ret_build_id[OBJECT_BUILD_ID_SIZE]);

#endif
