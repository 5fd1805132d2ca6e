/* SPDX-License-Identifier: MIT */
/* What was read from files, for all processes that use them. */
#include "file_cache.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "module_file.h"
#include "symbol_view.h"
#include "tasks.h"

/* More headers than a file has that a linker made. */
#define HEADERS_MAX 32

/* Which file a module is from. */
struct file_key {
	dev_t dev;
	ino_t inode;
	/* without a build id only */
	off_t size;
	struct timespec changed;
	size_t header_count;
	Elf64_Phdr headers[HEADERS_MAX];
	/* "": none */
	char build_id[2 * MODULE_BUILD_ID_MAX + 1];
};

struct cached_file {
	struct cached_file *next;
	struct file_key key;
	struct symbol_index index;
	enum symbol_origin origin;
};

void file_cache_init(struct file_cache *cache)
{
	*cache = (struct file_cache){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void file_cache_fini(struct file_cache *cache)
{
	while (cache->files) {
		struct cached_file *file = cache->files;

		cache->files = file->next;
		symbol_index_fini(&file->index);
		free(file);
	}
	pthread_mutex_destroy(&cache->lock);
}

/* By the kernel's link, which needs a capability, or by the path. */
static bool stat_mapped(const struct memory *memory, const struct map *map,
			struct stat *ret_stat)
{
	const pid_t number = tasks_first_living(memory->pid);
	char path[4200];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 number, map->start, map->end);
	if (!stat(path, ret_stat))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/root%s", number, map->path);
	return !stat(path, ret_stat) && ret_stat->st_dev == map->dev &&
	       ret_stat->st_ino == map->inode;
}

static bool describe_without_build_id(const struct module *module,
				      const struct map *map,
				      const struct memory *memory,
				      struct file_key *key)
{
	size_t len = module->phdr_count * sizeof(key->headers[0]);
	struct stat st;

	if (module->phdr_count == 0 || module->phdr_count > HEADERS_MAX ||
	    !stat_mapped(memory, map, &st) ||
	    memory_read_some(memory, module->phdr, key->headers, len) != len)
		return false;
	key->header_count = module->phdr_count;
	key->size = st.st_size;
	key->changed = st.st_mtim;
	return true;
}

/* False: no file, or one that could be mistaken for another. */
static bool describe(const struct module *module, const struct maps *maps,
		     const struct memory *memory, struct file_key *ret_key)
{
	const struct map *map = module_file_map(module, maps);

	/* Keys are compared as bytes. */
	memset(ret_key, 0, sizeof(*ret_key));
	if (!map)
		return false;
	ret_key->dev = map->dev;
	ret_key->inode = map->inode;
	if (!module->build_id)
		return describe_without_build_id(module, map, memory, ret_key);
	if (strlen(module->build_id) >= sizeof(ret_key->build_id))
		return false;
	memcpy(ret_key->build_id, module->build_id, strlen(module->build_id));
	return true;
}

static struct cached_file *find(const struct file_cache *cache,
				const struct file_key *key)
{
	struct cached_file *file = cache->files;

	while (file && memcmp(&file->key, key, sizeof(*key)))
		file = file->next;
	return file;
}

/* The index moves to the cache; without memory for that it stays. */
static void keep(struct file_cache *cache, const struct file_key *key,
		 struct symbol_table *table)
{
	struct cached_file *file = calloc(1, sizeof(*file));

	if (!file)
		return;
	file->key = *key;
	file->index = *table->index;
	file->origin = table->origin;
	file->next = cache->files;
	cache->files = file;
	free(table->index);
	table->index = &file->index;
	table->is_shared = true;
}

static int use(struct cached_file *file, const struct module *module,
	       struct symbol_table **ret_table, struct upatch_error *err)
{
	const char *name = symbols_module_name(module);
	struct symbol_table *table =
		symbols_new_shared(name, module->bias, &file->index);

	if (!table)
		return error_set(
			err, UPATCH_ERROR_NO_MEMORY, 0,
			"cannot read the symbols of '%s': out of memory", name);
	table->origin = file->origin;
	*ret_table = table;
	return 0;
}

/* Whoever wants a file that another thread is reading waits for it. */
static int find_or_read(struct file_cache *cache, const struct file_key *key,
			const struct module *module, const struct maps *maps,
			const struct memory *memory,
			struct symbol_table **ret_table,
			struct upatch_error *err)
{
	struct cached_file *file = find(cache, key);
	int ret;

	if (file)
		return use(file, module, ret_table, err);
	ret = symbols_open(module, maps, memory, ret_table, err);
	if (!ret && (*ret_table)->is_from_file)
		keep(cache, key, *ret_table);
	return ret;
}

int file_cache_symbols(struct file_cache *cache, const struct module *module,
		       const struct maps *maps, const struct memory *memory,
		       struct symbol_table **ret_table,
		       struct upatch_error *err)
{
	struct file_key key;
	int ret;

	if (!cache || !describe(module, maps, memory, &key))
		return symbols_open(module, maps, memory, ret_table, err);
	pthread_mutex_lock(&cache->lock);
	ret = find_or_read(cache, &key, module, maps, memory, ret_table, err);
	pthread_mutex_unlock(&cache->lock);
	return ret;
}
