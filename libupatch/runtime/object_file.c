/* SPDX-License-Identifier: MIT */
/* The file that a library was loaded from, or what was split off it. */
#include "object_file.h"

#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../arch/arch_elf.h"

/* No part of a file is read if it is longer. */
#define MAX_LEN (1ULL << 30)
/* A FIFO or a terminal must not make the reader wait, or become its own. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static bool read_at(int fd, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, (char *)buf + done, len - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

void *object_file_read(const struct object_file *file, uint64_t offset,
		       uint64_t len)
{
	void *bytes;

	if (len == 0 || len > MAX_LEN || len > file->size ||
	    offset > file->size - len)
		return NULL;
	bytes = malloc(len);
	if (bytes && !read_at(file->fd, offset, bytes, len)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static bool read_header(struct object_file *file)
{
	const Elf64_Ehdr *header = &file->header;
	struct stat st;

	if (descriptor_stat(file->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	file->size = (uint64_t)st.st_size;
	return read_at(file->fd, 0, &file->header, sizeof(file->header)) &&
	       memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == arch_elf_byte_order() &&
	       header->e_machine == arch_elf_machine() &&
	       header->e_type == ET_DYN;
}

/* A file without section headers is not an error. */
static void read_sections(struct object_file *file)
{
	const Elf64_Ehdr *header = &file->header;

	if (header->e_shoff == 0 || header->e_shentsize != sizeof(Elf64_Shdr))
		return;
	file->sections = object_file_read(file, header->e_shoff,
					  header->e_shnum * sizeof(Elf64_Shdr));
	if (file->sections)
		file->section_count = header->e_shnum;
}

bool object_file_open(const char *path, struct object_file *ret_file)
{
	struct object_file file = { .fd = open(path, OPEN_FLAGS) };

	if (file.fd < 0)
		return false;
	if (!read_header(&file)) {
		close(file.fd);
		return false;
	}
	read_sections(&file);
	*ret_file = file;
	return true;
}

void object_file_close(struct object_file *file)
{
	free(file->sections);
	file->sections = NULL;
	close(file->fd);
	file->fd = -1;
}

const Elf64_Shdr *object_file_section(const struct object_file *file,
				      uint32_t type)
{
	for (size_t i = 0; i < file->section_count; i++) {
		if (file->sections[i].sh_type == type)
			return &file->sections[i];
	}
	return NULL;
}

const Elf64_Shdr *object_file_linked(const struct object_file *file,
				     const Elf64_Shdr *section)
{
	return section->sh_link < file->section_count
		       ? &file->sections[section->sh_link]
		       : NULL;
}

static bool read_build_id(const struct object_file *file, uint64_t offset,
			  uint64_t len, size_t alignment,
			  char ret_build_id[OBJECT_BUILD_ID_SIZE])
{
	uint8_t *notes = object_file_read(file, offset, len);
	bool found = notes &&
		     object_build_id_in(notes, len, alignment, ret_build_id);

	free(notes);
	return found;
}

/* Segments of a debug file are not in it, so that sections come first. */
bool object_file_build_id(const struct object_file *file,
			  char ret_build_id[OBJECT_BUILD_ID_SIZE])
{
	const Elf64_Ehdr *header = &file->header;
	Elf64_Phdr *headers;
	bool found = false;

	for (size_t i = 0; i < file->section_count; i++) {
		const Elf64_Shdr *section = &file->sections[i];

		if (section->sh_type == SHT_NOTE &&
		    read_build_id(file, section->sh_offset, section->sh_size,
				  section->sh_addralign, ret_build_id))
			return true;
	}
	if (header->e_phentsize != sizeof(*headers))
		return false;
	headers = object_file_read(file, header->e_phoff,
				   header->e_phnum * sizeof(*headers));
	for (size_t i = 0; headers && !found && i < header->e_phnum; i++)
		found = headers[i].p_type == PT_NOTE &&
			read_build_id(file, headers[i].p_offset,
				      headers[i].p_filesz, headers[i].p_align,
				      ret_build_id);
	free(headers);
	return found;
}
