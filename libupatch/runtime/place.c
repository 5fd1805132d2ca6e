/* SPDX-License-Identifier: MIT */
/* Gates, originals and jumps for a library that comes. */
#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_area.h"

static struct rt_state *const state = &upatch_runtime_state;

/* --- Planning --------------------------------------------------------- */

static int fail(char *text, size_t size, const struct upatch_error *err)
{
	snprintf(text, size, "%s", err->message);
	return err->code == UPATCH_ERROR_NO_MEMORY ? -ENOMEM : -ENOEXEC;
}

/* Pieces elsewhere can branch back into the function, too. */
static int check_pieces(const struct upatch_func *wanted,
			const struct object_symbols *symbols,
			const struct symbol *symbol,
			struct placement_func *func, struct upatch_error *err)
{
	struct symbol pieces[PLACEMENT_PIECES];
	size_t count = symbols_pieces(symbols->table, symbol, pieces,
				      PLACEMENT_PIECES);

	if (count > PLACEMENT_PIECES)
		return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
				 "'%s' is split into %zu pieces",
				 wanted->old_name, count);
	for (size_t i = 0; i < count; i++) {
		const struct arch_part part = {
			.name = pieces[i].name,
			.code = rt_ptr(pieces[i].addr),
			.len = pieces[i].size,
			.addr = pieces[i].addr,
		};
		int ret;

		if (!object_image_has(&symbols->image, pieces[i].addr,
				      pieces[i].size))
			return error_set(err, UPATCH_ERROR_MISMATCH, 0,
					 "'%s' is outside of the library",
					 pieces[i].name);
		ret = arch_entry_check_part(wanted->old_name, &func->entry,
					    &part, err);
		if (ret)
			return ret;
		func->pieces[i].start = part.addr;
		func->pieces[i].end = part.addr + part.len;
	}
	func->piece_count = (uint32_t)count;
	return 0;
}

/*
 * A shield takes an analysis of the code that only a controller can make.
 * Callers of what the dynamic linker may bind elsewhere rely on the calling
 * convention alone.
 */
static int plan_func(const struct upatch_func *wanted,
		     const struct object_symbols *symbols,
		     struct placement_func *func, struct upatch_error *err)
{
	struct symbol symbol;
	int ret = symbols_find(symbols->table, wanted->old_name,
			       wanted->old_sympos, SYMBOL_WANTED_FUNC, &symbol,
			       err);

	if (ret)
		return ret;
	if (!object_image_has(&symbols->image, symbol.addr, symbol.size))
		return error_set(err, UPATCH_ERROR_MISMATCH, 0,
				 "'%s' is outside of the library",
				 wanted->old_name);
	if (!object_symbol_is_interposable(symbols, &symbol))
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"'%s' is not exported, so its callers may rely on registers that it leaves alone; apply the patch while the library is loaded",
			wanted->old_name);
	func->addr = symbol.addr;
	func->size = symbol.size;
	/* An older patch has been here: its jump is no code of the library's. */
	if (site_find(symbol.addr) &&
	    site_find(symbol.addr)->state == RT_SITE_INSTALLED)
		return 0;
	ret = arch_entry_analyze(wanted->old_name, rt_ptr(symbol.addr),
				 symbol.size, symbol.addr, &func->entry, err);
	return ret ? ret : check_pieces(wanted, symbols, &symbol, func, err);
}

int place_plan(const struct rt_object *object,
	       const struct object_symbols *symbols,
	       struct placement *ret_placement, char *text, size_t size)
{
	const struct upatch_object *author = rt_ptr(object->author);
	struct upatch_error err = { 0 };
	struct placement placement = {
		.funcs = calloc(object->func_count + 1,
				sizeof(*placement.funcs)),
		.func_count = object->func_count,
	};

	if (!placement.funcs) {
		snprintf(text, size, "out of memory");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < object->func_count; i++) {
		if (!plan_func(&author->funcs[i], symbols, &placement.funcs[i],
			       &err))
			continue;
		place_free(&placement);
		return fail(text, size, &err);
	}
	*ret_placement = placement;
	return 0;
}

/*
 * A patch may be loaded where the library was.  Addresses that are left behind
 * in freed memory would look like references to its code and keep it.
 */
void place_free(struct placement *placement)
{
	if (placement->funcs)
		explicit_bzero(placement->funcs,
			       placement->func_count *
				       sizeof(*placement->funcs));
	free(placement->funcs);
	placement->funcs = NULL;
}

/* --- Installing ------------------------------------------------------- */

static struct arch_gate describe_gate(const struct code_piece *piece)
{
	return (struct arch_gate){
		.code = piece->code,
		.slot = piece->data + offsetof(struct rt_gate_words, slot),
		.source = piece->data + offsetof(struct rt_gate_words, source),
		.destination = piece->data +
			       offsetof(struct rt_gate_words, destination),
		.transition =
			piece->head + offsetof(struct rt_area_head, transition),
		.moved_offset = (int32_t)state->thread_offset,
		.self_move =
			piece->head + offsetof(struct rt_area_head, self_move),
	};
}

static int write_gate(const struct code_piece *piece, uint8_t *code, size_t len,
		      struct upatch_error *err)
{
	const struct arch_gate gate = describe_gate(piece);

