/* SPDX-License-Identifier: MIT */
/*
 * What the rule for hosts asks about a process.  A thread waits for the
 * answers: what has been asked once is remembered.
 */
#ifndef UPATCH_HOST_FACTS_H
#define UPATCH_HOST_FACTS_H

#include "host_rule.h"
#include "process.h"

/* As much of the code of an export is remembered. */
#define HOST_CODE_LEN 256

struct host_export {
	const struct module *module;
	const char *name;
	upatch_addr_t addr; /* 0: it exports no such symbol */
	bool has_code;
	size_t code_len;
	uint8_t code[HOST_CODE_LEN];
};

struct host_facts {
	struct process *process;
	/* 1 + enum host_module, beside the modules; 0: not asked yet */
	unsigned char *kinds;
	struct host_export *exports;
	size_t export_count, export_capacity;
	size_t last; /* of the exports: where one was found */
	/* the main program defines malloc or free */
	bool main_has_allocator;
};

/*
 * The modules of the process stay as they are until host_facts_fini, which is
 * allowed after a failure.
 */
UPATCH_MUST_CHECK int host_facts_init(struct host_facts *facts,
				      struct process *process,
				      struct upatch_error *err);
void host_facts_fini(struct host_facts *facts);
struct host_lookup host_facts_lookup(struct host_facts *facts);

#endif
