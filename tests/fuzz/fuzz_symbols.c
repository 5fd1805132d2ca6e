/* SPDX-License-Identifier: MIT */
/*
 * Whatever a file contains, its symbols can be asked for: .symtab, .dynsym,
 * .gnu_debugdata, the name of its debug file.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void ask(const struct symbol_table *table, const char *name,
		unsigned long sympos)
{
	struct symbol found[4];
	struct symbol symbol;
	struct upatch_error err;

	if (symbols_find(table, name, sympos, SYMBOL_WANTED_ANY, &symbol, &err))
		return;
	symbols_at(table, symbol.addr, &symbol);
	symbols_pieces(table, &symbol, found, 4);
	symbols_clones(table, &symbol, found, 4);
	symbols_aliases(table, symbol.addr, found, 4);
}

static void ask_all(const struct symbol_table *table)
{
	static const char *const names[] = { "hidden", "shown", "tls",
					     "versioned", "nowhere" };
	struct symbol symbol;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (unsigned long sympos = 0; sympos < 3; sympos++)
			ask(table, names[i], sympos);
	}
	for (uint64_t addr = 0; addr < 0x5000; addr += 0x111)
		symbols_at(table, addr, &symbol);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("symbols", MFD_CLOEXEC);
	struct symbol_table *table;
	char path[32];

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, bytes, len) == (ssize_t)len &&
	    symbols_open_file(path, &table, NULL) == 0) {
		ask_all(table);
		symbols_close(table);
	}
	close(fd);
	return 0;
}
