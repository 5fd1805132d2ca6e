/* SPDX-License-Identifier: MIT */
/*
 * In RT_DELETE the loader no longer finds symbols of what leaves, and it tells
 * by nothing else that is public (tried on glibc 2.36).
 */
#include "leaving.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "object_image.h"

/* glibc's struct r_scope_elem: dlsym looks through the one of its handle. */
struct search_list {
	struct link_map **maps;
	unsigned int count;
};

/*
 * What a link map has behind its public part:
 *
 *	list	its struct search_list; no maps in a library that never was an
 *		argument of dlopen, where dlsym follows a null pointer
 *	scope	the address of that, for dlsym
 */
static struct {
	size_t list, scope;
} layout;

/* glibc 2.36: the map has 1192 bytes, its last scope is at 952. */
#define MAP_LEN_MAX 2048

static bool read_self(int fd, uintptr_t addr, void *buf, size_t len)
{
	return pread(fd, buf, len, (off_t)addr) == (ssize_t)len;
}

/* The offset of the last word that is `value`; 0: there is none. */
static size_t find_word(const uintptr_t *words, size_t count, uintptr_t value)
{
	size_t found = 0;

	for (size_t i = 1; i < count; i++) {
		if (words[i] == value)
			found = i * sizeof(*words);
	}
	return found;
}

/* The list of the program begins with the program. */
static bool find_layout(int fd, uintptr_t program, const uintptr_t *words,
			size_t count)
{
	for (size_t i = sizeof(struct link_map) / sizeof(*words); i + 1 < count;
	     i++) {
		size_t list = i * sizeof(*words);
		size_t scope = find_word(words, count, program + list);
		uintptr_t first;

		if (!scope || !(uint32_t)words[i + 1] ||
		    !read_self(fd, words[i], &first, sizeof(first)) ||
		    first != program)
			continue;
		layout.list = list;
		layout.scope = scope;
		return true;
	}
	return false;
}

bool leaving_init(const struct link_map *program)
{
	uintptr_t words[MAP_LEN_MAX / sizeof(uintptr_t)];
	uintptr_t start = (uintptr_t)program;
	size_t count = 0;
	int fd;

	if (layout.list)
		return true;
	fd = open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* It may lie at the end of what is mapped. */
	while (count < sizeof(words) / sizeof(*words) &&
	       read_self(fd, start + count * sizeof(*words), &words[count],
			 sizeof(*words)))
		count++;
	(void)find_layout(fd, start, words, count);
	close(fd);
	return layout.list;
}

/*
 * One that has no list gets one meanwhile, of itself alone.  Nobody else uses
 * it: dlsym in another thread waits for the loader's lock.
 */
static void *look_up(struct link_map *map, const char *symbol)
{
	char *start = (char *)map;
	struct search_list *list = (void *)(start + layout.list);
	const struct search_list *const *scope = (void *)(start + layout.scope);
	const struct search_list saved = *list;
	void *addr;

	if (*scope != list)
		return NULL;
	if (!saved.maps) {
		list->maps = &map;
		list->count = 1;
	}
	addr = dlsym(map, symbol);
	(void)dlerror();
	*list = saved;
	return addr;
}

enum leaving leaving_find(struct link_map *map)
{
	struct object_image image;
	const char *symbol;
	void *addr;

	if (!object_image_read(map, &image))
		return LEAVING_UNKNOWN;
	symbol = object_image_exported(&image);
	if (!symbol)
		return LEAVING_UNKNOWN;
	addr = look_up(map, symbol);
	return addr && object_image_has(&image, (uintptr_t)addr, 1)
		       ? LEAVING_NOT
		       : LEAVING_NOW;
}
