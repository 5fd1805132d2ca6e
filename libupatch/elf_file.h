/* SPDX-License-Identifier: MIT */
/*
 * An ELF file of this machine, opened for reading.  Whatever is in it,
 * truncated or made up, ends in "not there", never in a crash.
 */
#ifndef UPATCH_ELF_FILE_H
#define UPATCH_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "error.h"

/* Hexadecimal digits of the longest build id, and a NUL. */
#define ELF_FILE_BUILD_ID_SIZE 129

struct elf_file {
	int fd;
	Elf *elf;
};

/* The files of the reader itself, not those that a target sees. */
#define ELF_FILE_OWN_ROOT (-1)

/*
 * Opens `path` as it reads below `root_fd`, a directory: links and ".." do not
 * lead out of there.  ELF_FILE_OWN_ROOT: an ordinary path.  Never blocks and
 * accepts regular files only.
 */
UPATCH_MUST_CHECK int elf_file_open(int root_fd, const char *path,
				    struct elf_file *ret_file,
				    struct upatch_error *err);
void elf_file_close(struct elf_file *file);

/* The build id in hexadecimal; false: it has none. */
bool elf_file_build_id(const struct elf_file *file,
		       char ret_build_id[ELF_FILE_BUILD_ID_SIZE]);

/* The first section of a type (SHT_…), or with a name; NULL: none. */
Elf_Scn *elf_file_section(const struct elf_file *file, uint32_t type,
			  const char *name);

/* Program header `index`; false: there is none. */
bool elf_file_header(const struct elf_file *file, size_t index,
		     GElf_Phdr *ret_header);

#endif
