/* SPDX-License-Identifier: MIT */
/*
 * What the runtime finds out about libraries in its own process, held against
 * the loader and against the controller.
 */
#include "runtime/object_symbols.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "elf_file.h"
#include "random_bytes.h"
#include "runtime/object_file.h"
#include "scratch.h"

TestSuite(object_symbols, .timeout = 120);

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- Libraries -------------------------------------------------------- */

static const char first_source[] =
	"#include <stdlib.h>\n"
	"#define NOIPA __attribute__((noipa))\n"
	"NOIPA static int twice(int n) { return n + 1; }\n"
	"NOIPA static int lonely(int n) { return n + 2; }\n"
	"int variable = 3;\n"
	"__thread int tls = 4;\n"
	"__attribute__((cold, noipa)) static void fail(void) { abort(); }\n"
	"NOIPA int split(int n)\n"
	"{ if (n == 77) { fail(); variable++; } return twice(n) * n; }\n"
	"int shown(int n) { return split(n) + lonely(n) + tls; }\n"
	"__attribute__((weak)) int weak(int n) { return shown(n) * 5; }\n"
	"__attribute__((visibility(\"hidden\"))) NOIPA int hidden(int n)\n"
	"{ return n * 6; }\n"
	"__attribute__((visibility(\"protected\"))) int guarded(int n)\n"
	"{ return hidden(n) * 7; }\n"
	"int also_shown(int) __attribute__((alias(\"shown\")));\n"
	"int called_inside(int n) { return n * 8; }\n"
	"__attribute__((visibility(\"hidden\"))) int inner_name(int)\n"
	" __attribute__((alias(\"called_inside\")));\n"
	"static int chosen(int n) { return n; }\n"
	"static void *choose(void) { return (void *)chosen; }\n"
	"int indirect(int n) __attribute__((ifunc(\"choose\")));\n"
	"int old_version(int n) { return n * 9; }\n"
	"int new_version(int n) { return n * 10; }\n"
	"__asm__(\".symver old_version, versioned@V1\");\n"
	"__asm__(\".symver new_version, versioned@@V2\");\n"
	"__asm__(\".globl label\\n.text\\nlabel: ret\\n\");\n";

static const char second_source[] =
	"__attribute__((noipa)) static int twice(int n) { return n + 11; }\n"
	"int other(int n) { return twice(n) * 12; }\n";

static const char version_map[] =
	"V1 { };\n"
	"V2 { global: shown; also_shown; weak; guarded; split; other; variable;\n"
	"tls; called_inside; indirect; label; local: none; } V1;\n";

static void build(const char *name, const char *flags, const char *then)
{
	scratch_write("first.c", first_source);
	scratch_write("second.c", second_source);
	scratch_write("lib.map", version_map);
	scratch_run("gcc -O2 -g0 -shared -fPIC -Wl,--version-script=lib.map %s"
		    " first.c second.c -o %s && %s",
		    flags, name, then);
}

static struct link_map *load(const char *path)
{
	struct link_map *map = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	cr_assert(map != NULL, "%s", dlerror());
	return map;
}

static struct object_symbols open_symbols(const struct link_map *map)
{
	struct object_symbols symbols;
	struct upatch_error err = { 0 };
	int ret = object_symbols_open(map, &symbols, &err);

	cr_assert(eq(int, ret, 0), "%s: %s", map->l_name, err.message);
	return symbols;
}

static int find(const struct object_symbols *symbols, const char *name,
		unsigned long sympos, struct symbol *ret_symbol)
{
	return symbols_find(symbols->table, name, sympos, SYMBOL_WANTED_FUNC,
			    ret_symbol, NULL);
}

static bool is_found(const struct object_symbols *symbols, const char *name)
{
	struct symbol symbol;

	return find(symbols, name, 0, &symbol) == 0;
}

/* --- Like the controller ---------------------------------------------- */

