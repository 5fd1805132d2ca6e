/* SPDX-License-Identifier: MIT */
/* Which symbol a name means, on objects made by the compiler. */
#include "symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "scratch.h"

TestSuite(symbols, .timeout = 60);

/* --- Help ------------------------------------------------------------- */

static struct symbol_table *open_file(const char *path)
{
	struct symbol_table *table = NULL;
	struct upatch_error err = { 0 };
	int ret = symbols_open_file(path, &table, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	return table;
}

static struct symbol find(const struct symbol_table *table, const char *name,
			  unsigned long sympos, enum symbol_wanted wanted)
{
	struct symbol symbol = { 0 };
	struct upatch_error err = { 0 };
	int ret = symbols_find(table, name, sympos, wanted, &symbol, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	return symbol;
}

static struct symbol find_func(const struct symbol_table *table,
			       const char *name)
{
	return find(table, name, 0, SYMBOL_WANTED_FUNC);
}

/* The search is refused, and the message has `part`. */
static void check_refused(const struct symbol_table *table, const char *name,
			  unsigned long sympos, enum symbol_wanted wanted,
			  const char *part)
{
	struct symbol symbol = { 0 };
	struct upatch_error err = { 0 };
	int ret = symbols_find(table, name, sympos, wanted, &symbol, &err);

	cr_assert(eq(int, ret, UPATCH_ERROR_MISMATCH), "%s", name);
	cr_assert(strstr(err.message, part) != NULL, "%s", err.message);
	cr_assert(symbol.name == NULL);
}

/* What nm(1) says, by lines "ADDRESS [SIZE] TYPE NAME"; the n-th of a name. */
static uint64_t nm_addr(const char *file, const char *name, int occurrence)
{
	char line[512];
	char path[256];
	uint64_t found = 0;
	FILE *list;

	scratch_run("nm -p %s > nm.txt", file);
	snprintf(path, sizeof(path), "%s", scratch_path("nm.txt"));
	list = fopen(path, "r");
	cr_assert(list != NULL);
	while (fgets(line, sizeof(line), list)) {
		char own_name[400];
		uint64_t addr;
		char type;

		if (sscanf(line, "%lx %c %399s", &addr, &type, own_name) == 3 &&
		    strcmp(own_name, name) == 0 && --occurrence == 0)
			found = addr;
	}
	fclose(list);
	cr_assert(ne(u64, found, 0), "%s", name);
	return found;
}

/* The names, in order, with a blank after each. */
static const char *names_of(const struct symbol *symbols, size_t count)
{
	static char text[1024];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ",
					symbols[i].name);
	return text;
}

static void check_pieces(const struct symbol_table *table, const char *name,
			 unsigned long sympos, const char *pieces,
			 const char *clones)
{
	struct symbol found[16];
	struct symbol symbol = find(table, name, sympos, SYMBOL_WANTED_FUNC);
	size_t count = symbols_pieces(table, &symbol, found, 16);

	cr_assert(zero(int, strcmp(names_of(found, count), pieces)), "%s: %s",
		  name, names_of(found, count));
	count = symbols_clones(table, &symbol, found, 16);
	cr_assert(zero(int, strcmp(names_of(found, count), clones)), "%s: %s",
		  name, names_of(found, count));
}

/* --- Statics ---------------------------------------------------------- */

static const char unit_a[] =
	"static int counter;\n"
	"__attribute__((noipa)) static int step(int n) { return n + 1; }\n"
	"__attribute__((noipa)) static int only(int n) { return n * 3; }\n"
	"int unit_a(int n) { return counter += step(n) + only(n); }\n";
static const char unit_b[] =
	"static int counter;\n"
	"__attribute__((noipa)) static int step(int n) { return n - 1; }\n"
	"int unit_b(int n) { return counter += step(n); }\n"
	"int main(void) { return unit_b(1); }\n";

static void build_duplicates(void)
{
	scratch_write("a.c", unit_a);
	scratch_write("b.c", unit_b);
	scratch_run("gcc -O2 -c a.c && gcc -O2 -c b.c && gcc a.o b.o -o dup");
}

Test(symbols, a_static_function_is_found)
{
	struct symbol_table *table;
	struct symbol symbol;

	build_duplicates();
	table = open_file(scratch_path("dup"));
	cr_assert(eq(int, table->origin, SYMBOL_ORIGIN_FULL));
	cr_assert(symbols_has_static(table));
	symbol = find_func(table, "only");
	cr_assert(eq(u64, symbol.addr, nm_addr("dup", "only", 1)));
	cr_assert(symbol.size_known && symbol.size > 2);
	cr_assert(eq(ulong, symbol.sympos, 1));
	cr_assert(eq(int, symbol.is_global, 0));
	cr_assert(eq(int, find_func(table, "unit_a").is_global, 1));
	symbols_close(table);
}

Test(symbols, a_name_that_occurs_twice_needs_a_sympos)
{
	struct symbol_table *table;
	char addresses[64];

	build_duplicates();
	table = open_file(scratch_path("dup"));
	for (unsigned long i = 1; i <= 2; i++) {
		struct symbol symbol =
			find(table, "step", i, SYMBOL_WANTED_FUNC);

		cr_assert(eq(u64, symbol.addr, nm_addr("dup", "step", (int)i)));
		cr_assert(eq(ulong, symbol.sympos, i));
		symbol = find(table, "counter", i, SYMBOL_WANTED_ANY);
		cr_assert(eq(u64, symbol.addr,
			     nm_addr("dup", "counter", (int)i)));
	}
	snprintf(addresses, sizeof(addresses), "1 at 0x%lx, 2 at 0x%lx",
		 nm_addr("dup", "step", 1), nm_addr("dup", "step", 2));
	check_refused(table, "step", 0, SYMBOL_WANTED_FUNC, addresses);
	check_refused(table, "step", 0, SYMBOL_WANTED_FUNC, "sympos");
	check_refused(table, "step", 3, SYMBOL_WANTED_FUNC, "there are 2");
	check_refused(table, "only", 2, SYMBOL_WANTED_FUNC, "there is 1");
	cr_assert(eq(ulong, find(table, "only", 1, SYMBOL_WANTED_FUNC).sympos,
		     1));
	symbols_close(table);
}

Test(symbols, a_long_list_of_occurrences_fits_a_message)
{
	struct symbol_table *table;

	scratch_write("twin.c", "__attribute__((used)) static int twin(void)"
				" { return 1; }\n");
	scratch_run("gcc -fPIC -c twin.c &&"
		    " gcc -nostdlib -shared $(yes twin.o | head -100)"
		    " -o many.so");
	table = open_file(scratch_path("many.so"));
	check_refused(table, "twin", 0, SYMBOL_WANTED_FUNC, " more; choose");
	cr_assert(
		ne(u64, find(table, "twin", 100, SYMBOL_WANTED_FUNC).addr, 0));
	symbols_close(table);
}

Test(symbols, variables_are_no_functions)
{
	struct symbol_table *table;

	build_duplicates();
	table = open_file(scratch_path("dup"));
	check_refused(table, "counter", 0, SYMBOL_WANTED_FUNC,
		      "is not a function");
	symbols_close(table);
}

Test(symbols, what_is_not_there_is_refused_with_what_is)
{
	struct symbol_table *table;

	build_duplicates();
	table = open_file(scratch_path("dup"));
	check_refused(table, "unita", 0, SYMBOL_WANTED_FUNC,
		      "similar: 'unit_a', 'unit_b'");
	check_refused(table, "zzzzzz", 0, SYMBOL_WANTED_FUNC,
		      "no function 'zzzzzz' in '/tmp/");
	check_refused(table, "", 0, SYMBOL_WANTED_ANY, "no symbol ''");
	/* imported, so not in the table */
	check_refused(table, "__libc_start_main", 0, SYMBOL_WANTED_FUNC,
		      "no function");
	symbols_close(table);
}

Test(symbols, a_stripped_file_has_what_it_exports)
{
	struct symbol_table *table;

	build_duplicates();
	scratch_run("gcc -O2 -rdynamic a.o b.o -o dyn && strip dyn -o bare");
	table = open_file(scratch_path("bare"));
	cr_assert(eq(int, table->origin, SYMBOL_ORIGIN_DYNAMIC));
	cr_assert(eq(int, symbols_has_static(table), 0));
	cr_assert(eq(u64, find_func(table, "unit_a").addr,
		     nm_addr("dyn", "unit_a", 1)));
	check_refused(table, "only", 0, SYMBOL_WANTED_FUNC,
		      "of which only exported symbols are known");
	symbols_close(table);
}

/* --- Kinds of symbols ------------------------------------------------- */

Test(symbols, an_indirect_function_is_refused_with_its_implementations)
{
	struct symbol_table *table;

	scratch_write("ifunc.c",
		      "__attribute__((noipa)) static int __sum_fast(void)"
		      " { return 1; }\n"
		      "__attribute__((noipa)) static int _sum_slow(void)"
		      " { return 2; }\n"
		      "__attribute__((noipa)) int summary(void) { return 3; }\n"
		      "static int (*choose(void))(void)"
		      " { return summary() ? __sum_fast : _sum_slow; }\n"
		      "int sum(void) __attribute__((ifunc(\"choose\")));\n"
		      "int lone(void) __attribute__((ifunc(\"choose\")));\n");
	scratch_run("gcc -O2 -shared -fPIC ifunc.c -o ifunc.so");
	table = open_file(scratch_path("ifunc.so"));
	check_refused(table, "sum", 0, SYMBOL_WANTED_FUNC,
		      "name that: '__sum_fast', '_sum_slow'");
	check_refused(table, "sum", 0, SYMBOL_WANTED_ANY, "indirect function");
	check_refused(table, "lone", 0, SYMBOL_WANTED_FUNC,
		      "none is known by name");
	symbols_close(table);
}

Test(symbols, thread_local_variables_are_refused)
{
	struct symbol_table *table;

	scratch_write("tls.c", "__thread int mine; int *f(void)"
			       " { return &mine; }\n");
	scratch_run("gcc -shared -fPIC tls.c -o tls.so");
	table = open_file(scratch_path("tls.so"));
	check_refused(table, "mine", 0, SYMBOL_WANTED_ANY, "thread-local");
	symbols_close(table);
}

Test(symbols, a_plain_name_means_the_default_version)
{
	struct symbol_table *table;
	uint64_t old_addr;
	uint64_t new_addr;

	scratch_write("ver.c", "int old_f(void) { return 1; }\n"
			       "int new_f(void) { return 2; }\n"
			       "int only_old(void) { return 3; }\n"
			       "__asm__(\".symver old_f, f@V1\");\n"
			       "__asm__(\".symver new_f, f@@V2\");\n"
			       "__asm__(\".symver only_old, g@V1\");\n");
	scratch_write("ver.map", "V1 { };\nV2 { } V1;\n");
	scratch_run("gcc -shared -fPIC -Wl,--version-script=ver.map ver.c"
		    " -o ver.so && strip ver.so -o bare.so");
	old_addr = nm_addr("ver.so", "old_f", 1);
	new_addr = nm_addr("ver.so", "new_f", 1);
	table = open_file(scratch_path("ver.so"));
	cr_assert(eq(u64, find_func(table, "f").addr, new_addr));
	cr_assert(eq(u64, find_func(table, "f@V1").addr, old_addr));
	cr_assert(eq(u64, find_func(table, "f@@V2").addr, new_addr));
	cr_assert(eq(u64, find_func(table, "g").addr,
		     nm_addr("ver.so", "only_old", 1)));
	check_refused(table, "f@V3", 0, SYMBOL_WANTED_FUNC, "no function");
	symbols_close(table);

	table = open_file(scratch_path("bare.so"));
	cr_assert(eq(u64, find_func(table, "f").addr, new_addr));
	cr_assert(eq(u64, find_func(table, "g").addr,
		     nm_addr("ver.so", "only_old", 1)));
	symbols_close(table);
}

Test(symbols, code_without_a_size_ends_where_the_next_begins)
{
	struct symbol_table *table;
	struct symbol symbol;

	scratch_write("hand.s", ".text\n"
				".globl first, second, sized, last\n"
				"first: nop; nop; nop; ret\n"
				".type second, @function\n"
				"second: nop; ret\n"
				".type sized, @function\n"
				"sized: nop; nop; ret\n"
				".size sized, 3\n"
				"last: nop; ret\n"
				".section .note.GNU-stack,\"\",@progbits\n");
	scratch_run("gcc -nostdlib -shared hand.s -o hand.so");
	table = open_file(scratch_path("hand.so"));
	symbol = find_func(table, "first");
	cr_assert(eq(u64, symbol.size, 4));
	cr_assert(eq(int, symbol.size_known, 0));
	cr_assert(eq(int, symbol.type, SYMBOL_LABEL));
	symbol = find_func(table, "second");
	cr_assert(eq(u64, symbol.size, 2));
	cr_assert(eq(int, symbol.size_known, 0));
	cr_assert(eq(int, symbol.type, SYMBOL_FUNC));
	symbol = find_func(table, "sized");
	cr_assert(eq(u64, symbol.size, 3));
	cr_assert(eq(int, symbol.size_known, 1));
	symbol = find_func(table, "last");
	cr_assert(eq(u64, symbol.size, 2));
	symbols_close(table);
}

/* --- Pieces and clones ------------------------------------------------ */

Test(symbols, the_cold_part_that_the_compiler_splits_off_is_a_piece)
{
	struct symbol_table *table;
	struct symbol function;
	struct symbol piece;

	scratch_write("cold.c", "void bad(int n) __attribute__((cold));\n"
				"int work(int n, int *p)\n"
				"{\n"
				"	for (int i = 0; i < n; i++) {\n"
				"		if (p[i] < 0) {\n"
				"			bad(p[i]);\n"
				"			bad(i);\n"
				"			p[i] = 7;\n"
				"		}\n"
				"		p[i] *= 2;\n"
				"	}\n"
				"	return n * 2;\n"
				"}\n");
	scratch_run("gcc -O2 -shared -fPIC cold.c -o cold.so");
	table = open_file(scratch_path("cold.so"));
	function = find_func(table, "work");
	cr_assert(eq(sz, symbols_pieces(table, &function, &piece, 1), 1));
	cr_assert(zero(int, strcmp(piece.name, "work.cold")));
	cr_assert(eq(u64, piece.addr, nm_addr("cold.so", "work.cold", 1)));
	cr_assert(piece.size_known && piece.size > 0);
	cr_assert(eq(sz, symbols_clones(table, &function, NULL, 0), 0));
	symbols_close(table);
}

/* "N: name" defines a function of that name. */
static void write_functions(const char *file, const char *const names[])
{
	char text[4096];
	int len = snprintf(text, sizeof(text), ".file \"%s\"\n.text\n", file);

	for (size_t i = 0; names[i]; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				".type \"%s\", @function\n"
				"\"%s\": nop; ret\n"
				".size \"%s\", 2\n",
				names[i], names[i], names[i]);
	snprintf(text + len, sizeof(text) - (size_t)len,
		 ".section .note.GNU-stack,\"\",@progbits\n");
	scratch_write(file, text);
}

Test(symbols, pieces_and_clones_are_told_apart_by_their_suffixes)
{
	static const char *const names[] = {
		"f",
		"f.cold",
		"f.cold.12",
		"f.part.0",
		"f.part.0.cold",
		"f.isra.0",
		"f.constprop.1",
		"f.isra.0.cold",
		"f.constprop.0.isra.0",
		"f.part.0.isra.0",
		"f.lto_priv.0",
		"f.lto_priv.0.cold",
		"f.coldness",
		"f.",
		"fg.cold",
		"f2.cold",
		NULL,
	};
	struct symbol_table *table;

	write_functions("parts.s", names);
	scratch_run("gcc -nostdlib -shared parts.s -o parts.so");
	table = open_file(scratch_path("parts.so"));
	check_pieces(table, "f", 0, "f.cold f.cold.12 f.part.0 f.part.0.cold ",
		     "f.isra.0 f.constprop.1 f.isra.0.cold "
		     "f.constprop.0.isra.0 f.part.0.isra.0 ");
	check_pieces(table, "f.isra.0", 0, "f.isra.0.cold ", "");
	check_pieces(table, "f.lto_priv.0", 0, "f.lto_priv.0.cold ", "");
	check_pieces(table, "f.part.0", 0, "f.part.0.cold ",
		     "f.part.0.isra.0 ");
	symbols_close(table);
}

Test(symbols, every_function_gets_the_pieces_of_its_own_file)
{
	static const char *const names[] = { "f", "f.cold", NULL };
	static const char *const more[] = { "f", "f.cold", "f.part.0", NULL };
	static const char *const cold[] = { "f.cold", "f.isra.0", NULL };
	struct symbol_table *table;
	struct symbol pieces[4];
	struct symbol symbol;

	write_functions("one.s", names);
	write_functions("two.s", more);
	write_functions("three.s", cold);
	scratch_run(
		"(cat three.s; echo .globl f; echo .text; echo 'f: nop; ret';"
		" echo '.type f, @function'; echo '.size f, 2') > global.s");
	scratch_run("gcc -nostdlib -shared one.s two.s global.s -o files.so");
	table = open_file(scratch_path("files.so"));
	check_pieces(table, "f", 1, "f.cold ", "");
	check_pieces(table, "f", 2, "f.cold f.part.0 ", "");
	check_pieces(table, "f", 3, "f.cold ", "f.isra.0 ");
	for (unsigned long i = 1; i <= 3; i++) {
		symbol = find(table, "f", i, SYMBOL_WANTED_FUNC);
		symbols_pieces(table, &symbol, pieces, 4);
		cr_assert(eq(u64, pieces[0].addr,
			     nm_addr("files.so", "f.cold", (int)i)));
	}
	symbols_close(table);

	/* without the names of the files, each may have any */
	scratch_run("strip -w -K 'f*' -K '!*.s' files.so -o nofiles.so");
	table = open_file(scratch_path("nofiles.so"));
	check_pieces(table, "f", 1, "f.cold f.cold f.part.0 f.cold ",
		     "f.isra.0 ");
	symbols_close(table);
}

/* --- Addresses -------------------------------------------------------- */

Test(symbols, an_address_belongs_to_the_function_around_it)
{
	struct symbol_table *table;
	struct symbol symbol;
	struct symbol found;

	build_duplicates();
	table = open_file(scratch_path("dup"));
	symbol = find_func(table, "only");
	cr_assert(symbols_at(table, symbol.addr, &found));
	cr_assert(eq(u64, found.addr, symbol.addr));
	cr_assert(symbols_at(table, symbol.addr + symbol.size - 1, &found));
	cr_assert(zero(int, strcmp(found.name, "only")));
	if (symbols_at(table, symbol.addr + symbol.size, &found))
		cr_assert(ne(u64, found.addr, symbol.addr));
	cr_assert(eq(int, symbols_at(table, 0, &found), 0));
	cr_assert(eq(int, symbols_at(table, UINT64_MAX, &found), 0));
	/* a variable is no function */
	symbol = find(table, "counter", 1, SYMBOL_WANTED_ANY);
	cr_assert(eq(int, symbols_at(table, symbol.addr, &found), 0));
	symbols_close(table);
}

Test(symbols, the_exported_one_of_several_names_is_shown)
{
	struct symbol_table *table;
	struct symbol found[4];
	struct symbol symbol;

	scratch_write("alias.c",
		      "__attribute__((noipa)) static int aaa(void)"
		      " { return 1; }\n"
		      "int nnn(void) __attribute__((alias(\"aaa\")));\n"
		      "static int zzz(void)"
		      " __attribute__((alias(\"aaa\"), used));\n");
	scratch_run("gcc -O2 -shared -fPIC alias.c -o alias.so");
	table = open_file(scratch_path("alias.so"));
	symbol = find_func(table, "aaa");
	cr_assert(symbols_at(table, symbol.addr + 1, &found[0]));
	cr_assert(zero(int, strcmp(found[0].name, "nnn")));
	cr_assert(eq(sz, symbols_aliases(table, symbol.addr, found, 4), 3));
	cr_assert(eq(sz, symbols_aliases(table, symbol.addr, found, 1), 3));
	cr_assert(eq(sz, symbols_aliases(table, symbol.addr + 1, found, 4), 0));
	symbols_close(table);
}

/* A function in the middle of another one; labels in a function. */
Test(symbols, the_innermost_function_counts_and_labels_count_last)
{
	struct symbol_table *table;
	struct symbol found;
	uint64_t outer;

	scratch_write("nest.s", ".text\n"
				".globl outer\n"
				".type outer, @function\n"
				".type inner, @function\n"
				"outer: nop; nop; nop; nop\n"
				"label: nop; nop; nop; nop\n"
				"inner: nop; nop\n"
				".size inner, 2\n"
				"	nop; nop; ret\n"
				".size outer, . - outer\n"
				"after: nop; ret\n"
				".section .note.GNU-stack,\"\",@progbits\n");
	scratch_run("gcc -nostdlib -shared nest.s -o nest.so");
	table = open_file(scratch_path("nest.so"));
	outer = find_func(table, "outer").addr;
	for (uint64_t i = 0; i < 13; i++) {
		const char *name = i == 8 || i == 9 ? "inner" : "outer";

		cr_assert(symbols_at(table, outer + i, &found));
		cr_assert(zero(int, strcmp(found.name, name)), "%lu: %s", i,
			  found.name);
	}
	cr_assert(symbols_at(table, outer + 13, &found));
	cr_assert(zero(int, strcmp(found.name, "after")));
	symbols_close(table);
}

/* --- Real programs ---------------------------------------------------- */

Test(symbols, servers_are_read)
{
	static const struct {
		const char *path, *function;
		uint32_t least;
	} servers[] = {
		{ "/usr/sbin/nginx", "ngx_http_process_request", 573 },
		{ "/usr/bin/redis-server", "lookupKey", 3253 },
	};

	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		struct symbol_table *table;
		struct symbol symbol;
		struct symbol found;

		if (access(servers[i].path, R_OK) != 0)
			continue;
		table = open_file(servers[i].path);
		cr_assert(
			ge(u32, table->index->by_addr_count, servers[i].least));
		symbol = find_func(table, servers[i].function);
		cr_assert(symbol.size_known);
		cr_assert(symbols_at(table, symbol.addr + symbol.size / 2,
				     &found));
		cr_assert(eq(u64, found.addr, symbol.addr));
		symbols_close(table);
	}
}

