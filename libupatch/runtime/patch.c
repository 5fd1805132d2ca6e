/* SPDX-License-Identifier: MIT */
/* Loading a patch's shared object and building its model from the descriptor. */
#include "runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* gettid(2) has another where /proc is that of an outer pid namespace. */
static const char *own_number(char *buf, size_t size)
{
	ssize_t len = readlink("/proc/thread-self", buf, size - 1);
	const char *number;

	if (len <= 0)
		return "0";
	buf[len] = '\0';
	number = strrchr(buf, '/');
	return number ? number + 1 : buf;
}

/*
 * The loader recognises a library by its path before it looks at the file, so
 * each load needs a path of its own: the number is written in the redundant
 * parts of the path, "//" for 0 and "/." for 1.  As it is as long for all
 * numbers, the loader can use the memory of the last one again.  It also keeps
 * the path as the library's name, and a debugger opens what it names: in any
 * other process there is no such thread.
 */
static void make_unique_path(char *path, size_t size, int fd, uint32_t seq)
{
	char self[64];
	size_t len = (size_t)snprintf(path, size, "/proc/self/task/%s/fd",
				      own_number(self, sizeof(self)));

	for (int bit = 0; bit < 32; bit++)
		len += (size_t)snprintf(path + len, size - len, "%s",
					seq >> bit & 1 ? "/." : "//");
	snprintf(path + len, size - len, "/%d", fd);
}

static int find_text(struct dl_phdr_info *info, size_t size, void *cookie)
{
	struct rt_patch *patch = cookie;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + phdr->p_vaddr;

		/* The bias alone does not tell: prelinked objects have 0. */
		if (phdr->p_type == PT_LOAD && patch->author >= start &&
		    patch->author < start + phdr->p_memsz)
			patch->bias = info->dlpi_addr;
	}
	if (patch->bias != info->dlpi_addr || patch->text.end)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + phdr->p_vaddr;

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		if (!patch->text.end)
			patch->text.start = start;
		patch->text.end = start + phdr->p_memsz;
	}
	return 1;
}

bool patch_is_listed(const struct rt_patch *patch)
{
	return patch->state == RT_PATCH_INIT ||
	       patch->state == RT_PATCH_PATCHING ||
	       patch->state == RT_PATCH_ENABLED ||
	       patch->state == RT_PATCH_UNPATCHING;
}

bool patch_names_library(const struct rt_patch *patch)
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		if (patch_objects(patch)[i].name)
			return true;
	}
	return false;
}

struct rt_object *patch_objects(const struct rt_patch *patch)
{
	return rt_ptr(patch->objects);
}

struct rt_func *patch_funcs(const struct rt_object *object)
{
	return rt_ptr(object->funcs);
}

static int build_funcs(const struct rt_patch *patch,
		       const struct upatch_object *author,
		       struct rt_object *object)
{
	const struct upatch_patch *author_patch = rt_ptr(patch->author);
	uint32_t count = 0;
	struct rt_func *funcs;

	while (author->funcs && author->funcs[count].old_name)
		count++;
	funcs = calloc(count ? count : 1, sizeof(*funcs));
	if (!funcs)
		return -ENOMEM;
	object->funcs = rt_addr(funcs);
	object->func_count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct upatch_func *func = &author->funcs[i];

		funcs[i].patch = rt_addr(patch);
		funcs[i].entry = rt_addr(func->new_func);
		/* Until the controller says more. */
		funcs[i].flags = RT_FUNC_SCATTERED;
		if (func->immediate || author_patch->immediate)
			funcs[i].flags |= RT_FUNC_IMMEDIATE;
	}
	return 0;
}

