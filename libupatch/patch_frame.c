/* SPDX-License-Identifier: MIT */
/* .eh_frame_hdr and .eh_frame, as in the LSB core specification, chapter 10. */
#include "patch_frame.h"

#include <dwarf.h>
#include <string.h>

#define HDR_VERSION 1

/* .eh_frame_hdr in the one form that GNU ld, gold, lld and mold write. */
struct frame_hdr {
	uint8_t version;
	uint8_t frame_encoding; /* of eh_frame */
	uint8_t count_encoding; /* of count */
	uint8_t table_encoding; /* of struct frame_hdr_row */
	int32_t eh_frame;
	uint32_t count;
};

/* Sorted by start; both relative to the beginning of .eh_frame_hdr. */
struct frame_hdr_row {
	int32_t start;
	int32_t entry;
};

/* A reader of bytes that may be cut off anywhere. */
struct cursor {
	const struct patch_elf *elf;
	upatch_addr_t addr, end;
	bool failed;
};

static void take(struct cursor *cursor, void *buf, size_t len)
{
	memset(buf, 0, len);
	if (cursor->failed || cursor->end - cursor->addr < len ||
	    !patch_elf_read(cursor->elf, cursor->addr, buf, len))
		cursor->failed = true;
	else
		cursor->addr += len;
}

static uint8_t take_byte(struct cursor *cursor)
{
	uint8_t byte;

	take(cursor, &byte, sizeof(byte));
	return byte;
}

/* Values of LEB128 numbers play no part here, only their lengths. */
static void skip_leb128(struct cursor *cursor)
{
	while (take_byte(cursor) & 0x80)
		;
}

/* The bytes of a pointer in `encoding`, or 0 where that is not known. */
static size_t encoded_len(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

/* Opens the entry (CIE or FDE) at `addr`, behind its length field. */
static bool open_entry(const struct patch_elf *elf, upatch_addr_t addr,
		       struct cursor *ret_cursor)
{
	uint32_t len;

	/* 0 ends the table; ~0 announces a 64-bit length, which nobody emits */
	if (!patch_elf_read(elf, addr, &len, sizeof(len)) || len == 0 ||
	    len == UINT32_MAX)
		return false;
	ret_cursor->elf = elf;
	ret_cursor->addr = addr + sizeof(len);
	ret_cursor->end = ret_cursor->addr + len;
	ret_cursor->failed = false;
	return ret_cursor->end > ret_cursor->addr;
}

/* Takes the letter of an augmentation; DW_EH_PE_omit: not R. */
static uint8_t take_augmentation(struct cursor *cursor, char letter)
{
	uint8_t encoding, skipped[8];

	switch (letter) {
	case 'R':
		return take_byte(cursor);
	case 'L':
		take_byte(cursor);
		break;
	case 'P':
		encoding = take_byte(cursor);
		if (encoded_len(encoding) == 0)
			cursor->failed = true;
		take(cursor, skipped, encoded_len(encoding));
		break;
	case 'S': /* a signal frame */
	case 'B': /* signed return addresses */
		break;
	default:
		cursor->failed = true;
	}
	return DW_EH_PE_omit;
}

/* How the FDEs of the CIE at `addr` encode their addresses. */
static uint8_t address_encoding(const struct patch_elf *elf, upatch_addr_t addr)
{
	uint8_t version, encoding = DW_EH_PE_absptr;
	const char *augmentation;
	struct cursor cursor;
	uint32_t id;

	if (!open_entry(elf, addr, &cursor))
		return DW_EH_PE_omit;
	take(&cursor, &id, sizeof(id));
	version = take_byte(&cursor);
	augmentation = patch_elf_find_string(elf, cursor.addr);
	if (cursor.failed || id != 0 || (version != 1 && version != 3) ||
	    !augmentation)
		return DW_EH_PE_omit;
	if (augmentation[0] == '\0')
		return encoding;
	cursor.addr += strlen(augmentation) + 1;
	if (augmentation[0] != 'z' || cursor.addr > cursor.end)
		return DW_EH_PE_omit;
	skip_leb128(&cursor); /* code alignment */
	skip_leb128(&cursor); /* data alignment */
	skip_leb128(&cursor); /* return address register; a byte in version 1 */
	skip_leb128(&cursor); /* length of the augmentation */
	for (const char *letter = augmentation + 1; *letter; letter++) {
		uint8_t found = take_augmentation(&cursor, *letter);

		if (found != DW_EH_PE_omit)
			encoding = found;
		if (cursor.failed)
			return DW_EH_PE_omit;
	}
	return encoding;
}

/* The number of code bytes that the FDE at `addr` covers, or 0. */
static uint64_t frame_code_len(const struct patch_elf *elf, upatch_addr_t addr)
{
	struct cursor cursor;
	uint64_t skipped, code_len = 0;
	upatch_addr_t cie_field;
	uint32_t cie_distance;
	uint8_t encoding;
	size_t len;

	if (!open_entry(elf, addr, &cursor))
		return 0;
	cie_field = cursor.addr;
	take(&cursor, &cie_distance, sizeof(cie_distance));
	if (cursor.failed || cie_distance == 0)
		return 0;
	encoding = address_encoding(elf, cie_field - cie_distance);
	len = encoding == DW_EH_PE_omit ? 0 : encoded_len(encoding);
	take(&cursor, &skipped, len);
	take(&cursor, &code_len, len);
	return cursor.failed ? 0 : code_len;
}

static bool read_row(const struct patch_elf *elf, uint64_t index,
		     struct frame_hdr_row *ret_row)
{
	return patch_elf_read(elf,
			      elf->eh_frame_hdr.start +
				      sizeof(struct frame_hdr) +
				      index * sizeof(*ret_row),
			      ret_row, sizeof(*ret_row));
}

/* The last row that starts at or below `addr`. */
static bool find_row(const struct patch_elf *elf, upatch_addr_t addr,
		     uint64_t count, struct frame_hdr_row *ret_row)
{
	upatch_addr_t base = elf->eh_frame_hdr.start;
	uint64_t low = 0, high = count;
	struct frame_hdr_row row;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!read_row(elf, middle, &row))
			return false;
		if (base + (uint64_t)(int64_t)row.start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && read_row(elf, low - 1, ret_row);
}

bool patch_frame_find(const struct patch_elf *elf, upatch_addr_t addr,
		      struct addr_range *ret_range)
{
	upatch_addr_t base = elf->eh_frame_hdr.start;
	struct frame_hdr_row row;
	struct addr_range range;
	struct frame_hdr hdr;

	if (elf->eh_frame_hdr.end == base ||
	    !patch_elf_read(elf, base, &hdr, sizeof(hdr)) ||
	    hdr.version != HDR_VERSION ||
	    hdr.frame_encoding != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) ||
	    hdr.count_encoding != DW_EH_PE_udata4 ||
	    hdr.table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4) ||
	    !find_row(elf, addr, hdr.count, &row))
		return false;
	range.start = base + (uint64_t)(int64_t)row.start;
	range.end = range.start +
		    frame_code_len(elf, base + (uint64_t)(int64_t)row.entry);
	if (!addr_range_has(&range, addr) ||
	    !patch_elf_find(elf, range.start, range.end - range.start))
		return false;
	*ret_range = range;
	return true;
}