static bool is_same_entry(const struct symbol_index *one_index,
			  const struct symbol_entry *one,
			  const struct symbol_index *other_index,
			  const struct symbol_entry *other)
{
	return !strcmp(symbol_index_name(one_index, one),
		       symbol_index_name(other_index, other)) &&
	       one->addr == other->addr && one->size == other->size &&
	       one->file == other->file && one->type == other->type &&
	       one->is_global == other->is_global &&
	       one->size_known == other->size_known &&
	       one->is_hidden == other->is_hidden &&
	       one->is_duplicate == other->is_duplicate;
}

/* Entry by entry: then every answer is the same, as the same code gives it. */
static void compare_tables(const struct link_map *map,
			   enum symbol_origin origin)
{
	struct object_symbols symbols = open_symbols(map);
	struct upatch_error err = { 0 };
	struct symbol_table *wanted;
	int ret = symbols_open_file(map->l_name, &wanted, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	cr_expect(eq(int, wanted->origin, origin), "%s", map->l_name);
	cr_expect(eq(int, symbols.table->origin, origin), "%s", map->l_name);
	cr_expect(eq(u64, symbols.table->bias, map->l_addr));
	cr_assert(eq(u32, symbols.table->index->count, wanted->index->count),
		  "%s", map->l_name);
	for (uint32_t i = 0; i < wanted->index->count; i++) {
		bool same = is_same_entry(symbols.table->index,
					  &symbols.table->index->entries[i],
					  wanted->index,
					  &wanted->index->entries[i]);

		cr_assert(same, "%s: entry %u", map->l_name, i);
	}
	cr_log_info("%s: %u symbols", map->l_name, wanted->index->count);
	symbols_close(wanted);
	object_symbols_close(&symbols);
}

static const struct variant {
	const char *name, *flags, *then;
	enum symbol_origin origin;
} variants[] = {
	{ "full.so", "", "true", SYMBOL_ORIGIN_FULL },
	{ "sysv.so", "-Wl,--hash-style=sysv", "true", SYMBOL_ORIGIN_FULL },
	{ "gnu.so", "-Wl,--hash-style=gnu", "strip gnu.so",
	  SYMBOL_ORIGIN_DYNAMIC },
	{ "both.so", "-Wl,--hash-style=both", "strip both.so",
	  SYMBOL_ORIGIN_DYNAMIC },
	{ "anonymous.so", "-Wl,--build-id=none", "true", SYMBOL_ORIGIN_FULL },
	{ "md5.so", "-Wl,--build-id=md5 -Wl,-soname,libnamed.so.1", "true",
	  SYMBOL_ORIGIN_FULL },
	{ "one_segment.so", "-Wl,-z,noseparate-code", "true",
	  SYMBOL_ORIGIN_FULL },
};

Test(object_symbols, are_those_that_the_controller_finds)
{
	for (size_t i = 0; i < COUNT(variants); i++) {
		const struct variant *variant = &variants[i];

		build(variant->name, variant->flags, variant->then);
		compare_tables(load(scratch_path(variant->name)),
			       variant->origin);
	}
}

Test(object_symbols, of_real_libraries_are_the_same)
{
	static const char *const names[] = {
		"libcrypto.so.3",
		"libstdc++.so.6",
		"libz.so.1",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		struct link_map *map = dlopen(names[i], RTLD_NOW);

		if (map)
			compare_tables(map, SYMBOL_ORIGIN_DYNAMIC);
	}
}

/* What distributions split off libc, if it is installed. */
Test(object_symbols, of_a_debug_file_by_build_id_are_the_same)
{
	struct link_map *map = load("libc.so.6");
	struct object_symbols symbols = open_symbols(map);
	bool has_static = symbols_has_static(symbols.table);

	object_symbols_close(&symbols);
	if (!has_static)
		cr_skip("no symbols of libc here");
	compare_tables(map, SYMBOL_ORIGIN_DEBUG);
}

/* --- Like the loader --------------------------------------------------- */

Test(object_symbols, of_exported_functions_are_where_dlsym_says)
{
	static const char *const names[] = {
		"shown", "also_shown", "weak",		"guarded",   "split",
		"other", "label",      "called_inside", "versioned",
	};
	struct object_symbols symbols;
	struct link_map *map;

	build("lib.so", "", "true");
	map = load(scratch_path("lib.so"));
	symbols = open_symbols(map);
	for (size_t i = 0; i < COUNT(names); i++) {
		uintptr_t expected = (uintptr_t)dlsym(map, names[i]);
		struct symbol symbol;
		int ret = find(&symbols, names[i], 0, &symbol);

		cr_assert(eq(int, ret, 0), "%s", names[i]);
		cr_expect(eq(u64, symbol.addr, expected), "%s", names[i]);
		cr_expect(gt(u64, symbol.size, 0), "%s", names[i]);
	}
	object_symbols_close(&symbols);
}

/* --- What is found, and what is refused ------------------------------- */

static void check_refused(const struct object_symbols *symbols,
			  const char *name, unsigned long sympos,
			  const char *reason)
{
	struct upatch_error err = { 0 };
	struct symbol symbol;
	int ret = symbols_find(symbols->table, name, sympos, SYMBOL_WANTED_FUNC,
			       &symbol, &err);
	bool named = strstr(err.message, reason);

	cr_expect(eq(int, ret, UPATCH_ERROR_MISMATCH), "%s", name);
	cr_expect(named, "%s: %s", name, err.message);
}

Test(object_symbols, static_functions_are_chosen_by_position)
{
	struct object_symbols symbols;
	struct symbol one, two, old;

	build("lib.so", "-Wl,-soname,libnamed.so.1", "true");
	symbols = open_symbols(load(scratch_path("lib.so")));
	cr_expect(is_found(&symbols, "lonely"));
	cr_assert(eq(int, find(&symbols, "twice", 1, &one), 0));
	cr_assert(eq(int, find(&symbols, "twice", 2, &two), 0));
	cr_expect(ne(u64, one.addr, two.addr));
	cr_assert(eq(int, find(&symbols, "versioned@V1", 0, &old), 0));
	cr_expect(eq(int, find(&symbols, "versioned", 0, &one), 0));
	cr_expect(ne(u64, one.addr, old.addr));
	check_refused(&symbols, "twice", 0,
		      "'twice' is not unique in 'libnamed.so.1': 1 at 0x");
	check_refused(&symbols, "twice", 3, "no occurrence 3 of 'twice'");
	check_refused(&symbols, "variable", 0, "is not a function");
	check_refused(&symbols, "indirect", 0, "is an indirect function");
	check_refused(&symbols, "abort", 0, "no function 'abort'");
	check_refused(&symbols, "lonly", 0, "similar: 'lonely'");
	object_symbols_close(&symbols);
}

Test(object_symbols, pieces_that_the_compiler_split_off_are_found)
{
	struct object_symbols symbols;
	struct symbol split, pieces[4];

	build("lib.so", "", "true");
	symbols = open_symbols(load(scratch_path("lib.so")));
	cr_assert(eq(int, find(&symbols, "split", 0, &split), 0));
	cr_assert(eq(sz, symbols_pieces(symbols.table, &split, pieces, 4), 1));
	cr_expect(eq(str, (char *)(uintptr_t)pieces[0].name, "split.cold"));
	cr_expect(ne(u64, pieces[0].addr, split.addr));
	object_symbols_close(&symbols);
}

/* --- Files that are not what was loaded ------------------------------- */

static void check_exported_only(const struct link_map *map)
{
	struct object_symbols symbols = open_symbols(map);

	cr_expect(eq(int, symbols_has_static(symbols.table), 0));
	cr_expect(is_found(&symbols, "shown"));
	check_refused(&symbols, "lonely", 0,
		      "of which only exported symbols are known");
	object_symbols_close(&symbols);
}

Test(object_symbols, a_file_that_is_gone_is_done_without)
{
	struct link_map *map;

	build("lib.so", "", "true");
	map = load(scratch_path("lib.so"));
	scratch_run("mv lib.so away.so");
	check_exported_only(map);
	scratch_run("mkdir lib.so");
	check_exported_only(map);
	scratch_run("rmdir lib.so && mkfifo lib.so");
	check_exported_only(map);
	scratch_run("rm lib.so && mv away.so lib.so");
	compare_tables(map, SYMBOL_ORIGIN_FULL);
}

Test(object_symbols, a_file_of_another_build_is_not_believed)
{
	static const char *const flags[] = {
		"-Wl,-soname,a -Wl,--build-id=sha1",
		"-Wl,-soname,a -Wl,--build-id=none"
	};

	for (size_t i = 0; i < COUNT(flags); i++) {
		const char *name = i ? "b.so" : "a.so";
		struct link_map *map;

		build(name, flags[i], "true");
		map = load(scratch_path(name));
		build("other.so", flags[i], "true");
		/* The same again, or one with a function more. */
		scratch_run("mv other.so %s", name);
		compare_tables(map, SYMBOL_ORIGIN_FULL);
		scratch_run("echo 'int more;' >> first.c &&"
			    " sed -i 's/shown;/shown; more;/' lib.map &&"
			    " gcc -O2 -g0 -shared -fPIC"
			    " -Wl,--version-script=lib.map %s"
			    " first.c second.c -o other.so && mv other.so %s",
			    flags[i], name);
		check_exported_only(map);
	}
}

Test(object_symbols, a_file_without_section_headers_is_done_without)
{
	struct link_map *map;
	FILE *file;
	Elf64_Ehdr header;

	build("lib.so", "", "true");
	file = fopen(scratch_path("lib.so"), "r+");
	cr_assert(eq(sz, fread(&header, sizeof(header), 1, file), 1));
	header.e_shoff = 0;
	header.e_shnum = 0;
	header.e_shstrndx = 0;
	rewind(file);
	cr_assert(eq(sz, fwrite(&header, sizeof(header), 1, file), 1));
	fclose(file);
	map = load(scratch_path("lib.so"));
	check_exported_only(map);
}

/* --- Damage ------------------------------------------------------------ */

struct content {
	uint8_t *bytes;
	size_t len;
};

static struct content read_content(const char *path)
{
	struct content content = { malloc(1 << 20), 0 };
	FILE *file = fopen(path, "r");

