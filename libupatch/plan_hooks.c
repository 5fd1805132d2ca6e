/* SPDX-License-Identifier: MIT */
/* Where the loader tells of libraries that come and go. */
#include "plan_hooks.h"

#include <link.h>
#include <stddef.h>

#include "object_code.h"

/* So much of _dl_debug_state is looked at: a return, and padding behind it. */
#define DEBUG_STATE_LEN 16

static bool find_debug_state(struct process *process, const struct view *view,
			     struct plan_hook *hook)
{
	const struct module *loader;
	struct object_code code;
	struct r_debug debug;
	const uint8_t *bytes;
	bool found = false;

	if (memory_read(&process->memory, process->modules.r_debug, &debug,
			sizeof(debug), NULL))
		return false;
	loader = modules_find_addr(&process->modules, debug.r_brk);
	if (!loader ||
	    object_code_open(&code, &process->memory, loader, NULL, view, NULL))
		return false;
	bytes = object_code_read(&code, debug.r_brk, DEBUG_STATE_LEN);
	if (bytes && arch_is_empty_function(bytes, DEBUG_STATE_LEN))
		found = !arch_entry_analyze("_dl_debug_state", bytes,
					    DEBUG_STATE_LEN, debug.r_brk,
					    &hook->entry, NULL);
	object_code_close(&code);
	hook->hook = RT_HOOK_DEBUG_STATE;
	return found;
}

static bool find_catch_exception(struct process *process,
				 const struct module *libc,
				 const struct view *view,
				 struct plan_hook *hook)
{
	const char *name = "_dl_catch_exception";
	struct symbol_table *table;
	struct object_code code;
	struct symbol symbol;
	const uint8_t *bytes;
	bool found = false;

	if (process_symbols(process, libc, &table, NULL) ||
	    symbols_find(table, name, 0, SYMBOL_WANTED_FUNC, &symbol, NULL) ||
	    object_code_open(&code, &process->memory, libc, table, view, NULL))
		return false;
	bytes = object_code_read(&code, symbol.addr, symbol.size);
	if (bytes)
		found = !arch_entry_analyze(name, bytes, symbol.size,
					    symbol.addr, &hook->entry, NULL);
	object_code_close(&code);
	hook->hook = RT_HOOK_CATCH_EXCEPTION;
	return found;
}

void plan_hooks_find(struct process *process, const struct view *view,
		     struct plan_hooks *ret_hooks)
{
	const struct module *libc =
		modules_find_name(&process->modules, "libc.so.6");
	struct plan_hooks hooks = {
		.r_debug = process->modules.r_debug,
	};

	if (libc)
		hooks.signal_error =
			process_exported(process, libc, "_dl_signal_error");
	hooks.are_possible =
		hooks.signal_error &&
		find_debug_state(process, view, &hooks.hooks[0]) &&
		find_catch_exception(process, libc, view, &hooks.hooks[1]);
	*ret_hooks = hooks;
}
