/* SPDX-License-Identifier: MIT */
/* Which loader runs in the target, and where it keeps its list. */
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dynamic.h"
#include "tasks.h"

int loader_report_gone(const struct memory *memory, struct upatch_error *err)
{
	return error_set(
		err, UPATCH_ERROR_NO_TARGET, 0,
		"process %d has ended, or executes another program now",
		memory->pid);
}

/* Up to `max` entries of /proc/PID/auxv; returns how many. */
static size_t read_auxv(pid_t pid, Elf64_auxv_t *auxv, size_t max)
{
	ssize_t len = -1;
	int fd = tasks_open(pid, "auxv", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	do {
		len = read(fd, auxv, max * sizeof(*auxv));
	} while (len < 0 && errno == EINTR);
	close(fd);
	return len < 0 ? 0 : (size_t)len / sizeof(*auxv);
}

/* Where the kernel says that things are; 0: it does not say. */
struct start {
	upatch_addr_t phdr;
	size_t phdr_count;
	/* the loader; 0: the executable was started alone */
	upatch_addr_t base;
};

static struct start read_start(pid_t pid)
{
	struct start start = { 0 };
	Elf64_auxv_t auxv[64];
	size_t count = read_auxv(pid, auxv, 64);

	for (size_t i = 0; i < count; i++) {
		uint64_t value = auxv[i].a_un.a_val;

		if (auxv[i].a_type == AT_PHDR)
			start.phdr = value;
		if (auxv[i].a_type == AT_PHNUM)
			start.phdr_count = value;
		if (auxv[i].a_type == AT_BASE)
			start.base = value;
	}
	return start;
}

upatch_addr_t loader_find_headers(pid_t pid)
{
	return read_start(pid).phdr;
}

/* The loader as a module; to be released in any case. */
static bool describe(const struct memory *memory,
		     const struct module_image *exe, upatch_addr_t base,
		     struct module *module)
{
	struct module_image image;
	bool described;

	if (base == 0)
		return module_image_describe(memory, exe, module);
	if (!module_image_read_elf(memory, base, &image))
		return false;
	described = module_image_describe(memory, &image, module);
	module_image_free(&image);
	return described;
}

static bool is_glibc(const struct module *module)
{
	return module->soname &&
	       strncmp(module->soname, "ld-linux", strlen("ld-linux")) == 0;
}

static int refuse(const struct memory *memory, const struct module_image *exe,
		  struct upatch_error *err)
{
	const Elf64_Phdr *header = module_image_header(exe, PT_INTERP);
	char path[PATH_MAX];

	if (!header)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d has no dynamic loader (statically linked)",
			memory->pid);
	if (memory_read_string(memory, module_image_addr(exe, header), path,
			       sizeof(path), NULL) < 0)
		return loader_report_gone(memory, err);
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d uses the dynamic loader '%s'; only glibc's is supported",
		memory->pid, path);
}

/* What DT_DEBUG of the executable says; 0: nothing. */
static upatch_addr_t read_dt_debug(const struct memory *memory,
				   const struct module_image *exe)
{
	const Elf64_Phdr *header = module_image_header(exe, PT_DYNAMIC);
	struct dynamic_place place = { 0 };
	struct dynamic dynamic;

	if (!header)
		return 0;
	place.dynamic = module_image_addr(exe, header);
	return dynamic_read(memory, &place, &dynamic) ? dynamic.debug : 0;
}

/*
 * DT_DEBUG is right where it is set: a symbol _r_debug can be a stale copy in
 * the executable.  But a linker can leave DT_DEBUG out or make it read-only,
 * and in `ld.so PROGRAM` it cannot be seen from here; the loader's own symbol
 * is right then.
 */
static upatch_addr_t find_r_debug(const struct memory *memory,
				  const struct module_image *exe,
				  const struct module *module)
{
	struct dynamic_place place = { module->dynamic, module->bias,
				       module->start, module->end };
	upatch_addr_t r_debug = read_dt_debug(memory, exe);

	if (r_debug != 0)
		return r_debug;
	return dynamic_find_symbol(memory, &place, "_r_debug");
}

int loader_find(const struct memory *memory, struct loader *ret_loader,
		struct upatch_error *err)
{
	struct start start = read_start(memory->pid);
	struct module module = { 0 };
	struct loader loader = { 0 };
	int ret = 0;

	errno = 0;
	if (!module_image_read(memory, start.phdr, start.phdr_count,
			       &loader.exe))
		return errno == ENOMEM
			       ? error_set(
					 err, UPATCH_ERROR_NO_MEMORY, errno,
					 "cannot read the executable of process %d",
					 memory->pid)
			       : loader_report_gone(memory, err);
	errno = 0;
	if (!describe(memory, &loader.exe, start.base, &module) && errno)
		ret = error_set(err, error_code_of_errno(errno), errno,
				"cannot read the dynamic loader of process %d",
				memory->pid);
	else if (is_glibc(&module))
		loader.r_debug = find_r_debug(memory, &loader.exe, &module);
	module_image_fini_module(&module);
	if (!ret && loader.r_debug == 0)
		ret = refuse(memory, &loader.exe, err);
	if (ret < 0)
		loader_free(&loader);
	else
		*ret_loader = loader;
	return ret;
}

void loader_free(struct loader *loader)
{
	module_image_free(&loader->exe);
}

bool loader_is_alive(const struct memory *memory, const struct loader *loader)
{
	uint32_t probe;

	/* The memory of a process that has ended reads as empty. */
	return memory_read_some(memory, loader->exe.addr, &probe,
				sizeof(probe)) == sizeof(probe);
}
