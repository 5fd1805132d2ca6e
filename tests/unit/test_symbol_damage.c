/* SPDX-License-Identifier: MIT */
/* Files that were cut short or overwritten: any answer, but an answer. */
#include "symbols.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "debug_file.h"
#include "scratch.h"
#include "symbol_memory.h"

TestSuite(symbol_damage, .timeout = 300);

/* How many files are made of each, and how many bytes are changed in one. */
#define ROUNDS	  2000
#define MAX_BYTES 16

struct content {
	uint8_t *bytes;
	size_t len;
};

static void build(void)
{
	scratch_write("lib.c", "__attribute__((noipa)) static int hidden(int n)"
			       " { return n + 40; }\n"
			       "__thread int tls;\n"
			       "int shown(int n) { return hidden(n) + tls; }\n"
			       "int old(void) { return 1; }\n"
			       "__asm__(\".symver old, versioned@V1\");\n");
	scratch_write("lib.map", "V1 { };\nV2 { } V1;\n");
	scratch_run("gcc -O2 -shared -fPIC -nostartfiles lib.c"
		    " -Wl,--version-script=lib.map -o full.so &&"
		    " strip full.so -o bare.so && cp full.so debug.so &&"
		    " objcopy --only-keep-debug debug.so debug.so.debug &&"
		    " objcopy --strip-all"
		    " --add-gnu-debuglink=debug.so.debug debug.so &&"
		    " objcopy --only-keep-debug full.so mini &&"
		    " objcopy -S -K hidden mini && xz -k mini &&"
		    " objcopy --add-section .gnu_debugdata=mini.xz bare.so"
		    " mini.so");
}

static struct content load(const char *name)
{
	struct content content = { malloc(1 << 20), 0 };
	FILE *file = fopen(scratch_path(name), "r");

	cr_assert(file != NULL);
	content.len = fread(content.bytes, 1, 1 << 20, file);
	fclose(file);
	cr_assert(lt(sz, content.len, 1 << 20));
	return content;
}

/* Asks for everything that can be asked for. */
static void use(const struct symbol_table *table)
{
	static const char *const names[] = { "hidden", "shown", "tls",
					     "nowhere", "versioned" };
	struct symbol symbol;
	struct symbol found[4];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct upatch_error err;

		if (symbols_find(table, names[i], i % 3, SYMBOL_WANTED_ANY,
				 &symbol, &err) < 0)
			continue;
		symbols_at(table, symbol.addr, &symbol);
		symbols_pieces(table, &symbol, found, 4);
		symbols_clones(table, &symbol, found, 4);
		symbols_aliases(table, symbol.addr, found, 4);
	}
	for (uint64_t addr = 0; addr < 0x5000; addr += 0x111)
		symbols_at(table, addr, &symbol);
}

static bool try_file(const char *path)
{
	struct symbol_table *table;
	struct upatch_error err;

	if (symbols_open_file(path, &table, &err) < 0)
		return false;
	use(table);
	symbols_close(table);
	return true;
}

static bool try_bytes(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(ge(int, fd, 0));
	cr_assert(write(fd, bytes, len) == (ssize_t)len);
	close(fd);
	return try_file(path);
}

static const char *const files[] = { "full.so", "bare.so", "debug.so",
				     "mini.so" };

Test(symbol_damage, files_cut_short_do_no_harm)
{
	build();
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char path[256];
		struct content content = load(files[i]);

		snprintf(path, sizeof(path), "%s", scratch_path("cut.so"));
		cr_assert(try_bytes(path, content.bytes, content.len));
		for (size_t len = 0; len < content.len; len += 64)
			try_bytes(path, content.bytes, len);
		free(content.bytes);
	}
}

/* Where a change matters most: the headers, and where sections are listed. */
static size_t choose_place(size_t len)
{
	switch (random() % 4) {
	case 0:
		return (size_t)random() % 1024;
	case 1:
		return len - 1 - (size_t)random() % 2048;
	default:
		return (size_t)random() % len;
	}
}

static void damage(struct content *content)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	int count = 1 + (int)(random() % MAX_BYTES);

	for (int i = 0; i < count; i++)
		content->bytes[choose_place(content->len)] =
			random() % 2 ? (uint8_t)random() : values[random() % 5];
}