	cr_assert(file != NULL);
	content.len = fread(content.bytes, 1, 1 << 20, file);
	fclose(file);
	return content;
}

/* A new file each time: the old one stays mapped. */
static void replace_file(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	cr_assert(file != NULL);
	cr_assert(eq(sz, fwrite(bytes, 1, len, file), len));
	fclose(file);
}

static void use(const struct link_map *map)
{
	static const char *const names[] = { "split", "twice", "versioned",
					     "nowhere" };
	struct object_symbols symbols = open_symbols(map);
	struct symbol symbol, found[4];

	for (size_t i = 0; i < COUNT(names); i++) {
		struct upatch_error err;

		if (symbols_find(symbols.table, names[i], i % 2,
				 SYMBOL_WANTED_FUNC, &symbol, &err))
			continue;
		symbols_pieces(symbols.table, &symbol, found, COUNT(found));
		object_symbol_is_interposable(&symbols, &symbol);
	}
	object_symbols_close(&symbols);
}

Test(object_symbols, files_cut_short_do_no_harm)
{
	struct content content;
	struct link_map *map;

	build("lib.so", "", "true");
	map = load(scratch_path("lib.so"));
	content = read_content(map->l_name);
	for (size_t len = 0; len < content.len; len += 61) {
		replace_file(map->l_name, content.bytes, len);
		use(map);
	}
	replace_file(map->l_name, content.bytes, content.len);
	compare_tables(map, SYMBOL_ORIGIN_FULL);
	free(content.bytes);
}

/* The ELF header and the section headers are hit as often as all the rest. */
static size_t choose_place(uint64_t *state, const struct content *content)
{
	const Elf64_Ehdr *header = (const void *)content->bytes;
	uint64_t choice = random_next(state);

	switch (choice & 3) {
	case 0:
		return (choice >> 2) % sizeof(*header);
	case 1:
		return header->e_shoff +
		       (choice >> 2) % (content->len - header->e_shoff);
	default:
		return (choice >> 2) % content->len;
	}
}

Test(object_symbols, files_overwritten_do_no_harm)
{
	struct content content;
	struct link_map *map;
	uint64_t state = 0x5eed;

	build("lib.so", "", "true");
	map = load(scratch_path("lib.so"));
	content = read_content(map->l_name);
	for (unsigned long i = 0; i < random_try_count() / 10; i++) {
		uint8_t *copy = malloc(content.len);

		memcpy(copy, content.bytes, content.len);
		for (uint64_t n = random_next(&state) % 16; n > 0; n--)
			copy[choose_place(&state, &content)] =
				(uint8_t)random_next(&state);
		replace_file(map->l_name, copy, content.len);
		free(copy);
		use(map);
	}
	free(content.bytes);
}

/* --- Interposition ------------------------------------------------------ */

static const struct {
	const char *name;
	bool default_link, symbolic;
} interposable[] = {
	{ "other", true, false },
	{ "weak", true, false },
	{ "split", true, false },
	{ "shown", true, false }, /* both of its names are exported */
	{ "versioned", true, false },
	{ "guarded", false, false },
	{ "hidden", false, false },
	{ "lonely", false, false },
	{ "called_inside", false, false }, /* has a hidden name as well */
};

static void check_interposable(const char *name, bool is_symbolic)
{
	struct object_symbols symbols = open_symbols(load(scratch_path(name)));

	for (size_t i = 0; i < COUNT(interposable); i++) {
		bool expected = is_symbolic ? interposable[i].symbolic
					    : interposable[i].default_link;
		struct symbol symbol;
		bool found;

		cr_assert(eq(int,
			     find(&symbols, interposable[i].name, 0, &symbol),
			     0));
		found = object_symbol_is_interposable(&symbols, &symbol);
		cr_expect(eq(int, found, expected), "%s: %s", name,
			  interposable[i].name);
	}
	object_symbols_close(&symbols);
}

Test(object_symbols, what_the_linker_may_bind_elsewhere_is_interposable)
{
	build("lib.so", "", "true");
	check_interposable("lib.so", false);
	build("symbolic.so", "-Wl,-Bsymbolic", "true");
	check_interposable("symbolic.so", true);
}

Test(object_symbols, nothing_of_the_program_is_interposable)
{
	struct link_map *program = dlopen(NULL, RTLD_NOW);
	struct object_symbols symbols;
	struct symbol symbol;
	Dl_info place;

	/* Only of a PIE the headers are at the load address. */
	if (!dladdr(program->l_ld, &place) || program->l_addr == 0)
		cr_skip("the test is no PIE");
	symbols = open_symbols(program);
	cr_expect(symbols.image.binds_own_symbols);
	if (find(&symbols, "main", 0, &symbol) == 0)
		cr_expect(eq(int,
			     object_symbol_is_interposable(&symbols, &symbol),
			     0));
	object_symbols_close(&symbols);
}

/* --- Names and build ids ----------------------------------------------- */

Test(object_symbols, a_library_has_three_names)
{
	const char *path = scratch_path("plain.so");
	struct link_map *map, *program = dlopen(NULL, RTLD_NOW);

	build("plain.so", "-Wl,-soname,libnamed.so.1", "true");
	map = load(path);
	cr_expect(object_matches(map, "libnamed.so.1"));
	cr_expect(object_matches(map, "plain.so"));
	cr_expect(object_matches(map, path));
	cr_expect(eq(int, object_matches(map, "libnamed.so"), 0));
	cr_expect(eq(int, object_matches(map, "lain.so"), 0));
	cr_expect(eq(int, object_matches(map, ""), 0));
	cr_expect(eq(int, object_matches(program, ""), 0));
	cr_expect(object_matches(load("libc.so.6"), "libc.so.6"));
}

Test(object_symbols, every_loaded_library_matches_its_own_name)
{
	struct link_map *map = dlopen(NULL, RTLD_NOW);

	for (map = map->l_next; map; map = map->l_next)
		cr_expect(object_matches(map, map->l_name), "%s", map->l_name);
}

Test(object_symbols, build_ids_are_those_of_the_files)
{
	struct link_map *map = dlopen(NULL, RTLD_NOW);

	for (map = map->l_next; map; map = map->l_next) {
		char in_memory[OBJECT_BUILD_ID_SIZE] = "none";
		char in_file[ELF_FILE_BUILD_ID_SIZE] = "none";
		struct object_image image;
		struct elf_file file;

		if (elf_file_open(ELF_FILE_OWN_ROOT, map->l_name, &file, NULL))
			continue; /* the vdso */
		elf_file_build_id(&file, in_file);
		elf_file_close(&file);
		cr_assert(object_image_read(map, &image), "%s", map->l_name);
		object_image_build_id(&image, in_memory);
		cr_expect(eq(str, in_memory, in_file), "%s", map->l_name);
	}
}

Test(object_symbols, damaged_notes_are_no_build_id)
{
	static const uint8_t notes[] = {
		4, 0, 0,   0,	2,   0, 0,    0, 3, 0,
		0, 0, 'G', 'N', 'U', 0, 0xab, 1, 0, 0,
	};
	char build_id[OBJECT_BUILD_ID_SIZE];

	cr_assert(object_build_id_in(notes, sizeof(notes), 4, build_id));
	cr_expect(eq(str, build_id, "ab01"));
	for (size_t len = 0; len < 18; len++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, notes, len);
		cr_expect(
			eq(int, object_build_id_in(copy, len, 4, build_id), 0));
		free(copy);
	}
	for (size_t i = 0; i < 12; i++) {
		uint8_t copy[sizeof(notes)];

		memcpy(copy, notes, sizeof(notes));
		copy[i] = 0xff;
		cr_expect(
			eq(int,
			   object_build_id_in(copy, sizeof(copy), 4, build_id),
			   0));
	}
}

