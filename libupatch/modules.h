/* SPDX-License-Identifier: MIT */
/*
 * What the dynamic loader of the target has loaded, read from the target's
 * memory alone: files may have been replaced or deleted meanwhile.
 */
#ifndef UPATCH_MODULES_H
#define UPATCH_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "error.h"
#include "maps.h"
#include "memory.h"

/* Longest build id that is known of, in bytes; usual are 20. */
#define MODULE_BUILD_ID_MAX 64

/* The main executable, a library, the loader itself or the vdso. */
struct module {
	/*
	 * As the loader names it, which may be relative to a directory that
	 * is no longer the current one; of the main executable what the kernel
	 * says it is.
	 */
	char *path;
	char *soname;	/* or NULL */
	char *build_id; /* lower-case hexadecimal, or NULL */
	bool is_main;
	bool is_go; /* made by the Go linker */
	/* dlmopen(3): 0 is the namespace of the program */
	unsigned int link_namespace;
	/* run-time address minus the address in the file */
	upatch_addr_t bias;
	/* all of its segments; whole pages */
	upatch_addr_t start, end;
	/* executable segments, ascending */
	struct addr_range *text;
	size_t text_count;
	/* program headers; 0 entries: they are not in memory */
	upatch_addr_t phdr;
	size_t phdr_count;
	upatch_addr_t dynamic;
	/* PT_GNU_EH_FRAME; 0: none */
	upatch_addr_t eh_frame_hdr;
	uint64_t eh_frame_hdr_len;
	/* the loader's struct link_map */
	upatch_addr_t link_map;
};

struct modules {
	/* in the loader's order: the main executable is the first */
	struct module *modules;
	size_t count;
	/* the loader's struct r_debug */
	upatch_addr_t r_debug;
};

/*
 * Takes part in no lock of the loader: the list is read again until it was
 * the same twice while the loader was idle.  Refused, UPATCH_ERROR_UNSUPPORTED:
 * no dynamic loader, or another one than glibc's.  UPATCH_ERROR_BUSY: the
 * loader did not come to rest, or has not finished starting the program.
 * Release with modules_free.  *ret_maps is what was mapped meanwhile, to be
 * released with maps_free; `ret_maps` may be NULL.
 */
UPATCH_MUST_CHECK int modules_read(const struct memory *memory,
				   struct modules *ret_modules,
				   struct maps *ret_maps,
				   struct upatch_error *err);
/* Zeroed modules and modules already freed are allowed. */
void modules_free(struct modules *modules);

/* The module that has `addr` in one of its segments' pages, or NULL. */
const struct module *modules_find_addr(const struct modules *modules,
				       upatch_addr_t addr);
/*
 * The library whose soname, file name or path is `name`, or NULL; where
 * several fit, in this order of preference.  A NULL name means the main
 * executable, which is never found by a name.
 */
const struct module *modules_find_name(const struct modules *modules,
				       const char *name);

#endif
