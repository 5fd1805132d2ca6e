/* SPDX-License-Identifier: MIT */
/* What the rule for hosts asks about a process. */
#include "host_facts.h"

#include <stdlib.h>
#include <string.h>

#include "dynamic.h"

static bool is_libc_name(const char *soname)
{
	static const char *const names[] = {
		"libc.so.6",	     "libpthread.so.0", "librt.so.1",
		"libdl.so.2",	     "libanl.so.1",	"libresolv.so.2",
		"libnss_files.so.2",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(soname, names[i]))
			return true;
	}
	return false;
}

/* --- Modules ------------------------------------------------------------ */

/* Not known counts as yes. */
static bool defines_allocator(const struct process *process,
			      const struct module *module)
{
	const struct dynamic_symbols *exports =
		process_exports(process, module);

	return process->exports[module - process->modules.modules].is_unknown ||
	       dynamic_symbols_find(exports, "malloc") ||
	       dynamic_symbols_find(exports, "free");
}

static enum host_module judge_module(const struct process *process,
				     const struct module *module)
{
	if (!module->dynamic)
		return HOST_MODULE_UNKNOWN;
	if (module->is_main)
		return HOST_MODULE_MAIN;
	if (module->soname && !strncmp(module->soname, "linux-vdso", 10))
		return HOST_MODULE_UNKNOWN;
	if (module->soname && is_libc_name(module->soname))
		return HOST_MODULE_LIBC;
	if (module->soname && !strncmp(module->soname, "ld-linux", 8))
		return HOST_MODULE_LOADER;
	return defines_allocator(process, module) ? HOST_MODULE_ALLOCATOR
						  : HOST_MODULE_OTHER;
}

static enum host_module module_of(void *user, upatch_addr_t addr)
{
	struct host_facts *facts = user;
	const struct modules *modules = &facts->process->modules;
	const struct module *module = modules_find_addr(modules, addr);
	unsigned char *kind;

	if (!module)
		return HOST_MODULE_UNKNOWN;
	kind = &facts->kinds[module - modules->modules];
	if (!*kind)
		*kind = (unsigned char)(1 +
					judge_module(facts->process, module));
	return (enum host_module)(*kind - 1);
}

/* --- Symbols and code ---------------------------------------------------- */

static bool symbol_of(void *user, upatch_addr_t addr, const char **ret_name,
		      upatch_addr_t *ret_start)
{
	const struct host_facts *facts = user;
	const struct module *module =
		modules_find_addr(&facts->process->modules, addr);
	const char *name = NULL;

	if (module)
		name = dynamic_symbols_at(process_exports(facts->process,
							  module),
					  addr, ret_start);
	if (name)
		*ret_name = name;
	return name;
}

/* They are asked for in the same order each time. */
static struct host_export *find_export(struct host_facts *facts,
				       const struct module *module,
				       const char *name)
{
	for (size_t i = 1; i <= facts->export_count; i++) {
		size_t at = (facts->last + i) % facts->export_count;
		struct host_export *entry = &facts->exports[at];

		if (entry->module == module && !strcmp(entry->name, name)) {
			facts->last = at;
			return entry;
		}
	}
	return NULL;
}

/* Without memory for it, it is looked for again. */
static void note_export(struct host_facts *facts, const struct module *module,
			const char *name, upatch_addr_t addr)
{
	if (facts->export_count == facts->export_capacity) {
		size_t capacity = facts->export_capacity
					  ? 2 * facts->export_capacity
					  : 64;
		struct host_export *exports =
			realloc(facts->exports, capacity * sizeof(*exports));

		if (!exports)
			return;
		facts->exports = exports;
		facts->export_capacity = capacity;
	}
	facts->last = facts->export_count++;
	facts->exports[facts->last] = (struct host_export){
		.module = module,
		.name = name,
		.addr = addr,
	};
}

/* The names are constants of the rule. */
static upatch_addr_t exported_of(void *user, upatch_addr_t near,
				 const char *name)
{
	struct host_facts *facts = user;
	const struct module *module =
		modules_find_addr(&facts->process->modules, near);
	const struct host_export *entry;
	upatch_addr_t addr;

	if (!module)
		return 0;
	entry = find_export(facts, module, name);
	if (entry)
		return entry->addr;
	addr = process_exported(facts->process, module, name);
	note_export(facts, module, name, addr);
	return addr;
}

/* The code of an export that has just been asked for is remembered. */
static size_t read_target(void *user, upatch_addr_t addr, uint8_t *buf,
			  size_t len)
{
	struct host_facts *facts = user;
	const struct memory *memory = &facts->process->memory;
	struct host_export *entry =
		facts->export_count ? &facts->exports[facts->last] : NULL;

	if (!entry || entry->addr != addr || len > HOST_CODE_LEN)
		return memory_read_some(memory, addr, buf, len);
	if (!entry->has_code)
		entry->code_len = memory_read_some(memory, addr, entry->code,
						   HOST_CODE_LEN);
	entry->has_code = true;
	if (len > entry->code_len)
		len = entry->code_len;
	memcpy(buf, entry->code, len);
	return len;
}

/* --- Life cycle ---------------------------------------------------------- */

/*
 * What every thread is judged by, before the first one is stopped.  Of a
 * library beside libc.so.6, which may be gone by now, not known means that no
 * thread inside it fits.
 */
static int read_libc(const struct process *process, struct upatch_error *err)
{
	for (size_t i = 0; i < process->modules.count; i++) {
		const struct module *module = &process->modules.modules[i];

		if (!module->soname || !is_libc_name(module->soname))
			continue;
		(void)process_exports(process, module);
		if (process->exports[i].is_unknown &&
		    !strcmp(module->soname, "libc.so.6"))
			return error_set(
				err, UPATCH_ERROR_SYSTEM, 0,
				"cannot read the symbols of '%s' in process %d",
				module->path, process->pid);
	}
	return 0;
}

int host_facts_init(struct host_facts *facts, struct process *process,
		    struct upatch_error *err)
{
	int ret;

	*facts = (struct host_facts){ .process = process };
	ret = read_libc(process, err);
	if (ret)
		return ret;
	facts->kinds = calloc(process->modules.count, 1);
	if (!facts->kinds)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	facts->main_has_allocator =
		defines_allocator(process, &process->modules.modules[0]);
	return 0;
}

void host_facts_fini(struct host_facts *facts)
{
	free(facts->kinds);
	free(facts->exports);
	*facts = (struct host_facts){ 0 };
}

struct host_lookup host_facts_lookup(struct host_facts *facts)
{
	return (struct host_lookup){
		.module = module_of,
		.symbol = symbol_of,
		.exported = exported_of,
		.read = read_target,
		.user = facts,
	};
}