Test(object_symbols, an_exported_name_is_found_by_dlsym)
{
	struct object_image image;
	struct link_map *map;
	const char *name;
	uintptr_t addr;

	build("lib.so", "", "strip lib.so");
	map = load(scratch_path("lib.so"));
	cr_assert(object_image_read(map, &image));
	name = object_image_exported(&image);
	cr_assert(name != NULL);
	addr = (uintptr_t)dlsym(map, name);
	cr_expect(object_image_has(&image, addr, 1), "%s", name);
	cr_expect(eq(int, object_image_has(&image, addr, 1 << 30), 0));
	cr_expect(eq(int, object_image_has(&image, 0x1000, 1), 0));
}

/* --- Where it runs ------------------------------------------------------ */

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

Test(object_symbols, errno_and_descriptors_are_left_alone)
{
	struct object_symbols symbols;
	struct link_map *map;
	size_t before;

	build("lib.so", "", "true");
	map = load(scratch_path("lib.so"));
	before = count_fds();
	for (int i = 0; i < 2; i++) {
		errno = EXDEV;
		symbols = open_symbols(map);
		cr_expect(eq(int, errno, EXDEV));
		object_symbols_close(&symbols);
		scratch_run("rm -f lib.so");
	}
	cr_expect(eq(sz, count_fds(), before));
}

