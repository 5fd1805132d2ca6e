/* SPDX-License-Identifier: MIT */
/* Which symbol is meant by a name; and if none is, which may have been. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "near_names.h"
#include "symbol_view.h"

/* Leaves room for two names and the rest of the message. */
#define LIST_SIZE 600

/* What is looked for. */
struct query {
	const struct symbol_table *table;
	const char *name; /* as it was asked for */
	size_t plain_len; /* without a version */
	enum symbol_wanted wanted;
	/* "name@VER": nothing but that */
	bool is_versioned;
	/* there is no default version: old ones are taken */
	bool takes_hidden;
};

/* A list for a message, "a, b, c and 3 more", that stops when it is full. */
struct list {
	char text[LIST_SIZE + 32];
	size_t len;
	size_t left_out;
};

__attribute__((format(printf, 2, 3))) static void
add_item(struct list *list, const char *format, ...)
{
	char item[160];
	va_list args;
	size_t len;

	va_start(args, format);
	vsnprintf(item, sizeof(item), format, args);
	va_end(args);
	len = strlen(item);
	if (list->left_out > 0 || list->len + len + 3 > LIST_SIZE) {
		list->left_out++;
		return;
	}
	list->len +=
		(size_t)snprintf(list->text + list->len, LIST_SIZE - list->len,
				 "%s%s", list->len > 0 ? ", " : "", item);
}

static const char *text_of(struct list *list)
{
	if (list->left_out > 0)
		snprintf(list->text + list->len, sizeof(list->text) - list->len,
			 " and %zu more", list->left_out);
	return list->text;
}

/* --- What fits -------------------------------------------------------- */

static const struct symbol_entry *entry_of(const struct query *query,
					   uint32_t number)
{
	return &query->table->index->entries[number];
}

static bool has_kind(const struct symbol_entry *entry,
		     enum symbol_wanted wanted)
{
	return wanted == SYMBOL_WANTED_ANY || entry->type <= SYMBOL_LABEL;
}

/* Among the entries with the plain name. */
static bool fits(const struct query *query, const struct symbol_entry *entry)
{
	const char *name = symbol_index_name(query->table->index, entry);

	if (!has_kind(entry, query->wanted))
		return false;
	if (query->is_versioned)
		return strcmp(name, query->name) == 0;
	return !entry->is_hidden || query->takes_hidden;
}

/* The next one after `number` that fits; SYMBOL_INDEX_NONE: the first. */
static uint32_t next_fit(const struct query *query, uint32_t number)
{
	const struct symbol_index *index = query->table->index;

	do {
		number = number == SYMBOL_INDEX_NONE
				 ? symbol_index_first(index, query->name,
						      query->plain_len)
				 : symbol_index_next(index, number);
	} while (number != SYMBOL_INDEX_NONE &&
		 !fits(query, entry_of(query, number)));
	return number;
}

static unsigned long count_fits(const struct query *query)
{
	unsigned long count = 0;
	uint32_t number = SYMBOL_INDEX_NONE;

	while ((number = next_fit(query, number)) != SYMBOL_INDEX_NONE)
		count++;
	return count;
}

/* --- Refusals --------------------------------------------------------- */

static int refuse_ambiguous(const struct query *query, struct upatch_error *err)
{
	struct list list = { .len = 0 };
	uint32_t number = SYMBOL_INDEX_NONE;
	unsigned long sympos = 0;
	struct symbol symbol;

	while ((number = next_fit(query, number)) != SYMBOL_INDEX_NONE) {
		symbol_view(query->table, number, &symbol);
		add_item(&list, "%lu at 0x%" PRIx64, ++sympos, symbol.addr);
	}
	return error_set(
		err, UPATCH_ERROR_MISMATCH, 0,
		"'%.128s' is not unique in '%.128s': %s; choose one by its sympos",
		query->name, query->table->name, text_of(&list));
}

/* "memcpy": __memcpy_avx_unaligned, _memcpy_2, memcpy_sse2 */
static bool is_implementation(const struct symbol_index *index,
			      const struct symbol_entry *entry,
			      const struct symbol_entry *ifunc)
{
	const char *name = symbol_index_name(index, entry);
	const char *wanted = symbol_index_name(index, ifunc);
	size_t len = entry->name_len;

	if (entry->type != SYMBOL_FUNC || entry->is_duplicate)
		return false;
	for (int i = 0; i < 2 && len > 0 && *name == '_' && *wanted != '_';
	     i++) {
		name++;
		len--;
	}
	return len >= ifunc->name_len &&
	       memcmp(name, wanted, ifunc->name_len) == 0 &&
	       (len == ifunc->name_len || name[ifunc->name_len] == '_' ||
		name[ifunc->name_len] == '.');
}

