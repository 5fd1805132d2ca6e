/* SPDX-License-Identifier: MIT */
/* Opening a patch file, and what callers of the library see of it. */
#include "patch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Since Linux 6.3; earlier kernels refuse it with EINVAL. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* memfd_create(2): 249 bytes, without the "memfd:" it puts before them. */
#define MEMFD_NAME_MAX 249
#define COPY_LEN       65536

struct upatch_patch_file {
	char *path;
	struct stat stat;
	struct trail trail;
	int memfd;
	/* The memfd's bytes. */
	void *bytes;
	size_t len;
	struct patch_model *model;
	struct upatch_info info;
	struct upatch_info_object *info_objects;
	struct upatch_info_state *info_states;
};

/* --- The file ----------------------------------------------------------- */

/* A path that leads nowhere is the patch's fault, not the system's. */
static enum upatch_error_code code_of_open(int saved_errno)
{
	switch (saved_errno) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return UPATCH_ERROR_BAD_PATCH;
	default:
		return error_code_of_errno(saved_errno);
	}
}

static int open_file(const char *path, int *ret_fd, struct upatch_error *err)
{
	/* O_NONBLOCK: a FIFO must not keep us waiting for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_set(err, code_of_open(errno), errno,
				 "cannot open patch file '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int check_file(int fd, struct stat *ret_stat, struct upatch_error *err)
{
	struct stat stat;

	if (fstat(fd, &stat))
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot stat it");
	*ret_stat = stat;
	if (!S_ISREG(stat.st_mode))
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is not a regular file");
	if ((uint64_t)stat.st_size > PATCH_ELF_SIZE_MAX)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it is larger than %lu MiB",
				 PATCH_ELF_SIZE_MAX >> 20);
	return 0;
}

/*
 * MFD_EXEC says that the code is meant to be run, which vm.memfd_noexec asks
 * for; at its strictest it forbids the flag.  Mapping the file executable,
 * which is all that dlopen does, works with and without.
 */
static int create_memfd(struct upatch_patch_file *file,
			struct upatch_error *err)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const char *slash = strrchr(file->path, '/');
	char *name = strndup(slash ? slash + 1 : file->path, MEMFD_NAME_MAX);

	if (!name)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for its name");
	file->memfd = memfd_create(name, flags | MFD_EXEC);
	if (file->memfd < 0 && (errno == EINVAL || errno == EACCES))
		file->memfd = memfd_create(name, flags);
	free(name);
	if (file->memfd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot create a memfd for it");
	return 0;
}

static int write_all(int fd, const uint8_t *buf, size_t len,
		     struct upatch_error *err)
{
	while (len) {
		ssize_t count = write(fd, buf, len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set(err, error_code_of_errno(errno), errno,
					 "cannot copy it to memory");
		buf += count;
		len -= (size_t)count;
	}
	return 0;
}

static int copy_file(struct upatch_patch_file *file, int fd,
		     struct upatch_error *err)
{
	uint8_t *buf = malloc(COPY_LEN);
	ssize_t count;
	int code = 0;

	if (!buf)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory to copy it");
	while (code == 0 && (count = read(fd, buf, COPY_LEN)) != 0) {
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			code = error_set(err, error_code_of_errno(errno), errno,
					 "cannot read it");
			break;
		}
		file->len += (size_t)count;
		/* It may grow while it is read. */
		if (file->len > PATCH_ELF_SIZE_MAX)
			code = error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
					 "it is larger than %lu MiB",
					 PATCH_ELF_SIZE_MAX >> 20);
		else
			code = write_all(file->memfd, buf, (size_t)count, err);
	}
	free(buf);
	return code;
}

/*
 * Somebody who writes to it while it is read can make us see bytes that were
 * never together in the file.  The kernel may set the times of a file only
 * once per tick (multigrain timestamps aside), so the length counts as well.
 */
static int check_unchanged(const struct upatch_patch_file *file, int fd,
			   struct upatch_error *err)
{
	const struct stat *before = &file->stat;
	struct stat after;
	bool is_same;

	if (fstat(fd, &after))
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot stat it");
	is_same = after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
		  after.st_mtim.tv_nsec == before->st_mtim.tv_nsec &&
		  after.st_size == before->st_size &&
		  (uint64_t)after.st_size == file->len;
	if (!is_same)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0,
				 "it was changed while it was read");
	return 0;
}

/* From here on nobody, we included, can change what was read. */
static int seal_and_map(struct upatch_patch_file *file,
			struct upatch_error *err)
{
	const int seals =
		F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (file->len == 0)
		return error_set(err, UPATCH_ERROR_BAD_PATCH, 0, "it is empty");
	if (fcntl(file->memfd, F_ADD_SEALS, seals))
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot seal its memfd");
	file->bytes =
		mmap(NULL, file->len, PROT_READ, MAP_PRIVATE, file->memfd, 0);
	if (file->bytes == MAP_FAILED) {
		file->bytes = NULL;
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot map its memfd");
	}
	return 0;
}

/* --- What callers see --------------------------------------------------- */

static int describe_funcs(const struct patch_object *object,
			  struct upatch_info_object *info)
{
	struct upatch_info_func *funcs =
		calloc(object->func_count + 1, sizeof(*funcs));

	if (!funcs)
		return -1;
	for (size_t i = 0; i < object->func_count; i++) {
		const struct patch_func *func = &object->funcs[i];

		funcs[i].old_name = func->old_name;
		funcs[i].sympos = func->sympos;
		funcs[i].new_name = func->function.name;
		funcs[i].immediate = func->immediate;
		funcs[i].has_orig_func = func->orig_func != 0;
	}
	info->funcs = funcs;
	info->func_count = object->func_count;
	return 0;
}