Test(symbol_damage, files_overwritten_at_random_do_no_harm)
{
	char path[256];

	srandom(3);
	build();
	snprintf(path, sizeof(path), "%s", scratch_path("bad.so"));
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct content original = load(files[i]);
		struct content content = { malloc(original.len), original.len };
		unsigned int opened = 0;

		for (int round = 0; round < ROUNDS; round++) {
			memcpy(content.bytes, original.bytes, content.len);
			damage(&content);
			opened += try_bytes(path, content.bytes, content.len);
		}
		cr_assert(gt(uint, opened, ROUNDS / 4), "%s", files[i]);
		free(content.bytes);
		free(original.bytes);
	}
}

/* The file is sound, what was split off it is not. */
Test(symbol_damage, debug_files_overwritten_at_random_do_no_harm)
{
	struct content original;
	struct content content;
	char path[256];
	char debug_path[256];

	srandom(4);
	build();
	snprintf(path, sizeof(path), "%s", scratch_path("debug.so"));
	snprintf(debug_path, sizeof(debug_path), "%s",
		 scratch_path("debug.so.debug"));
	original = load("debug.so.debug");
	content = (struct content){ malloc(original.len), original.len };
	for (int round = 0; round < ROUNDS; round++) {
		memcpy(content.bytes, original.bytes, content.len);
		damage(&content);
		try_bytes(debug_path, content.bytes, content.len);
		cr_assert(try_file(path));
	}
	free(content.bytes);
	free(original.bytes);
}

/* Tables as they could stand in the memory of a target that went mad. */
Test(symbol_damage, tables_made_at_random_do_no_harm)
{
	enum {
		COUNT = 64,
		LEN = 512
	};
	Elf64_Sym symbols[COUNT];
	char strings[LEN];

	srandom(5);
	for (int round = 0; round < ROUNDS; round++) {
		struct symbol_source_table source = { symbols, COUNT, strings,
						      LEN, NULL };
		struct symbol_index index;
		struct symbol_table table = { .index = &index,
					      .bias = 0x1000,
					      .name = "made up",
					      .origin = SYMBOL_ORIGIN_FULL };

		for (size_t i = 0; i < LEN; i++)
			strings[i] = "abf.cold@\0\0.part0"[random() % 17];
		for (size_t i = 0; i < sizeof(symbols); i++)
			((uint8_t *)symbols)[i] =
				(uint8_t)(random() % 3 ? 0 : random());
		for (size_t i = 0; i < COUNT; i++)
			symbols[i].st_name %= LEN + 8;
		symbol_index_init(&index);
		cr_assert(symbol_index_add_code(&index, 0x100, 0x9000));
		cr_assert(symbol_index_add_code(&index, 0, UINT64_MAX));
		cr_assert(symbol_index_add_code(&index, 5, 5));
		cr_assert(symbol_index_add_table(&index, &source));
		cr_assert(symbol_index_finish(&index));
		use(&table);
		symbol_index_fini(&index);
	}
}

/* A copy of the vdso, whose dynamic section has no absolute addresses. */
Test(symbol_damage, memory_overwritten_at_random_does_no_harm)
{
	const struct module *vdso;
	struct modules modules;
	struct module module;
	struct memory memory;
	struct content content;
	unsigned int read = 0;

	srandom(6);
	cr_assert(eq(int, memory_open(&memory, getpid(), NULL), 0));
	cr_assert(eq(int, modules_read(&memory, &modules, NULL, NULL), 0));
	vdso = modules_find_name(&modules, "linux-vdso.so.1");
	cr_assert(vdso != NULL);
	content.len = vdso->end - vdso->start;
	content.bytes = malloc(content.len);
	module = *vdso;
	module.start = (uintptr_t)content.bytes;
	module.end = module.start + content.len;
	module.bias = module.start - (vdso->start - vdso->bias);
	module.dynamic = module.start + (vdso->dynamic - vdso->start);
	module.text_count = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct symbol_index index;
		struct symbol_table table = { .index = &index,
					      .bias = module.bias,
					      .name = "vdso",
					      .origin = SYMBOL_ORIGIN_DYNAMIC };

		memcpy(content.bytes, (void *)vdso->start, content.len);
		damage(&content);
		symbol_index_init(&index);
		cr_assert(symbol_index_add_code(&index, 0, content.len));
		cr_assert(symbol_memory_read(&memory, &module, &index));
		cr_assert(symbol_index_finish(&index));
		read += index.count > 0;
		use(&table);
		symbol_index_fini(&index);
	}
	cr_assert(gt(uint, read, ROUNDS / 4));
	free(content.bytes);
	modules_free(&modules);
	memory_close(&memory);
}
