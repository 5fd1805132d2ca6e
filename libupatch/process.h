/* SPDX-License-Identifier: MIT */
/* What an operation knows of its target: memory, maps, modules, symbols. */
#ifndef UPATCH_PROCESS_H
#define UPATCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "asked.h"
#include "dynamic.h"
#include "fate.h"
#include "file_cache.h"
#include "maps.h"
#include "memory.h"
#include "modules.h"
#include "own_stacks.h"
#include "symbols.h"
#include "unwind.h"
#include "view.h"

struct process_exports {
	bool is_read;
	bool is_unknown; /* it has symbols that could not be read */
	struct dynamic_symbols symbols;
};

struct process {
	pid_t pid;
	struct fate fate;
	struct memory memory;
	char *exe;
	struct maps maps;
	struct modules modules;
	/* of the caller, for many processes; or NULL */
	struct file_cache *cache;
	/* beside modules.modules; opened when first asked for */
	struct symbol_table **tables;
	/* likewise: what each exports; see process_exports */
	struct process_exports *exports;
	struct unwinder *unwinder;
	/* of the runtime; 0: it is not loaded */
	upatch_addr_t state_addr;
	/* some threads are; set by process_check_ready */
	bool under_seccomp;
	/* one was uninterruptible then */
	bool has_deaf_thread;
	/* by the caller of the operation that is under way */
	struct asked asked;
	/* of that operation */
	struct own_stacks own_stacks;
};

/* Reads only.  Refuses what can never be patched.  Release with close. */
UPATCH_MUST_CHECK int process_open(struct process *process, pid_t pid,
				   struct upatch_error *err);
void process_close(struct process *process);

/* Looks again at what is mapped and loaded. */
UPATCH_MUST_CHECK int process_refresh(struct process *process,
				      struct upatch_error *err);
/* The same for the maps alone. */
UPATCH_MUST_CHECK int process_refresh_maps(struct process *process,
					   struct upatch_error *err);

/* Whether it has ended, or called execve. */
bool process_is_gone(const struct process *process);
/* fate_explain; for the end of everything that can fail. */
int process_explain(const struct process *process, int ret,
		    struct upatch_error *err);

/*
 * Refuses a target that cannot be changed now: stopped, traced, or another
 * operation is at work (UPATCH_ERROR_BUSY where it is only for now).
 */
UPATCH_MUST_CHECK int process_check_ready(struct process *process,
					  struct upatch_error *err);

/* Sets under_seccomp. */
void process_note_seccomp(struct process *process);

/* The symbols of a module; they belong to the process. */
UPATCH_MUST_CHECK int process_symbols(struct process *process,
				      const struct module *module,
				      struct symbol_table **ret_table,
				      struct upatch_error *err);
/* All that a module exports, out of its memory; they belong to the process. */
const struct dynamic_symbols *process_exports(const struct process *process,
					      const struct module *module);
/* An exported symbol, out of the module's memory; 0: there is none. */
upatch_addr_t process_exported(const struct process *process,
			       const struct module *module, const char *name);

/* "name+0x12" for messages and backtraces; the address if there is none. */
void process_describe(struct process *process, upatch_addr_t addr, char *buf,
		      size_t size);

/* The modules' unwind tables, for a walk. */
UPATCH_MUST_CHECK int process_prepare_unwind(struct process *process,
					     struct upatch_error *err);

#endif
