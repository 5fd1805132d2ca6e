/* SPDX-License-Identifier: MIT */
/* An ELF file of this machine, opened for reading. */
#include "elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch_elf.h"

/* A FIFO or a terminal must not make the reader wait, or become its own. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int open_path(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (root_fd == ELF_FILE_OWN_ROOT)
		return open(path, OPEN_FLAGS);
	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

/* Why the file cannot be used, or NULL. */
static const char *find_fault(Elf *elf)
{
	GElf_Ehdr header;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return "it is not an ELF file";
	if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != arch_elf_byte_order() ||
	    header.e_machine != arch_elf_machine())
		return "it is for another processor";
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return "it is neither an executable nor a shared library";
	return NULL;
}

static int read_file(int fd, const char *path, struct elf_file *ret_file,
		     struct upatch_error *err)
{
	const char *fault;
	struct stat st;
	Elf *elf;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, UPATCH_ERROR_MISMATCH, 0,
				 "cannot read '%s': it is not a regular file",
				 path);
	elf_version(EV_CURRENT);
	/* Not mapped: a file that is cut short meanwhile would be a SIGBUS. */
	elf = elf_begin(fd, ELF_C_READ, NULL);
	fault = elf ? find_fault(elf) : elf_errmsg(-1);
	if (fault) {
		elf_end(elf);
		return error_set(err, UPATCH_ERROR_MISMATCH, 0,
				 "cannot read '%s': %s", path, fault);
	}
	ret_file->fd = fd;
	ret_file->elf = elf;
	return 0;
}

int elf_file_open(int root_fd, const char *path, struct elf_file *ret_file,
		  struct upatch_error *err)
{
	int fd = open_path(root_fd, path);
	int ret;

	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open '%s'", path);
	ret = read_file(fd, path, ret_file, err);
	if (ret < 0)
		close(fd);
	return ret;
}

void elf_file_close(struct elf_file *file)
{
	elf_end(file->elf);
	close(file->fd);
	file->elf = NULL;
	file->fd = -1;
}

bool elf_file_build_id(const struct elf_file *file,
		       char ret_build_id[ELF_FILE_BUILD_ID_SIZE])
{
	const uint8_t *id;
	const void *bits;
	ssize_t len = dwelf_elf_gnu_build_id(file->elf, &bits);

	if (len <= 0 || len > (ELF_FILE_BUILD_ID_SIZE - 1) / 2)
		return false;
	id = bits;
	for (ssize_t i = 0; i < len; i++)
		snprintf(ret_build_id + 2 * i, 3, "%02x", id[i]);
	return true;
}

Elf_Scn *elf_file_section(const struct elf_file *file, uint32_t type,
			  const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names) < 0)
		return NULL;
	while ((section = elf_nextscn(file->elf, section))) {
		const char *own_name;

		if (!gelf_getshdr(section, &header))
			continue;
		if (!name && header.sh_type == type)
			return section;
		own_name = elf_strptr(file->elf, names, header.sh_name);
		if (name && own_name && header.sh_type == type &&
		    strcmp(own_name, name) == 0)
			return section;
	}
	return NULL;
}

bool elf_file_header(const struct elf_file *file, size_t index,
		     GElf_Phdr *ret_header)
{
	size_t count;

	return elf_getphdrnum(file->elf, &count) == 0 && index < count &&
	       gelf_getphdr(file->elf, (int)index, ret_header);
}
