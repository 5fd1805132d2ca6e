/* SPDX-License-Identifier: MIT */
/* The file that a module of the target was loaded from. */
#include "module_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tasks.h"

/* The target, as far as it concerns one file. */
struct origin {
	const struct module *module;
	const struct memory *memory;
	/* a mapping of the file */
	const struct map *map;
	int root_fd;
};

const struct map *module_file_map(const struct module *module,
				  const struct maps *maps)
{
	const struct map *map = maps_find(maps, module->phdr);

	if (module->phdr_count > 0 && map && map->inode != 0)
		return map;
	for (size_t i = 0; i < maps->count; i++) {
		map = &maps->maps[i];
		if (map->inode != 0 && map->start >= module->start &&
		    map->end <= module->end)
			return map;
	}
	return NULL;
}

/* The program headers in memory are those of the file, byte for byte. */
static bool has_same_headers(const struct elf_file *file,
			     const struct origin *origin)
{
	const struct module *module = origin->module;
	GElf_Phdr in_memory;
	GElf_Phdr in_file;

	if (module->phdr_count == 0)
		return false;
	for (size_t i = 0; i < module->phdr_count; i++) {
		upatch_addr_t addr = module->phdr + i * sizeof(in_memory);

		if (memory_read_some(origin->memory, addr, &in_memory,
				     sizeof(in_memory)) != sizeof(in_memory) ||
		    !elf_file_header(file, i, &in_file) ||
		    memcmp(&in_memory, &in_file, sizeof(in_file)) != 0)
			return false;
	}
	return !elf_file_header(file, module->phdr_count, &in_file);
}

/*
 * `is_mapped`: the kernel itself says that this is the mapped file.  stat(2)
 * and maps can disagree on a device (overlayfs, btrfs).
 */
static bool is_same(const struct elf_file *file, const struct origin *origin,
		    bool is_mapped)
{
	char build_id[ELF_FILE_BUILD_ID_SIZE];
	bool has_build_id = elf_file_build_id(file, build_id);
	struct stat st;

	if (has_build_id != (origin->module->build_id != NULL))
		return false;
	if (has_build_id)
		return strcmp(build_id, origin->module->build_id) == 0;
	if (!is_mapped &&
	    (fstat(file->fd, &st) < 0 || st.st_dev != origin->map->dev ||
	     st.st_ino != origin->map->inode))
		return false;
	return has_same_headers(file, origin);
}

static bool try_path(const struct origin *origin, int root_fd, const char *path,
		     bool is_mapped, struct elf_file *ret_file)
{
	struct elf_file file;

	if (elf_file_open(root_fd, path, &file, NULL) < 0)
		return false;
	if (is_same(&file, origin, is_mapped)) {
		*ret_file = file;
		return true;
	}
	elf_file_close(&file);
	return false;
}

/*
 * The kernel's own links come first: they lead to the file even if it was
 * deleted, renamed or lies below another mount.  /proc/PID/map_files needs
 * CAP_CHECKPOINT_RESTORE (proc(5)); the path is for everybody else.
 */
static bool find_file(const struct origin *origin, struct elf_file *ret_file)
{
	const struct map *map = origin->map;
	pid_t pid = tasks_first_living(origin->memory->pid);
	char link[96];

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 pid, map->start, map->end);
	if (try_path(origin, ELF_FILE_OWN_ROOT, link, true, ret_file))
		return true;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (origin->module->is_main &&
	    try_path(origin, ELF_FILE_OWN_ROOT, link, false, ret_file))
		return true;
	if (map->path[0] != '/')
		return false;
	if (origin->root_fd >= 0 &&
	    try_path(origin, origin->root_fd, map->path, false, ret_file))
		return true;
	return try_path(origin, ELF_FILE_OWN_ROOT, map->path, false, ret_file);
}

bool module_file_open(const struct module *module, const struct maps *maps,
		      const struct memory *memory, struct module_file *ret_file)
{
	struct origin origin = { module, memory, module_file_map(module, maps),
				 -1 };
	struct module_file file = { 0 };

	if (!origin.map)
		return false;
	file.path = strdup(origin.map->path);
	if (!file.path)
		return false;
	origin.root_fd = tasks_open(memory->pid, "root",
				    O_PATH | O_DIRECTORY | O_CLOEXEC);
	file.root_fd = origin.root_fd;
	if (find_file(&origin, &file.file)) {
		*ret_file = file;
		return true;
	}
	free(file.path);
	if (origin.root_fd >= 0)
		close(origin.root_fd);
	return false;
}

void module_file_close(struct module_file *file)
{
	elf_file_close(&file->file);
	free(file->path);
	if (file->root_fd >= 0)
		close(file->root_fd);
	file->root_fd = -1;
}
