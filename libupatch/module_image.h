/* SPDX-License-Identifier: MIT */
/* What a module's program headers, read from memory, say about it. */
#ifndef UPATCH_MODULE_IMAGE_H
#define UPATCH_MODULE_IMAGE_H

#include <elf.h>

#include "maps.h"
#include "memory.h"
#include "modules.h"

/* Program headers of a module. */
struct module_image {
	upatch_addr_t addr;
	size_t count;
	upatch_addr_t bias;
	Elf64_Phdr *headers;
};

/*
 * The program headers at `addr`, where the kernel says that those of the main
 * executable are.  False: there are none, or they contradict themselves.
 */
bool module_image_read(const struct memory *memory, upatch_addr_t addr,
		       size_t count, struct module_image *ret_image);
/*
 * Those of the module whose dynamic section is at `dynamic` and which the
 * loader put at `bias`.
 */
bool module_image_find(const struct memory *memory, const struct maps *maps,
		       upatch_addr_t bias, upatch_addr_t dynamic,
		       struct module_image *ret_image);
/* Those behind the ELF header at `addr`. */
bool module_image_read_elf(const struct memory *memory, upatch_addr_t addr,
			   struct module_image *ret_image);
void module_image_free(struct module_image *image);

/* The first header of a type, or NULL. */
const Elf64_Phdr *module_image_header(const struct module_image *image,
				      uint32_t type);
/* The run-time address of what a header describes. */
upatch_addr_t module_image_addr(const struct module_image *image,
				const Elf64_Phdr *header);

/*
 * Fills in bias, start, end, text, phdr, dynamic, eh_frame_hdr, build_id and
 * soname.  False: out of memory.
 */
bool module_image_describe(const struct memory *memory,
			   const struct module_image *image,
			   struct module *module);
/* Frees all that a module points to. */
void module_image_fini_module(struct module *module);

#endif
