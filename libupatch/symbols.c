/* SPDX-License-Identifier: MIT */
/* Tables of symbols, and the way from addresses to names. */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>

#include "symbol_view.h"

struct symbol_table *symbols_new_shared(const char *name, upatch_addr_t bias,
					struct symbol_index *index)
{
	struct symbol_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->bias = bias;
	table->index = index;
	table->is_shared = true;
	table->name = strdup(name);
	if (table->name)
		return table;
	symbols_close(table);
	return NULL;
}

struct symbol_table *symbols_new(const char *name, upatch_addr_t bias)
{
	struct symbol_index *index = malloc(sizeof(*index));
	struct symbol_table *table =
		index ? symbols_new_shared(name, bias, index) : NULL;

	if (!table) {
		free(index);
		return NULL;
	}
	symbol_index_init(index);
	table->is_shared = false;
	return table;
}

void symbols_close(struct symbol_table *table)
{
	if (!table)
		return;
	if (!table->is_shared) {
		symbol_index_fini(table->index);
		free(table->index);
	}
	free(table->name);
	free(table);
}

bool symbols_has_static(const struct symbol_table *table)
{
	return table->origin != SYMBOL_ORIGIN_DYNAMIC;
}

void symbol_view(const struct symbol_table *table, uint32_t number,
		 struct symbol *ret_symbol)
{
	const struct symbol_entry *entry = &table->index->entries[number];
	upatch_addr_t bias = entry->type == SYMBOL_TLS ? 0 : table->bias;

	*ret_symbol = (struct symbol){
		.name = symbol_index_name(table->index, entry),
		.addr = entry->addr + bias,
		.size = entry->size,
		.size_known = entry->size_known,
		.is_global = entry->is_global,
		.type = (enum symbol_type)entry->type,
		.entry = number,
	};
}

/* The better name for an address that both contain. */
static bool is_better(const struct symbol_entry *one,
		      const struct symbol_entry *other)
{
	bool one_is_label = one->type == SYMBOL_LABEL;
	bool other_is_label = other->type == SYMBOL_LABEL;

	if (one_is_label != other_is_label)
		return other_is_label;
	if (one->addr != other->addr)
		return one->addr > other->addr;
	return one->is_global && !other->is_global;
}

bool symbols_at(const struct symbol_table *table, upatch_addr_t addr,
		struct symbol *ret_symbol)
{
	const struct symbol_index *index = table->index;
	uint64_t offset = addr - table->bias;
	uint32_t best = SYMBOL_INDEX_NONE;

	for (uint32_t i = symbol_index_after(index, offset); i-- > 0;) {
		uint32_t number = index->by_addr[i];
		const struct symbol_entry *entry = &index->entries[number];

		if (index->reach[i] <= offset)
			break;
		if (offset - entry->addr >= entry->size)
			continue;
		if (best == SYMBOL_INDEX_NONE ||
		    is_better(entry, &index->entries[best]))
			best = number;
	}
	if (best == SYMBOL_INDEX_NONE)
		return false;
	symbol_view(table, best, ret_symbol);
	return true;
}

size_t symbols_aliases(const struct symbol_table *table, upatch_addr_t addr,
		       struct symbol *ret_symbols, size_t max)
{
	const struct symbol_index *index = table->index;
	uint64_t offset = addr - table->bias;
	size_t count = 0;

	for (uint32_t i = symbol_index_after(index, offset); i-- > 0;) {
		if (index->entries[index->by_addr[i]].addr != offset)
			break;
		if (count < max)
			symbol_view(table, index->by_addr[i],
				    &ret_symbols[count]);
		count++;
	}
	return count;
}
