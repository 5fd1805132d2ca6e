/* SPDX-License-Identifier: MIT */
/* Programs that are built so that they cannot be patched. */
#include "built.h"

#include <string.h>

/*
 * AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer check what
 * instrumented code does and let other code be.
 */
static const struct sanitizer {
	const char *symbol;
	const char *name;
	const char *reason;
} sanitizers[] = {
	{ "__tsan_init", "ThreadSanitizer",
	  "it would report our thread as leaked, and does not see what a patch synchronises" },
	{ "__msan_init", "MemorySanitizer",
	  "what a patch writes would be reported as uninitialised" },
};

/* It is in the program, or in a library of its own. */
static bool can_have(const struct module *module)
{
	return module->is_main ||
	       (module->soname &&
		(!strncmp(module->soname, "libtsan", 7) ||
		 !strncmp(module->soname, "libclang_rt", 11)));
}

static int check_sanitizers(const struct process *process,
			    struct upatch_error *err)
{
	const size_t count = sizeof(sanitizers) / sizeof(sanitizers[0]);

	for (size_t i = 0; i < process->modules.count; i++) {
		const struct module *module = &process->modules.modules[i];

		for (size_t j = 0; can_have(module) && j < count; j++) {
			if (!process_exported(process, module,
					      sanitizers[j].symbol))
				continue;
			return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
					 "process %d runs under %s: %s",
					 process->pid, sanitizers[j].name,
					 sanitizers[j].reason);
		}
	}
	return 0;
}

/*
 * Threads of a Go program run on goroutines' stacks, without unwind tables:
 * no thread can be borrowed, and none is ever known to be out of a function.
 */
static int check_language(const struct process *process,
			  struct upatch_error *err)
{
	if (!process->modules.modules[0].is_go)
		return 0;
	return error_set(
		err, UPATCH_ERROR_UNSUPPORTED, 0,
		"process %d is a Go program: the stacks of goroutines cannot be examined",
		process->pid);
}

int built_check(const struct process *process, struct upatch_error *err)
{
	int ret = check_language(process, err);

	return ret ? ret : check_sanitizers(process, err);
}
