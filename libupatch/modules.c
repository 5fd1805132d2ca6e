/* SPDX-License-Identifier: MIT */
/* What the dynamic loader of the target has loaded. */
#include "modules.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "link_list.h"
#include "loader.h"
#include "module_image.h"
#include "tasks.h"

/* How often, and how far apart, a list in motion is looked at again. */
#define MAX_TRIES	 100
#define TRY_AGAIN_GAP_NS 2000000L

#define DELETED_SUFFIX " (deleted)"

static char *read_exe_link(pid_t pid)
{
	char path[PATH_MAX];
	ssize_t len = tasks_readlink(pid, "exe", path, sizeof(path));
	size_t suffix = strlen(DELETED_SUFFIX);

	if (len < 0)
		len = 0;
	path[len] = '\0';
	if ((size_t)len > suffix &&
	    strcmp(path + len - suffix, DELETED_SUFFIX) == 0)
		path[(size_t)len - suffix] = '\0';
	return strdup(path);
}

/*
 * The loader's name of a library; the main executable has none there, and
 * neither has a library that came in some ways of loading.
 */
static char *read_module_path(const struct memory *memory,
			      const struct maps *maps,
			      const struct link_node *node, bool exe)
{
	const struct map *map;
	char path[PATH_MAX];

	if (exe)
		return read_exe_link(memory->pid);
	if (memory_read_string(memory, node->name, path, sizeof(path), NULL) ==
		    0 &&
	    path[0] != '\0')
		return strdup(path);
	map = maps_find(maps, node->dynamic);
	return strdup(map ? map->path : "");
}

/* Without program headers all that is known is where one mapping is. */
static void describe_mapping(const struct maps *maps,
			     const struct link_node *node,
			     struct module *module)
{
	const struct map *map = maps_find(maps, node->dynamic);

	module->bias = node->bias;
	module->dynamic = node->dynamic;
	if (map) {
		module->start = map->start;
		module->end = map->end;
	}
}

static bool is_exe(const struct loader *loader, const struct link_node *node)
{
	const Elf64_Phdr *header =
		module_image_header(&loader->exe, PT_DYNAMIC);

	return header &&
	       module_image_addr(&loader->exe, header) == node->dynamic;
}

/* False: errno. */
static bool read_module(const struct memory *memory, const struct maps *maps,
			const struct loader *loader,
			const struct link_node *node, struct module *module)
{
	struct module_image image;
	bool exe = is_exe(loader, node) && module->is_main;

	module->link_map = node->link_map;
	module->link_namespace = (unsigned int)node->link_namespace;
	module->path = read_module_path(memory, maps, node, exe);
	if (!module->path)
		return false;
	if (exe)
		return module_image_describe(memory, &loader->exe, module);
	errno = 0;
	if (module_image_find(memory, maps, node->bias, node->dynamic,
			      &image)) {
		bool described = module_image_describe(memory, &image, module);

		module_image_free(&image);
		return described;
	}
	if (errno == ENOMEM)
		return false;
	describe_mapping(maps, node, module);
	return true;
}

static int read_list_modules(const struct memory *memory,
			     const struct loader *loader,
			     const struct link_list *list,
			     struct modules *modules, struct maps *maps,
			     struct upatch_error *err)
{
	int saved_errno;
	bool complete;
	int ret = maps_read(memory->pid, maps, err);

	if (ret < 0)
		return ret;
	modules->modules = calloc(list->count, sizeof(*modules->modules));
	complete = modules->modules;
	for (size_t i = 0; complete && i < list->count; i++) {
		modules->count = i + 1;
		modules->modules[i].is_main = i == 0;
		complete = read_module(memory, maps, loader, &list->nodes[i],
				       &modules->modules[i]);
	}
	saved_errno = errno;
	if (complete)
		return 0;
	return error_set(err, error_code_of_errno(saved_errno), saved_errno,
			 "cannot read the %zu modules of process %d",
			 list->count, memory->pid);
}

/* LINK_LIST_OK and *ret == 0: done.  Otherwise nothing is left behind. */
static enum link_list_state try_modules(const struct memory *memory,
					const struct loader *loader,
					struct modules *modules,
					struct maps *maps, int *ret,
					struct upatch_error *err)
{
	struct link_list before;
	struct link_list after;
	enum link_list_state state;

