/* SPDX-License-Identifier: MIT */
/* What a module's program headers, read from memory, say about it. */
#include "module_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dynamic.h"

/* As many as the kernel accepts (load_elf_phdrs in fs/binfmt_elf.c). */
#define MAX_HEADERS (65536 / sizeof(Elf64_Phdr))
#define MAX_NOTES   65536
#define PAGE	    4096ULL

void module_image_free(struct module_image *image)
{
	free(image->headers);
	image->headers = NULL;
}

const Elf64_Phdr *module_image_header(const struct module_image *image,
				      uint32_t type)
{
	for (size_t i = 0; i < image->count; i++) {
		if (image->headers[i].p_type == type)
			return &image->headers[i];
	}
	return NULL;
}

upatch_addr_t module_image_addr(const struct module_image *image,
				const Elf64_Phdr *header)
{
	return header->p_vaddr + image->bias;
}

/* The first bytes of the file are in memory where this segment begins. */
static const Elf64_Phdr *find_first_segment(const struct module_image *image)
{
	for (size_t i = 0; i < image->count; i++) {
		if (image->headers[i].p_type == PT_LOAD &&
		    image->headers[i].p_offset == 0)
			return &image->headers[i];
	}
	return NULL;
}

static bool read_headers(const struct memory *memory, upatch_addr_t addr,
			 size_t count, struct module_image *ret_image)
{
	struct module_image image = { addr, count, 0, NULL };
	size_t len = count * sizeof(*image.headers);

	if (count == 0 || count > MAX_HEADERS)
		return false;
	image.headers = malloc(len);
	if (!image.headers ||
	    memory_read_some(memory, addr, image.headers, len) != len) {
		module_image_free(&image);
		return false;
	}
	*ret_image = image;
	return true;
}

bool module_image_read(const struct memory *memory, upatch_addr_t addr,
		       size_t count, struct module_image *ret_image)
{
	struct module_image image;
	const Elf64_Phdr *self;

	if (!read_headers(memory, addr, count, &image))
		return false;
	self = module_image_header(&image, PT_PHDR);
	if (self) {
		image.bias = addr - self->p_vaddr;
		*ret_image = image;
		return true;
	}
	/* Linkers put the program headers right behind the ELF header. */
	self = find_first_segment(&image);
	if (self) {
		image.bias = addr - sizeof(Elf64_Ehdr) - self->p_vaddr;
		*ret_image = image;
		return true;
	}
	module_image_free(&image);
	return false;
}

bool module_image_read_elf(const struct memory *memory, upatch_addr_t addr,
			   struct module_image *ret_image)
{
	struct module_image image;
	const Elf64_Phdr *first;
	Elf64_Ehdr elf;

	if (memory_read_some(memory, addr, &elf, sizeof(elf)) != sizeof(elf) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_phentsize != sizeof(Elf64_Phdr) ||
	    !read_headers(memory, addr + elf.e_phoff, elf.e_phnum, &image))
		return false;
	first = find_first_segment(&image);
	if (!first) {
		module_image_free(&image);
		return false;
	}
	image.bias = addr - first->p_vaddr;
	*ret_image = image;
	return true;
}

/*
 * The ELF header of the file that is mapped at `addr`: the mapping of its
 * first page is the nearest one below.  0: not found.
 */
static upatch_addr_t find_elf_header(const struct maps *maps,
				     upatch_addr_t addr)
{
	const struct map *map = maps_find(maps, addr);
	const struct map *at;

	if (!map)
		return 0;
	for (at = map;; at--) {
		bool same_file = at->dev == map->dev && at->inode == map->inode;

		if (same_file && at->offset == 0)
			return at->start;
		if (at == maps->maps)
			return 0;
	}
}

bool module_image_find(const struct memory *memory, const struct maps *maps,
		       upatch_addr_t bias, upatch_addr_t dynamic,
		       struct module_image *ret_image)
{
	upatch_addr_t tries[] = { bias, find_elf_header(maps, dynamic) };
	struct module_image image;
	const Elf64_Phdr *header;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		if (!module_image_read_elf(memory, tries[i], &image))
			continue;
		header = module_image_header(&image, PT_DYNAMIC);
		if (header && image.bias == bias &&
		    module_image_addr(&image, header) == dynamic) {
			*ret_image = image;
			return true;
		}
		module_image_free(&image);
	}
	return false;
}

static char *hex_of(const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * len + 1);

	if (!hex)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * len] = '\0';
	return hex;
}

#define NOTE_OWNER_LEN 4
/* cmd/link/internal/ld/elf.go: the Go linker's build id */
#define NOTE_OWNER_GO "Go\0"
#define NOTE_GO_ID    4

