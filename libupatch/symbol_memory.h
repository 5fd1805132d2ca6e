/* SPDX-License-Identifier: MIT */
/* Reads the exported symbols of a module from the target's memory. */
#ifndef UPATCH_SYMBOL_MEMORY_H
#define UPATCH_SYMBOL_MEMORY_H

#include "memory.h"
#include "modules.h"
#include "symbol_index.h"

/*
 * For a module whose file is not to be had.  Fills `index`, which has been
 * initialized; does not finish it.  What cannot be read is left out.  False:
 * out of memory.
 */
bool symbol_memory_read(const struct memory *memory,
			const struct module *module,
			struct symbol_index *index);

#endif
