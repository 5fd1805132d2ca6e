/* SPDX-License-Identifier: MIT */
/*
 * The compressed symbol table that some distributions leave in a program
 * (gdb manual, "MiniDebugInfo"): an ELF file, packed by xz.
 */
#include "minidebug.h"

#include <lzma.h>
#include <stdlib.h>

#include "symbol_file.h"

/* A table that is larger is a file that wants to do harm. */
#define UNPACKED_MAX (256UL << 20)
#define MEMORY_MAX   (256UL << 20)

/* Twice as much room, for the bytes that are still to come. */
static bool grow(lzma_stream *stream, uint8_t **unpacked, size_t *size)
{
	size_t done = stream->total_out;
	uint8_t *bigger;

	if (*size >= UNPACKED_MAX)
		return false;
	bigger = realloc(*unpacked, 2 * *size);
	if (!bigger)
		return false;
	*unpacked = bigger;
	*size *= 2;
	stream->next_out = bigger + done;
	stream->avail_out = *size - done;
	return true;
}

/* NULL: it cannot be unpacked.  Release with free. */
static uint8_t *unpack(const Elf_Data *packed, size_t *ret_len)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	size_t size = 4 * packed->d_size + 4096;
	uint8_t *unpacked = malloc(size);
	lzma_ret state = LZMA_MEM_ERROR;

	if (unpacked &&
	    lzma_stream_decoder(&stream, MEMORY_MAX, 0) == LZMA_OK) {
		stream.next_in = packed->d_buf;
		stream.avail_in = packed->d_size;
		stream.next_out = unpacked;
		stream.avail_out = size;
		do {
			state = lzma_code(&stream, LZMA_FINISH);
		} while (state == LZMA_OK && stream.avail_out == 0 &&
			 grow(&stream, &unpacked, &size));
	}
	*ret_len = stream.total_out;
	lzma_end(&stream);
	if (state == LZMA_STREAM_END)
		return unpacked;
	free(unpacked);
	return NULL;
}

bool minidebug_read(const struct elf_file *file, struct symbol_index *index)
{
	Elf_Scn *section =
		elf_file_section(file, SHT_PROGBITS, ".gnu_debugdata");
	const Elf_Data *packed = section ? elf_getdata(section, NULL) : NULL;
	struct elf_file mini = { .fd = -1 };
	uint8_t *unpacked;
	bool done = true;
	size_t len;

	if (!packed || !packed->d_buf)
		return true;
	unpacked = unpack(packed, &len);
	if (!unpacked)
		return true;
	mini.elf = elf_memory((char *)unpacked, len);
	if (mini.elf && elf_kind(mini.elf) == ELF_K_ELF)
		done = symbol_file_add_symtab(&mini, index);
	elf_end(mini.elf);
	free(unpacked);
	return done;
}
