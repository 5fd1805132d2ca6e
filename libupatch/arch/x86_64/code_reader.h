/* SPDX-License-Identifier: MIT */
/* Decodes the code of an object at any address, and numbers what it saw. */
#ifndef UPATCH_X86_64_CODE_READER_H
#define UPATCH_X86_64_CODE_READER_H

#include "effect.h"

struct code_reader {
	const struct code_source *source;
	struct insn_decoder decoder;
	/* the function or part of one that was last asked for */
	upatch_addr_t start;
	const uint8_t *code;
	size_t len;
};

UPATCH_MUST_CHECK int code_reader_init(struct code_reader *reader,
				       const struct code_source *source);
void code_reader_fini(struct code_reader *reader);

/* Is `addr` in the function that was last asked for? */
bool code_reader_is_here(const struct code_reader *reader, upatch_addr_t addr);
/* Goes to the function around `addr`; false: there is none, nothing changes. */
bool code_reader_go(struct code_reader *reader, upatch_addr_t addr);
/* Goes there and decodes; false: there is no instruction. */
bool code_reader_decode(struct code_reader *reader, upatch_addr_t addr,
			struct effect *ret_effect);

/* Numbers of addresses, from 1; 0 is none.  All zeros: an empty one. */
struct addr_table {
	struct addr_entry {
		upatch_addr_t addr;
		uint32_t number;
	} * entries;
	size_t size, used;
};

void addr_table_fini(struct addr_table *table);
uint32_t addr_table_find(const struct addr_table *table, upatch_addr_t addr);
/* `addr` is not in it yet.  False: out of memory. */
bool addr_table_add(struct addr_table *table, upatch_addr_t addr,
		    uint32_t number);

#endif