	*ret = 0;
	state = link_list_read(memory, modules->r_debug, &before);
	if (state != LINK_LIST_OK)
		return state;
	*ret = read_list_modules(memory, loader, &before, modules, maps, err);
	state = link_list_read(memory, modules->r_debug, &after);
	if (state == LINK_LIST_OK) {
		if (!link_list_is_equal(&before, &after))
			state = LINK_LIST_CHANGING;
		link_list_free(&after);
	}
	link_list_free(&before);
	if (state != LINK_LIST_OK || *ret < 0) {
		modules_free(modules);
		maps_free(maps);
	}
	/* What could not be read may have been unmapped. */
	if (state == LINK_LIST_CHANGING)
		*ret = 0;
	return state;
}

static int report_state(const struct memory *memory,
			const struct loader *loader, enum link_list_state state,
			struct upatch_error *err)
{
	if (!loader_is_alive(memory, loader))
		return loader_report_gone(memory, err);
	switch (state) {
	case LINK_LIST_STARTING:
		return error_set(err, UPATCH_ERROR_BUSY, 0,
				 "process %d has not finished starting",
				 memory->pid);
	case LINK_LIST_CHANGING:
		return error_set(
			err, UPATCH_ERROR_BUSY, 0,
			"process %d is loading or unloading libraries all the time",
			memory->pid);
	case LINK_LIST_NO_MEMORY:
		return error_set(
			err, UPATCH_ERROR_NO_MEMORY, 0,
			"cannot read the list of libraries of process %d: out of memory",
			memory->pid);
	default:
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"cannot read the list of libraries of process %d: it is damaged",
			memory->pid);
	}
}

static int read_modules(const struct memory *memory,
			const struct loader *loader,
			struct modules *ret_modules, struct maps *ret_maps,
			struct upatch_error *err)
{
	static const struct timespec gap = { 0, TRY_AGAIN_GAP_NS };
	enum link_list_state state = LINK_LIST_OK;
	struct modules modules;
	struct maps maps = { 0 };
	int ret = 0;

	for (int i = 0; i < MAX_TRIES; i++) {
		modules = (struct modules){ .r_debug = loader->r_debug };
		state = try_modules(memory, loader, &modules, &maps, &ret, err);
		if (state == LINK_LIST_NO_MEMORY || ret < 0)
			break;
		if (state == LINK_LIST_OK) {
			*ret_modules = modules;
			if (ret_maps)
				*ret_maps = maps;
			else
				maps_free(&maps);
			return 0;
		}
		nanosleep(&gap, NULL);
	}
	return ret < 0 ? ret : report_state(memory, loader, state, err);
}

int modules_read(const struct memory *memory, struct modules *ret_modules,
		 struct maps *ret_maps, struct upatch_error *err)
{
	struct loader loader;
	int ret = loader_find(memory, &loader, err);

	if (ret < 0)
		return ret;
	ret = read_modules(memory, &loader, ret_modules, ret_maps, err);
	loader_free(&loader);
	return ret;
}

void modules_free(struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		module_image_fini_module(&modules->modules[i]);
	free(modules->modules);
	memset(modules, 0, sizeof(*modules));
}

const struct module *modules_find_addr(const struct modules *modules,
				       upatch_addr_t addr)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = &modules->modules[i];

		if (addr >= module->start && addr < module->end)
			return module;
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* How well a name fits, 0: not at all. */
static int rank_name(const struct module *module, const char *name)
{
	if (module->is_main)
		return 0;
	if (module->soname && strcmp(module->soname, name) == 0)
		return 3;
	if (strcmp(base_name(module->path), name) == 0)
		return 2;
	return strcmp(module->path, name) == 0;
}

const struct module *modules_find_name(const struct modules *modules,
				       const char *name)
{
	const struct module *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = &modules->modules[i];
		int rank;

		if (!name && module->is_main)
			return module;
		rank = name ? rank_name(module, name) : 0;
		if (rank > best_rank) {
			best = module;
			best_rank = rank;
		}
	}
	return best;
}