/* The description of the note, or NULL; *ret_len is its length in bytes. */
static const uint8_t *find_note(const uint8_t *notes, size_t len, size_t align,
				const char owner[NOTE_OWNER_LEN], uint32_t type,
				size_t *ret_len)
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t desc;
		uint64_t next;

		memcpy(&note, notes + at, sizeof(note));
		desc = at + sizeof(note) + note.n_namesz;
		desc = (desc + align - 1) & ~(uint64_t)(align - 1);
		next = desc + note.n_descsz;
		if (next > len)
			return NULL;
		if (note.n_type == type && note.n_namesz == NOTE_OWNER_LEN &&
		    memcmp(notes + at + sizeof(note), owner, NOTE_OWNER_LEN) ==
			    0) {
			*ret_len = note.n_descsz;
			return notes + desc;
		}
		next = (next + align - 1) & ~(uint64_t)(align - 1);
		if (next > len)
			return NULL;
		at = next;
	}
	return NULL;
}

/* What the notes of `header` tell.  False: errno. */
static bool read_notes(const struct memory *memory,
		       const struct module_image *image,
		       const Elf64_Phdr *header, struct module *module)
{
	size_t align = header->p_align == 8 ? 8 : 4;
	size_t len = header->p_filesz;
	bool complete = true;
	const uint8_t *id;
	uint8_t *notes;
	size_t id_len;

	if (len == 0 || len > MAX_NOTES)
		return true;
	notes = malloc(len);
	if (!notes)
		return false;
	len = memory_read_some(memory, module_image_addr(image, header), notes,
			       len);
	id = find_note(notes, len, align, ELF_NOTE_GNU, NT_GNU_BUILD_ID,
		       &id_len);
	if (id && id_len > 0 && id_len <= MODULE_BUILD_ID_MAX &&
	    !module->build_id) {
		module->build_id = hex_of(id, id_len);
		complete = module->build_id;
	}
	if (find_note(notes, len, align, NOTE_OWNER_GO, NOTE_GO_ID, &id_len))
		module->is_go = true;
	free(notes);
	return complete;
}

/*
 * The name, if it has one.  False: errno; the module must not be taken for one
 * without a name then, as names tell the C library and the runtime.
 */
static bool read_soname(const struct memory *memory,
			const struct module *module, char **ret_soname)
{
	struct dynamic_place place = { module->dynamic, module->bias,
				       module->start, module->end };
	struct dynamic dynamic;
	char soname[4096];

	errno = EIO;
	if (!module->dynamic)
		return true;
	if (!dynamic_read(memory, &place, &dynamic))
		return false;
	if (dynamic.soname == 0 || dynamic.strtab == 0 ||
	    dynamic.soname >= dynamic.strtab_len)
		return true;
	if (memory_read_string(memory, dynamic.strtab + dynamic.soname, soname,
			       sizeof(soname), NULL) < 0)
		return false;
	*ret_soname = strdup(soname);
	return *ret_soname;
}

static void take_segment(const struct module_image *image,
			 const Elf64_Phdr *header, struct module *module)
{
	upatch_addr_t start = module_image_addr(image, header);
	upatch_addr_t end = start + header->p_memsz;
	upatch_addr_t first_page = start & ~(PAGE - 1);
	upatch_addr_t last_page = (end + PAGE - 1) & ~(PAGE - 1);

	if (end < start || last_page < end)
		return;
	if (module->end == 0 || first_page < module->start)
		module->start = first_page;
	if (last_page > module->end)
		module->end = last_page;
	if (header->p_flags & PF_X)
		module->text[module->text_count++] =
			(struct addr_range){ start, end };
}

bool module_image_describe(const struct memory *memory,
			   const struct module_image *image,
			   struct module *module)
{
	module->bias = image->bias;
	module->phdr = image->addr;
	module->phdr_count = image->count;
	module->text = calloc(image->count, sizeof(*module->text));
	if (!module->text)
		return false;
	for (size_t i = 0; i < image->count; i++) {
		const Elf64_Phdr *header = &image->headers[i];

		if (header->p_type == PT_LOAD)
			take_segment(image, header, module);
		if (header->p_type == PT_DYNAMIC)
			module->dynamic = module_image_addr(image, header);
		if (header->p_type == PT_GNU_EH_FRAME) {
			module->eh_frame_hdr = module_image_addr(image, header);
			module->eh_frame_hdr_len = header->p_memsz;
		}
		if (header->p_type == PT_NOTE &&
		    !read_notes(memory, image, header, module))
			return false;
	}
	return read_soname(memory, module, &module->soname);
}

void module_image_fini_module(struct module *module)
{
	free(module->path);
	free(module->soname);
	free(module->build_id);
	free(module->text);
	memset(module, 0, sizeof(*module));
}