	if (arch_emit_gate(&gate, code, err))
		return -ENOEXEC;
	return code_area_write(piece->code, code, len);
}

static int write_site(const struct placement_func *func,
		      struct rt_site_spec *site, char *text, size_t size)
{
	uint8_t code[ARCH_GATE_LEN + ARCH_ORIGINAL_MAX];
	struct arch_twin twins[ARCH_TWINS_MAX];
	struct upatch_error err = { .message = "cannot write the gate" };
	struct code_piece piece;
	size_t len, count;
	int ret = code_area_take(func->addr, sizeof(code),
				 sizeof(struct rt_gate_words), &piece);

	if (ret) {
		snprintf(text, size, "no room for a gate near the library");
		return ret;
	}
	memset(code, 0xcc, sizeof(code));
	site->code = piece.code;
	site->original = piece.code + ARCH_GATE_LEN;
	site->words = piece.data;
	if (arch_emit_original(&func->entry, site->original,
			       code + ARCH_GATE_LEN, ARCH_ORIGINAL_MAX, &len,
			       twins, &count, &err))
		return fail(text, size, &err);
	site->code_len = ARCH_GATE_LEN + len;
	ret = write_gate(&piece, code, site->code_len, &err);
	return ret ? fail(text, size, &err) : 0;
}

static void fill_site(const struct placement_func *func,
		      struct rt_site_spec *site)
{
	site->addr = func->addr;
	site->jump_offset = func->entry.jump_offset;
	site->moved_end = func->entry.moved_end;
	memcpy(site->bytes, func->entry.bytes + site->jump_offset,
	       sizeof(site->bytes));
	site->ranges[0].start = func->addr;
	site->ranges[0].end = func->addr + func->size;
	site->range_count = 1;
	for (uint32_t i = 0;
	     i < func->piece_count && site->range_count < RT_RANGES; i++)
		site->ranges[site->range_count++] = func->pieces[i];
}

static int get_site(const struct placement_func *func,
		    struct rt_site **ret_site, char *text, size_t size)
{
	struct rt_site *known = site_find(func->addr);
	struct rt_site_spec site = { .addr = 0 };
	int ret;

	if (known && known->state == RT_SITE_INSTALLED) {
		*ret_site = known;
		return 0;
	}
	fill_site(func, &site);
	ret = write_site(func, &site, text, size);
	return ret ? ret : site_register(&site, ret_site);
}

static int write_orig_gate(uint64_t near, struct rt_func *func, char *text,
			   size_t size)
{
	struct upatch_error err = { .message = "cannot write the gate" };
	uint8_t code[ARCH_GATE_LEN];
	struct code_piece piece;
	int ret = code_area_take(near, sizeof(code),
				 sizeof(struct rt_gate_words), &piece);

	if (ret) {
		snprintf(text, size, "no room for a gate near the library");
		return ret;
	}
	func->code = piece.code;
	func->code_len = sizeof(code);
	func->orig_words = piece.data;
	ret = write_gate(&piece, code, sizeof(code), &err);
	return ret ? fail(text, size, &err) : 0;
}

static int install_func(const struct upatch_func *wanted,
			const struct placement_func *planned,
			struct rt_func *func, char *text, size_t size)
{
	struct rt_site *site;
	int ret = get_site(planned, &site, text, size);

	if (ret)
		return ret;
	func->entry = rt_addr(wanted->new_func);
	if (wanted->orig_func) {
		ret = write_orig_gate(planned->addr, func, text, size);
		if (ret)
			return ret;
		*wanted->orig_func = rt_ptr(func->code);
	}
	func->site = rt_addr(site);
	func->below = site->top;
	site->top = rt_addr(func);
	return 0;
}

int place_install(struct rt_object *object, const struct placement *placement,
		  char *text, size_t size)
{
	const struct upatch_object *author = rt_ptr(object->author);

	for (uint32_t i = 0; i < object->func_count; i++) {
		struct rt_func *func = &patch_funcs(object)[i];
		int ret = install_func(&author->funcs[i], &placement->funcs[i],
				       func, text, size);

		if (ret)
			return ret;
	}
	return 0;
}

int place_write_jumps(struct rt_object *object)
{
	for (uint32_t i = 0; i < object->func_count; i++) {
		struct rt_site *site = rt_ptr(patch_funcs(object)[i].site);
		uint8_t jump[ARCH_JUMP_LEN];
		int ret;

		if (site->state == RT_SITE_INSTALLED)
			continue;
		arch_emit_jump(jump, site->addr + site->jump_offset,
			       rt_site_code(site));
		ret = code_area_write(site->addr + site->jump_offset, jump,
				      sizeof(jump));
		if (ret)
			return ret;
		site->state = RT_SITE_INSTALLED;
	}
	return 0;
}

/* --- Removing --------------------------------------------------------- */

/* The code that the jump stands in goes with the library. */
void place_remove(struct rt_object *object)
{
	for (uint32_t i = 0; i < object->func_count; i++) {
		struct rt_func *func = &patch_funcs(object)[i];
		struct rt_site *site = rt_ptr(func->site);

		if (!site)
			continue;
		site_drop_func(func);
		func->site = 0;
		func->code = 0;
		func->code_len = 0;
		func->orig_words = 0;
		func->flags &= (uint8_t)~RT_FUNC_SHIELDED;
		if (!site->top)
			site_forget(site);
	}
}
