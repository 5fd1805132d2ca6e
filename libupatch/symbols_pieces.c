/* SPDX-License-Identifier: MIT */
/* What the compiler made of one function besides the function. */
#include <string.h>

#include "symbol_view.h"

/* GCC: .cold, .part, .isra, .constprop; clang: .cold, .__part */
enum part_kind {
	NO_PART,
	PIECE,
	CLONE
};

static bool takes(const char **text, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *text) < len || memcmp(*text, word, len) != 0 ||
	    (*text + len != end && (*text)[len] != '.'))
		return false;
	*text += len;
	return true;
}

/* ".0" */
static void take_number(const char **text, const char *end)
{
	const char *at = *text + 1;

	if (*text == end)
		return;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	if (at > *text + 1 && (at == end || *at == '.'))
		*text = at;
}

/* What a suffix such as ".constprop.0.cold" says. */
static enum part_kind read_suffix(const char *text, const char *end)
{
	enum part_kind kind = NO_PART;

	while (text < end) {
		if (takes(&text, end, ".cold") || takes(&text, end, ".part") ||
		    takes(&text, end, ".__part"))
			kind = kind == CLONE ? CLONE : PIECE;
		else if (takes(&text, end, ".isra") ||
			 takes(&text, end, ".constprop"))
			kind = CLONE;
		else
			return NO_PART;
		take_number(&text, end);
	}
	return kind;
}

/* Whether the source file of the static `part` has a static `name`. */
static bool has_static_owner(const struct symbol_index *index, const char *name,
			     size_t len, const struct symbol_entry *part)
{
	uint32_t number = symbol_index_first(index, name, len);

	for (; number != SYMBOL_INDEX_NONE;
	     number = symbol_index_next(index, number)) {
		const struct symbol_entry *entry = &index->entries[number];

		if (entry->type == SYMBOL_FUNC && !entry->is_global &&
		    entry->file == part->file)
			return true;
	}
	return false;
}

/*
 * A source file cannot have two functions of one name, so a part belongs to
 * the static function of its own file, or else to the global one.  Where files
 * are not known, it may belong to any.
 */
static bool may_belong(const struct symbol_index *index,
		       const struct symbol_entry *function,
		       const struct symbol_entry *part)
{
	if (part->file == 0 || part->is_global)
		return true;
	if (function->is_global)
		return !has_static_owner(index,
					 symbol_index_name(index, function),
					 function->name_len, part);
	return function->file == 0 || function->file == part->file;
}

static size_t list_parts(const struct symbol_table *table,
			 const struct symbol *symbol, enum part_kind wanted,
			 struct symbol *ret_symbols, size_t max)
{
	const struct symbol_index *index = table->index;
	const struct symbol_entry *function = &index->entries[symbol->entry];
	const char *name = symbol_index_name(index, function);
	size_t len = function->name_len;
	size_t count = 0;
	uint32_t number = symbol_index_first_part(index, name, len);

	for (; number != SYMBOL_INDEX_NONE;
	     number = symbol_index_next_part(index, name, len, number)) {
		const struct symbol_entry *part = &index->entries[number];
		const char *own = symbol_index_name(index, part);

		if (read_suffix(own + len, own + part->name_len) != wanted ||
		    !may_belong(index, function, part))
			continue;
		if (count < max)
			symbol_view(table, number, &ret_symbols[count]);
		count++;
	}
	return count;
}

size_t symbols_pieces(const struct symbol_table *table,
		      const struct symbol *function, struct symbol *ret_symbols,
		      size_t max)
{
	return list_parts(table, function, PIECE, ret_symbols, max);
}

size_t symbols_clones(const struct symbol_table *table,
		      const struct symbol *function, struct symbol *ret_symbols,
		      size_t max)
{
	return list_parts(table, function, CLONE, ret_symbols, max);
}
