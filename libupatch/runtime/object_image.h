/* SPDX-License-Identifier: MIT */
/*
 * What the loader has mapped of one library.  May be called while the loader's
 * lock is held: nothing here loads, looks up or waits.
 */
#ifndef UPATCH_RUNTIME_OBJECT_IMAGE_H
#define UPATCH_RUNTIME_OBJECT_IMAGE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hexadecimal digits of the longest build id that is known of, and a NUL. */
#define OBJECT_BUILD_ID_SIZE 129

/*
 * Is `name` the library's soname, the file name it was loaded by, or its path?
 * The program itself has no name.
 */
bool object_matches(const struct link_map *map, const char *name);

struct object_image {
	const struct link_map *map;
	const char *name; /* for messages */
	const Elf64_Phdr *headers;
	size_t header_count;
	/* .dynsym; counts of 0 where there is none */
	const Elf64_Sym *symbols;
	size_t symbol_count;
	const char *strings;
	size_t strings_len;
	/* an entry per symbol, or NULL */
	const Elf64_Half *versions;
	/* linked -Bsymbolic, or a program */
	bool binds_own_symbols;
};

/* False: the library's headers are not mapped. */
bool object_image_read(const struct link_map *map,
		       struct object_image *ret_image);

/* Is all of [addr, addr + len) in one segment that can be read? */
bool object_image_has(const struct object_image *image, uintptr_t addr,
		      uint64_t len);

/* Finds a build id in notes; false: there is none. */
bool object_build_id_in(const uint8_t *notes, size_t len, size_t alignment,
			char ret_build_id[OBJECT_BUILD_ID_SIZE]);
/* The build id in hexadecimal; false: it has none. */
bool object_image_build_id(const struct object_image *image,
			   char ret_build_id[OBJECT_BUILD_ID_SIZE]);

/*
 * The name of a function or variable that dlsym finds by this name, if it
 * finds anything in this library; NULL: it exports none.
 */
const char *object_image_exported(const struct object_image *image);

#endif