static int build_objects(struct rt_patch *patch)
{
	const struct upatch_patch *author = rt_ptr(patch->author);
	struct rt_object *objects;
	uint32_t count = 0;

	while (!author->objs[count].name || author->objs[count].name[0])
		count++;
	objects = calloc(count, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	patch->objects = rt_addr(objects);
	patch->object_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct upatch_object *obj = &author->objs[i];
		int ret;

		objects[i].name = rt_addr(obj->name);
		objects[i].author = rt_addr(obj);
		obj->priv = (struct upatch_object_private *)&objects[i];
		while (obj->symbols &&
		       obj->symbols[objects[i].symbol_count].name)
			objects[i].symbol_count++;
		ret = build_funcs(patch, obj, &objects[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static void free_funcs(struct rt_object *object)
{
	struct rt_func *funcs = patch_funcs(object);

	for (uint32_t i = 0; i < object->func_count; i++)
		site_free_parts(funcs[i].parts, funcs[i].part_count);
	/* As in place_free: a patch may be loaded where this one was. */
	if (funcs)
		explicit_bzero(funcs, object->func_count * sizeof(*funcs));
	free(funcs);
}

static void free_model(struct rt_patch *patch)
{
	struct rt_object *objects = patch_objects(patch);

	for (uint32_t i = 0; objects && i < patch->object_count; i++)
		free_funcs(&objects[i]);
	free(objects);
	free(rt_ptr(patch->file));
	free(patch);
}

static int build_model(struct rt_patch *patch, const char *file)
{
	const struct upatch_patch *author = rt_ptr(patch->author);

	patch->file = rt_addr(strdup(file));
	if (!patch->file)
		return -ENOMEM;
	snprintf(patch->name, sizeof(patch->name), "%s", author->name);
	patch->state = RT_PATCH_LOADED;
	if (author->replace)
		patch->flags |= RT_PATCH_REPLACE;
	patch->bias = UINT64_MAX;
	dl_iterate_phdr(find_text, patch);
	return build_objects(patch);
}

/* What the loader says, with the path that the operator knows. */
static void explain(const char *path, const char *file, char *text, size_t size)
{
	const char *reason = dlerror();
	size_t len = strlen(path);

	if (!reason)
		reason = "the loader gives no reason";
	if (!strncmp(reason, path, len))
		snprintf(text, size, "'%s'%s", file, reason + len);
	else
		snprintf(text, size, "'%s': %s", file, reason);
}

int patch_load(int fd, const char *file, uint32_t seq,
	       struct rt_patch **ret_patch, char *text, size_t text_size)
{
	const struct upatch_descriptor *descriptor;
	struct rt_patch *patch;
	char path[256];
	void *handle;
	int ret;

	make_unique_path(path, sizeof(path), fd, seq);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		explain(path, file, text, text_size);
		return -ENOEXEC;
	}
	descriptor = dlsym(handle, "upatch_descriptor");
	if (!descriptor ||
	    descriptor->interface_version != UPATCH_INTERFACE_VERSION) {
		snprintf(text, text_size, "no descriptor of a known version");
		dlclose(handle);
		return -ENOEXEC;
	}
	patch = calloc(1, sizeof(*patch));
	if (!patch) {
		dlclose(handle);
		return -ENOMEM;
	}
	patch->handle = rt_addr(handle);
	patch->author = rt_addr(descriptor->patch);
	ret = build_model(patch, file);
	if (ret) {
		free_model(patch);
		dlclose(handle);
		return ret;
	}
	*ret_patch = patch;
	return 0;
}

void patch_append(struct rt_patch *patch)
{
	rt_addr_t *link = &upatch_runtime_state.patches;

	while (*link)
		link = &((struct rt_patch *)rt_ptr(*link))->next;
	*link = rt_addr(patch);
}

void patch_unload(struct rt_patch *patch)
{
	rt_addr_t *link = &upatch_runtime_state.patches;
	void *handle = rt_ptr(patch->handle);

	state_change_begin();
	while (*link && *link != rt_addr(patch))
		link = &((struct rt_patch *)rt_ptr(*link))->next;
	if (*link)
		*link = patch->next;
	state_change_end();
	free_model(patch);
	state_unlock();
	dlclose(handle);
	state_lock();
}