static int refuse_ifunc(const struct query *query,
			const struct symbol_entry *ifunc,
			struct upatch_error *err)
{
	const struct symbol_index *index = query->table->index;
	struct list list = { .len = 0 };

	for (uint32_t i = 0; i < index->count; i++) {
		const struct symbol_entry *entry = &index->entries[i];

		if (is_implementation(index, entry, ifunc))
			add_item(&list, "'%.*s'", (int)entry->name_len,
				 symbol_index_name(index, entry));
	}
	if (list.len == 0)
		return error_set(
			err, UPATCH_ERROR_MISMATCH, 0,
			"'%.128s' in '%.128s' is an indirect function, which only chooses its implementation; none is known by name",
			query->name, query->table->name);
	return error_set(
		err, UPATCH_ERROR_MISMATCH, 0,
		"'%.128s' in '%.128s' is an indirect function, which only chooses its implementation; name that: %s",
		query->name, query->table->name, text_of(&list));
}

static const char *kind_name(enum symbol_wanted wanted)
{
	return wanted == SYMBOL_WANTED_FUNC ? "function" : "symbol";
}

static int refuse_unknown(const struct query *query, struct upatch_error *err)
{
	const struct symbol_index *index = query->table->index;
	bool has_static = symbols_has_static(query->table);
	struct list list = { .len = 0 };
	struct near_names near;

	near_names_init(&near, query->name);
	for (uint32_t i = 0; i < index->count; i++) {
		const struct symbol_entry *entry = &index->entries[i];

		if (has_kind(entry, query->wanted) && !entry->is_duplicate)
			near_names_offer(&near, symbol_index_name(index, entry),
					 entry->name_len);
	}
	for (size_t i = 0; i < near.count; i++)
		add_item(&list, "'%.*s'", (int)near.names[i].len,
			 near.names[i].name);
	return error_set(err, UPATCH_ERROR_MISMATCH, 0,
			 "no %s '%.128s' in '%.128s'%s%s%s",
			 kind_name(query->wanted), query->name,
			 query->table->name,
			 has_static
				 ? ""
				 : ", of which only exported symbols are known",
			 list.len > 0 ? "; similar: " : "", text_of(&list));
}

/* There is none that fits; is there one that does not? */
static int refuse_missing(const struct query *query, struct upatch_error *err)
{
	uint32_t number = symbol_index_first(query->table->index, query->name,
					     query->plain_len);

	if (query->is_versioned || number == SYMBOL_INDEX_NONE ||
	    has_kind(entry_of(query, number), query->wanted))
		return refuse_unknown(query, err);
	return error_set(err, UPATCH_ERROR_MISMATCH, 0,
			 "'%.128s' in '%.128s' is not a function", query->name,
			 query->table->name);
}

static int refuse_sympos(const struct query *query, unsigned long sympos,
			 unsigned long count, struct upatch_error *err)
{
	return error_set(
		err, UPATCH_ERROR_MISMATCH, 0,
		"no occurrence %lu of '%.128s' in '%.128s': there %s %lu",
		sympos, query->name, query->table->name,
		count == 1 ? "is" : "are", count);
}

/* --- The search ------------------------------------------------------- */

static int take(const struct query *query, unsigned long sympos,
		struct symbol *ret_symbol, struct upatch_error *err)
{
	uint32_t number = SYMBOL_INDEX_NONE;
	const struct symbol_entry *entry;

	for (unsigned long i = 0; i < sympos; i++)
		number = next_fit(query, number);
	entry = entry_of(query, number);
	if (entry->type == SYMBOL_IFUNC)
		return refuse_ifunc(query, entry, err);
	if (entry->type == SYMBOL_TLS)
		return error_set(
			err, UPATCH_ERROR_MISMATCH, 0,
			"'%.128s' in '%.128s' is thread-local: it has no single address",
			query->name, query->table->name);
	symbol_view(query->table, number, ret_symbol);
	ret_symbol->sympos = sympos;
	return 0;
}

int symbols_find(const struct symbol_table *table, const char *name,
		 unsigned long sympos, enum symbol_wanted wanted,
		 struct symbol *ret_symbol, struct upatch_error *err)
{
	const char *version = name[0] != '\0' ? strchr(name + 1, '@') : NULL;
	struct query query = {
		.table = table,
		.name = name,
		.plain_len = version ? (size_t)(version - name) : strlen(name),
		.wanted = wanted,
		.is_versioned = version != NULL,
	};
	unsigned long count = count_fits(&query);

	if (count == 0) {
		query.takes_hidden = true;
		count = count_fits(&query);
	}
	if (count == 0)
		return refuse_missing(&query, err);
	if (sympos == 0 && count > 1)
		return refuse_ambiguous(&query, err);
	if (sympos > count)
		return refuse_sympos(&query, sympos, count, err);
	return take(&query, sympos == 0 ? 1 : sympos, ret_symbol, err);
}
