/* SPDX-License-Identifier: MIT */
/* The code of one object as it was before any patch. */
#include "object_code.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION_MAX (4UL << 20)

struct code_piece {
	struct code_piece *next;
	upatch_addr_t addr;
	size_t len;
	uint8_t bytes[];
};

int object_code_open(struct object_code *object, const struct memory *memory,
		     const struct module *module,
		     const struct symbol_table *table, const struct view *view,
		     struct upatch_error *err)
{
	*object = (struct object_code){
		.memory = memory,
		.module = module,
		.table = table,
		.view = view,
	};
	return eh_index_read(memory, module, &object->eh_index, err);
}

void object_code_open_file(struct object_code *object,
			   const struct elf_file *file,
			   const struct symbol_table *table)
{
	*object = (struct object_code){ .file = file, .table = table };
}

void object_code_close(struct object_code *object)
{
	while (object->pieces) {
		struct code_piece *piece = object->pieces;

		object->pieces = piece->next;
		free(piece);
	}
	eh_index_free(&object->eh_index);
}

/*
 * Only where the jump is there: a controller can have been killed before or
 * after it wrote it, and at an old site other code may be loaded by now.
 */
static bool has_jump(const struct memory *memory,
		     const struct rt_site_spec *site)
{
	upatch_addr_t addr = site->addr + site->jump_offset;
	uint8_t wanted[ARCH_JUMP_LEN], found[ARCH_JUMP_LEN];

	arch_emit_jump(wanted, addr, site->code);
	return memory_read_some(memory, addr, found, sizeof(found)) ==
		       sizeof(found) &&
	       !memcmp(found, wanted, sizeof(found));
}

static void put_back(const struct rt_site_spec *site, struct code_piece *piece)
{
	for (size_t i = 0; i < sizeof(site->bytes); i++) {
		upatch_addr_t addr = site->addr + site->jump_offset + i;

		if (addr >= piece->addr && addr < piece->addr + piece->len)
			piece->bytes[addr - piece->addr] = site->bytes[i];
	}
}

static void put_back_originals(const struct object_code *object,
			       struct code_piece *piece)
{
	const struct view_site *site;

	if (!object->view)
		return;
	view_for_each(site, object->view->sites, object->view->site_count)
	{
		if (site->rt.addr + site->rt.moved_end > piece->addr &&
		    site->rt.addr < piece->addr + piece->len &&
		    has_jump(object->memory, &site->rt))
			put_back(&site->rt, piece);
	}
}

/* The segment with `addr`, if it has all of the bytes and is executable. */
static bool find_segment(const struct elf_file *file, upatch_addr_t addr,
			 size_t len, GElf_Phdr *ret_phdr)
{
	GElf_Phdr phdr;

	for (size_t i = 0; elf_file_header(file, i, &phdr); i++) {
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X) ||
		    addr < phdr.p_vaddr || len > phdr.p_filesz ||
		    addr - phdr.p_vaddr > phdr.p_filesz - len)
			continue;
		*ret_phdr = phdr;
		return true;
	}
	return false;
}

static bool read_bytes(const struct object_code *object, upatch_addr_t addr,
		       uint8_t *buf, size_t len)
{
	GElf_Phdr phdr;

	if (!object->file)
		return !memory_read(object->memory, addr, buf, len, NULL);
	return find_segment(object->file, addr, len, &phdr) &&
	       pread(object->file->fd, buf, len,
		     (off_t)(phdr.p_offset + (addr - phdr.p_vaddr))) ==
		       (ssize_t)len;
}

const uint8_t *object_code_read(struct object_code *object, upatch_addr_t addr,
				size_t len)
{
	struct code_piece *piece;

	for (piece = object->pieces; piece; piece = piece->next) {
		if (piece->addr == addr && piece->len >= len)
			return piece->bytes;
	}
	if (len > FUNCTION_MAX)
		return NULL;
	piece = malloc(sizeof(*piece) + len);
	if (!piece)
		return NULL;
	piece->addr = addr;
	piece->len = len;
	if (!read_bytes(object, addr, piece->bytes, len)) {
		free(piece);
		return NULL;
	}
	put_back_originals(object, piece);
	piece->next = object->pieces;
	object->pieces = piece;
	return piece->bytes;
}

static bool is_text(const struct object_code *object, upatch_addr_t addr)
{
	const struct module *module = object->module;
	GElf_Phdr phdr;

	if (object->file)
		return find_segment(object->file, addr, 1, &phdr);
	for (size_t i = 0; i < module->text_count; i++) {
		if (addr_range_has(&module->text[i], addr))
			return true;
	}
	return false;
}

bool object_code_has(const struct object_code *object, upatch_addr_t addr,
		     size_t len)
{
	return len > 0 && len <= FUNCTION_MAX && is_text(object, addr) &&
	       is_text(object, addr + len - 1);
}

static bool find_function(void *user, upatch_addr_t addr,
			  upatch_addr_t *ret_start, const uint8_t **ret_code,
			  size_t *ret_len)
{
	struct object_code *object = user;
	struct addr_range range;
	struct symbol symbol;
	const uint8_t *code;

	if (!is_text(object, addr))
		return false;
	if (symbols_at(object->table, addr, &symbol)) {
		range.start = symbol.addr;
		range.end = symbol.addr + symbol.size;
	} else if (!eh_index_find(&object->eh_index, addr, &range)) {
		return false;
	}
	code = object_code_read(object, range.start, range.end - range.start);
	if (!code)
		return false;
	*ret_start = range.start;
	*ret_code = code;
	*ret_len = range.end - range.start;
	return true;
}

struct code_source object_code_source(struct object_code *object)
{
	return (struct code_source){ .find = find_function, .user = object };
}