Test(symbols, what_is_no_object_is_refused)
{
	static const struct {
		const char *path, *why;
		int code;
	} cases[] = {
		{ "/nonexistent", "No such file", UPATCH_ERROR_SYSTEM },
		{ "/etc/passwd", "not an ELF file", UPATCH_ERROR_MISMATCH },
		{ "/tmp", "not a regular file", UPATCH_ERROR_MISMATCH },
		{ "/dev/null", "not a regular file", UPATCH_ERROR_MISMATCH },
		{ "DIR/fifo", "not a regular file", UPATCH_ERROR_MISMATCH },
		{ "DIR/empty", "not an ELF file", UPATCH_ERROR_MISMATCH },
		{ "DIR/x.o", "neither an executable", UPATCH_ERROR_MISMATCH },
		{ "DIR/x86.so", "another processor", UPATCH_ERROR_MISMATCH },
		{ "DIR/arm.so", "another processor", UPATCH_ERROR_MISMATCH },
	};

	scratch_write("x.c", "int f(void) { return 1; }\n");
	scratch_run("mkfifo fifo && : > empty && gcc -c x.c &&"
		    " gcc -shared -fPIC x.c -o x.so &&"
		    " cp x.so arm.so && printf '\\267' |"
		    " dd of=arm.so bs=1 seek=18 conv=notrunc 2>/dev/null &&"
		    " cp x.so x86.so && printf '\\001' |"
		    " dd of=x86.so bs=1 seek=4 conv=notrunc 2>/dev/null");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = cases[i].path;
		struct symbol_table *table = NULL;
		struct upatch_error err = { 0 };
		int ret;

		if (strncmp(path, "DIR/", 4) == 0)
			path = scratch_path(path + 4);
		ret = symbols_open_file(path, &table, &err);
		cr_assert(eq(int, ret, cases[i].code), "%s: %s", path,
			  err.message);
		cr_assert(strstr(err.message, cases[i].why) != NULL, "%s",
			  err.message);
		cr_assert(table == NULL);
	}
	symbols_close(NULL);
}
