/* SPDX-License-Identifier: MIT */
/* Decodes the code of an object at any address, and numbers what it saw. */
#include "code_reader.h"

#include <stdlib.h>

#define TABLE_MIN 128

int code_reader_init(struct code_reader *reader,
		     const struct code_source *source)
{
	*reader = (struct code_reader){ .source = source };
	return insn_decoder_init(&reader->decoder, NULL);
}

void code_reader_fini(struct code_reader *reader)
{
	insn_decoder_fini(&reader->decoder);
}

bool code_reader_is_here(const struct code_reader *reader, upatch_addr_t addr)
{
	return addr - reader->start < reader->len;
}

bool code_reader_go(struct code_reader *reader, upatch_addr_t addr)
{
	const struct code_source *source = reader->source;
	upatch_addr_t start;
	const uint8_t *code;
	size_t len;

	if (code_reader_is_here(reader, addr))
		return true;
	if (!source->find(source->user, addr, &start, &code, &len) ||
	    addr - start >= len)
		return false;
	reader->start = start;
	reader->code = code;
	reader->len = len;
	return true;
}

bool code_reader_decode(struct code_reader *reader, upatch_addr_t addr,
			struct effect *ret_effect)
{
	size_t offset;

	if (!code_reader_go(reader, addr))
		return false;
	offset = addr - reader->start;
	return effect_decode(&reader->decoder, reader->code + offset,
			     reader->len - offset, addr, ret_effect);
}

void addr_table_fini(struct addr_table *table)
{
	free(table->entries);
}

/* Where the address is, or is to be put: there is always a free place. */
static struct addr_entry *find_entry(const struct addr_table *table,
				     upatch_addr_t addr)
{
	/* Fibonacci hashing: consecutive addresses spread. */
	uint64_t hash = addr * 0x9e3779b97f4a7c15UL >> 32;
	struct addr_entry *entry;

	do
		entry = &table->entries[hash++ % table->size];
	while (entry->number && entry->addr != addr);
	return entry;
}

uint32_t addr_table_find(const struct addr_table *table, upatch_addr_t addr)
{
	return table->size ? find_entry(table, addr)->number : 0;
}

/* Most functions are short, and to clear a table takes its time. */
static bool grow(struct addr_table *table)
{
	struct addr_table larger = {
		.size = table->size ? 2 * table->size : TABLE_MIN,
		.used = table->used,
	};

	larger.entries = calloc(larger.size, sizeof(*larger.entries));
	if (!larger.entries)
		return false;
	for (size_t i = 0; i < table->size; i++) {
		const struct addr_entry *entry = &table->entries[i];

		if (entry->number)
			*find_entry(&larger, entry->addr) = *entry;
	}
	free(table->entries);
	*table = larger;
	return true;
}

bool addr_table_add(struct addr_table *table, upatch_addr_t addr,
		    uint32_t number)
{
	/* At most half full, so that the search for a free entry ends. */
	if (2 * table->used >= table->size && !grow(table))
		return false;
	*find_entry(table, addr) =
		(struct addr_entry){ .addr = addr, .number = number };
	table->used++;
	return true;
}