static int describe_symbols(const struct patch_object *object,
			    struct upatch_info_object *info)
{
	struct upatch_info_symbol *symbols =
		calloc(object->symbol_count + 1, sizeof(*symbols));

	if (!symbols)
		return -1;
	for (size_t i = 0; i < object->symbol_count; i++) {
		symbols[i].name = object->symbols[i].name;
		symbols[i].sympos = object->symbols[i].sympos;
	}
	info->symbols = symbols;
	info->symbol_count = object->symbol_count;
	return 0;
}

static int describe_object(const struct patch_object *object,
			   struct upatch_info_object *info)
{
	info->name = object->name;
	info->build_id = object->build_id;
	info->has_pre_patch = object->callbacks[PATCH_PRE_PATCH] != 0;
	info->has_post_patch = object->callbacks[PATCH_POST_PATCH] != 0;
	info->has_pre_unpatch = object->callbacks[PATCH_PRE_UNPATCH] != 0;
	info->has_post_unpatch = object->callbacks[PATCH_POST_UNPATCH] != 0;
	if (describe_funcs(object, info))
		return -1;
	return describe_symbols(object, info);
}

static void describe_patch(struct upatch_patch_file *file)
{
	const struct patch_model *model = file->model;
	struct upatch_info *info = &file->info;

	info->path = file->path;
	info->name = model->name;
	info->description = model->description;
	info->build_id = model->elf.build_id;
	info->interface_version = model->interface_version;
	info->replace = model->replace;
	info->immediate = model->immediate;
	info->objects = file->info_objects;
	info->object_count = model->object_count;
	info->states = file->info_states;
	info->state_count = model->state_count;
}

static int describe(struct upatch_patch_file *file, struct upatch_error *err)
{
	const struct patch_model *model = file->model;
	bool failed;

	file->info_objects =
		calloc(model->object_count, sizeof(*file->info_objects));
	file->info_states =
		calloc(model->state_count + 1, sizeof(*file->info_states));
	failed = !file->info_objects || !file->info_states;
	for (size_t i = 0; !failed && i < model->object_count; i++)
		failed = describe_object(&model->objects[i],
					 &file->info_objects[i]);
	if (failed)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory to describe it");
	for (size_t i = 0; i < model->state_count; i++) {
		file->info_states[i].id = model->states[i].id;
		file->info_states[i].version = model->states[i].version;
	}
	describe_patch(file);
	return 0;
}

/* --- Public ------------------------------------------------------------- */

static int read_file(struct upatch_patch_file *file, int fd,
		     struct upatch_error *err)
{
	int code = check_file(fd, &file->stat, err);

	if (code == 0)
		code = create_memfd(file, err);
	if (code == 0)
		code = copy_file(file, fd, err);
	if (code == 0)
		code = check_unchanged(file, fd, err);
	if (code == 0)
		code = seal_and_map(file, err);
	if (code == 0)
		code = patch_model_parse(file->bytes, file->len, &file->model,
					 err);
	if (code == 0)
		code = describe(file, err);
	return code;
}

static struct upatch_patch_file *allocate_file(const char *path)
{
	struct upatch_patch_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->memfd = -1;
	file->path = realpath(path, NULL);
	if (!file->path)
		file->path = strdup(path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	return file;
}

int upatch_patch_file_open(const char *path,
			   struct upatch_patch_file **ret_file,
			   struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int fd = -1, code;

	if (!path || !ret_file)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no path of a patch file was given");
	code = open_file(path, &fd, err);
	if (code)
		return code;
	file = allocate_file(path);
	if (!file) {
		close(fd);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for patch file '%s'", path);
	}
	code = read_file(file, fd, err);
	if (code == 0)
		code = trail_read(path, &file->stat, &file->trail, err);
	close(fd);
	if (code) {
		error_prefix(err, "patch file '%s'", file->path);
		upatch_patch_file_close(file);
		return code;
	}
	*ret_file = file;
	return 0;
}

void upatch_patch_file_close(struct upatch_patch_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; file->info_objects && i < file->model->object_count;
	     i++) {
		free((void *)(uintptr_t)file->info_objects[i].funcs);
		free((void *)(uintptr_t)file->info_objects[i].symbols);
	}
	free(file->info_objects);
	free(file->info_states);
	patch_model_free(file->model);
	if (file->bytes)
		munmap(file->bytes, file->len);
	if (file->memfd >= 0)
		close(file->memfd);
	trail_free(&file->trail);
	free(file->path);
	free(file);
}

const struct upatch_info *
upatch_patch_file_info(const struct upatch_patch_file *file)
{
	return &file->info;
}

int patch_file_memfd(const struct upatch_patch_file *file)
{
	return file->memfd;
}

const void *patch_file_bytes(const struct upatch_patch_file *file,
			     size_t *ret_len)
{
	*ret_len = file->len;
	return file->bytes;
}

const struct stat *patch_file_stat(const struct upatch_patch_file *file)
{
	return &file->stat;
}

const struct trail *patch_file_trail(const struct upatch_patch_file *file)
{
	return &file->trail;
}

const struct patch_model *patch_file_model(const struct upatch_patch_file *file)
{
	return file->model;
}

bool patch_file_code(const struct upatch_patch_file *file, upatch_addr_t addr,
		     const uint8_t **ret_code, size_t *ret_len)
{
	const struct patch_elf *elf = &file->model->elf;
	const struct patch_segment *segment =
		patch_elf_find_segment(elf, addr, 1);
	upatch_addr_t end;

	if (!segment || !(segment->flags & PF_X))
		return false;
	end = segment->range.start + segment->file_len;
	if (addr >= end)
		return false;
	*ret_code = patch_elf_find(elf, addr, end - addr);
	*ret_len = end - addr;
	return true;
}