static struct link_map *program;
static bool was_called;

/* Called with the loader's lock held. */
static void look_from_inside(const char *soname)
{
	struct link_map *map = program;

	while (map && !object_matches(map, soname))
		map = map->l_next;
	cr_assert(map != NULL);
	compare_tables(map, SYMBOL_ORIGIN_FULL);
	was_called = true;
}

Test(object_symbols, are_found_from_inside_of_dlopen)
{
	char hook[32];

	program = dlopen(NULL, RTLD_NOW);
	snprintf(hook, sizeof(hook), "%p", (void *)(uintptr_t)look_from_inside);
	setenv("HOOK", hook, 1);
	scratch_write("inside.c",
		      "#include <stdlib.h>\n"
		      "__attribute__((constructor)) static void begin(void)\n"
		      "{ void (*hook)(const char *) =\n"
		      "  (void *)strtoul(getenv(\"HOOK\"), 0, 16);\n"
		      "  hook(\"inside.so\"); }\n");
	scratch_run("gcc -shared -fPIC inside.c -o inside.so");
	load(scratch_path("inside.so"));
	cr_expect(was_called);
}

Test(object_symbols, are_found_in_another_namespace)
{
	struct link_map *map;

	build("lib.so", "", "true");
	map = dlmopen(LM_ID_NEWLM, scratch_path("lib.so"), RTLD_NOW);
	cr_assert(map != NULL, "%s", dlerror());
	compare_tables(map, SYMBOL_ORIGIN_FULL);
}
