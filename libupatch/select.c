/* SPDX-License-Identifier: MIT */
/* upatch_select: the processes that a selector means. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_file.h"
#include "kernel_file.h"
#include "maps.h"
#include "selector.h"
#include "tasks.h"

/* A kernel thread (include/linux/sched.h). */
#define PF_KTHREAD 0x00200000UL

/* One library file, looked at once in a search. */
struct known_file {
	dev_t dev;
	ino_t inode;
	bool fits;
};

struct search {
	struct selector selector;
	struct known_file *files;
	size_t file_count;
	struct upatch_process *processes;
	size_t count, capacity;
	bool is_out_of_memory;
};

/* Fields of proc(5). */
struct stat_fields {
	char state;
	unsigned long flags;
	uint64_t started, code, stack;
};

/* `number`: of a process, or of any thread. */
static bool read_stat(pid_t number, struct stat_fields *ret_stat)
{
	struct stat_fields stat = { 0 };
	const char *fields;
	char text[1024];

	if (!kernel_file_read(text, sizeof(text), "/proc/%d/stat", number))
		return false;
	fields = strrchr(text, ')');
	if (!fields ||
	    sscanf(fields + 1,
		   " %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
		   " %*u %*d %*u %" SCNu64 " %*u %" SCNu64,
		   &stat.state, &stat.flags, &stat.started, &stat.code,
		   &stat.stack) < 3)
		return false;
	*ret_stat = stat;
	return true;
}

/*
 * The stack and the code lie elsewhere after execve(2); zero where we may not
 * look (proc(5), fields 26 and 28).  A main thread that has ended shows none,
 * but has the time at which the process began.
 */
static bool read_identity(pid_t pid, struct upatch_process *ret_process)
{
	pid_t living = tasks_first_living(pid);
	struct stat_fields process, thread;

	if (!read_stat(pid, &process) || !read_stat(living, &thread) ||
	    tasks_has_ended(thread.state) || (thread.flags & PF_KTHREAD))
		return false;
	*ret_process = (struct upatch_process){
		.pid = pid,
		.started = process.started,
		.image = thread.code ^ (thread.stack << 1),
	};
	return true;
}

/* --- Libraries -------------------------------------------------------- */

static bool has_soname(const struct elf_file *file, const char *soname)
{
	Elf_Scn *section = elf_file_section(file, SHT_DYNAMIC, NULL);
	Elf_Data *entries = section ? elf_getdata(section, NULL) : NULL;
	GElf_Shdr header;
	GElf_Dyn entry;

	if (!entries || !gelf_getshdr(section, &header))
		return false;
	for (int i = 0; gelf_getdyn(entries, i, &entry); i++) {
		const char *name;

		if (entry.d_tag != DT_SONAME)
			continue;
		name = elf_strptr(file->elf, header.sh_link,
				  (size_t)entry.d_un.d_val);
		return name && !strcmp(name, soname);
	}
	return false;
}

/* By the kernel's link, which needs a capability, or by the path. */
static bool open_mapped(pid_t pid, const struct map *map,
			struct elf_file *ret_file)
{
	const pid_t number = tasks_first_living(pid);
	char path[96];
	bool is_open;
	int root_fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 number, map->start, map->end);
	if (!elf_file_open(ELF_FILE_OWN_ROOT, path, ret_file, NULL))
		return true;
	root_fd = tasks_open(pid, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return false;
	is_open = !elf_file_open(root_fd, map->path, ret_file, NULL);
	close(root_fd);
	return is_open;
}

static bool file_fits(struct search *search, pid_t pid, const struct map *map)
{
	struct known_file known = { .dev = map->dev, .inode = map->inode };
	struct known_file *files;
	struct elf_file file;

	for (size_t i = 0; i < search->file_count; i++) {
		if (search->files[i].dev == map->dev &&
		    search->files[i].inode == map->inode)
			return search->files[i].fits;
	}
	if (!open_mapped(pid, map, &file))
		return false;
	known.fits = has_soname(&file, search->selector.value);
	elf_file_close(&file);
	files = reallocarray(search->files, search->file_count + 1,
			     sizeof(*files));
	if (files) {
		search->files = files;
		files[search->file_count++] = known;
	}
	return known.fits;
}

/* A library that is loaded has code; a file that is only read has not. */
static bool has_library(struct search *search, pid_t pid)
{
	bool fits = false;
	struct maps maps;

	if (maps_read(pid, &maps, NULL))
		return false;
	for (size_t i = 0; i < maps.count && !fits; i++) {
		const struct map *map = &maps.maps[i];
		enum selector_fit fit;

		if (!map->executable || map->inode == 0)
			continue;
		fit = selector_fits_lib(&search->selector, map->path);
		fits = fit == SELECTOR_FITS || (fit == SELECTOR_FITS_PERHAPS &&
						file_fits(search, pid, map));
	}
	maps_free(&maps);
	return fits;
}

/* --- Processes -------------------------------------------------------- */

/* Also under another name, by a hard link or a bind mount. */
static bool has_exe(const struct search *search, pid_t pid)
{
	struct stat ours, theirs;
	char link[64], exe[PATH_MAX];

	if (tasks_readlink(pid, "exe", exe, sizeof(exe)) < 0)
		return false;
	if (selector_fits_exe(&search->selector, exe))
		return true;
	tasks_path(pid, "exe", link, sizeof(link));
	return search->selector.real_path &&
	       !stat(search->selector.real_path, &ours) &&
	       !stat(link, &theirs) && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static bool is_meant(struct search *search, pid_t pid)
{
	char text[8192];

	switch (search->selector.kind) {
	case SELECTOR_EXE:
		return has_exe(search, pid);
	case SELECTOR_LIB:
		return has_library(search, pid);
	case SELECTOR_COMM:
		return kernel_file_read(text, sizeof(text), "/proc/%d/comm",
					pid) &&
		       selector_fits_comm(&search->selector, text);
	case SELECTOR_CGROUP:
	case SELECTOR_UNIT:
	default:
		return kernel_file_read(text, sizeof(text), "/proc/%d/cgroup",
					tasks_first_living(pid)) &&
		       selector_fits_cgroup(&search->selector, text);
	}
}

static void add_process(struct search *search,
			const struct upatch_process *process)
{
	if (search->count == search->capacity) {
		size_t capacity = search->capacity ? 2 * search->capacity : 64;
		struct upatch_process *grown =
			reallocarray(search->processes, capacity,
				     sizeof(*grown));

		search->is_out_of_memory |= !grown;
		if (!grown)
			return;
		search->processes = grown;
		search->capacity = capacity;
	}
	search->processes[search->count++] = *process;
}

static int scan(struct search *search, struct upatch_error *err)
{
	struct upatch_process process;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot read '/proc'");
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && is_meant(search, pid) &&
		    read_identity(pid, &process))
			add_process(search, &process);
	}
	closedir(proc);
	if (search->is_out_of_memory)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot list processes: out of memory");
	return 0;
}

int upatch_select(const char *selector, struct upatch_process **ret_processes,
		  size_t *ret_count, struct upatch_error *err)
{
	struct search search = { 0 };
	int ret = selector_parse(selector, &search.selector, err);

	if (ret)
		return ret;
	ret = scan(&search, err);
	selector_fini(&search.selector);
	free(search.files);
	if (ret) {
		free(search.processes);
		return ret;
	}
	*ret_processes = search.processes;
	*ret_count = search.count;
	return 0;
}
