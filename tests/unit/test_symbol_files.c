/* SPDX-License-Identifier: MIT */
/* Where symbols are found: split-off files, processes, replaced files. */
#include "symbols.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "child.h"
#include "deadline.h"
#include "debug_file.h"
#include "scratch.h"
#include "symbol_memory.h"

TestSuite(symbol_files, .timeout = 60);

/* --- Help ------------------------------------------------------------- */

static const char library[] =
	"__attribute__((noipa)) static int hidden(int n) { return n + 40; }\n"
	"int shown(int n) { return hidden(n) + 1; }\n";

static void build(const char *flags)
{
	scratch_write("lib.c", library);
	scratch_run("gcc -O2 -g -shared -fPIC %s lib.c -o full.so", flags);
}

static void check_find(const struct symbol_table *table, const char *name,
		       bool wanted)
{
	struct symbol symbol;
	int ret =
		symbols_find(table, name, 0, SYMBOL_WANTED_FUNC, &symbol, NULL);
	bool found = ret == 0;

	cr_assert(eq(int, found, wanted), "%s", name);
}

static void check_origin(const char *file, enum symbol_origin origin)
{
	struct symbol_table *table;
	struct upatch_error err = { 0 };
	int ret = symbols_open_file(scratch_path(file), &table, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	cr_assert(eq(int, table->origin, origin), "%s", file);
	check_find(table, "shown", true);
	check_find(table, "hidden", origin != SYMBOL_ORIGIN_DYNAMIC);
	symbols_close(table);
}

/* --- Separate debug files --------------------------------------------- */

Test(symbol_files, checksum_is_crc32)
{
	const uint8_t digits[] = "123456789";

	cr_assert(eq(u32, debug_file_crc(0, digits, 9), 0xcbf43926));
	cr_assert(
		eq(u32,
		   debug_file_crc(debug_file_crc(0, digits, 4), digits + 4, 5),
		   0xcbf43926));
	cr_assert(eq(u32, debug_file_crc(0, digits, 0), 0));
}

static void split(const char *flags)
{
	build(flags);
	scratch_run("objcopy --only-keep-debug full.so lib.debug &&"
		    " objcopy --strip-all --add-gnu-debuglink=lib.debug"
		    " full.so lib.so");
}

Test(symbol_files, a_debug_link_is_followed)
{
	static const char *const flags[] = { "", "-Wl,--build-id=none" };

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		split(flags[i]);
		check_origin("full.so", SYMBOL_ORIGIN_FULL);
		check_origin("lib.so", SYMBOL_ORIGIN_DEBUG);
		scratch_run("mkdir .debug && mv lib.debug .debug");
		check_origin("lib.so", SYMBOL_ORIGIN_DEBUG);
		scratch_run("rm -r .debug");
		check_origin("lib.so", SYMBOL_ORIGIN_DYNAMIC);
	}
}

Test(symbol_files, a_debug_file_of_another_build_is_not_believed)
{
	split("-Wl,--build-id=none");
	scratch_run("printf x >> lib.debug");
	check_origin("lib.so", SYMBOL_ORIGIN_DYNAMIC);
	split("-Wl,--build-id=0x1111");
	scratch_run("cp lib.so keep.so");
	split("-Wl,--build-id=0x2222");
	scratch_run("mv keep.so lib.so");
	check_origin("lib.so", SYMBOL_ORIGIN_DYNAMIC);
}

Test(symbol_files, a_debug_file_is_found_by_build_id_below_a_root)
{
	struct elf_file file;
	struct elf_file debug;
	int root_fd;

	split("-Wl,--build-id=0xabcdef01");
	scratch_run("mkdir -p root/usr/lib/debug/.build-id/ab root/elsewhere &&"
		    " mv lib.debug root/elsewhere &&"
		    " ln -s /elsewhere/lib.debug"
		    " root/usr/lib/debug/.build-id/ab/cdef01.debug");
	root_fd = open(scratch_path("root"), O_PATH | O_DIRECTORY);
	cr_assert(eq(int,
		     elf_file_open(-1, scratch_path("lib.so"), &file, NULL),
		     0));
	cr_assert(debug_file_find(&file, root_fd, "/bin/lib.so", &debug));
	elf_file_close(&debug);
	cr_assert(
		eq(int, debug_file_find(&file, -1, "/bin/lib.so", &debug), 0));
	elf_file_close(&file);
	close(root_fd);
}

Test(symbol_files, nothing_leads_out_of_a_root)
{
	struct elf_file file;
	int root_fd;

	build("");
	scratch_run("mkdir root && ln -s ../full.so root/up.so &&"
		    " ln -s $PWD/full.so root/absolute.so &&"
		    " ln -s /proc/self/exe root/magic && cp full.so root");
	root_fd = open(scratch_path("root"), O_PATH | O_DIRECTORY);
	cr_assert(
		ne(int, elf_file_open(root_fd, "absolute.so", &file, NULL), 0));
	cr_assert(ne(int, elf_file_open(root_fd, "/magic", &file, NULL), 0));
	/* ".." at the root is the root */
	cr_assert(eq(int, elf_file_open(root_fd, "/up.so", &file, NULL), 0));
	elf_file_close(&file);
	close(root_fd);
}

/* --- .gnu_debugdata --------------------------------------------------- */

/* As rpm's find-debuginfo does it. */
static void build_minidebug(void)
{
	build("");
	scratch_run(
		"nm -D full.so --format=posix --defined-only |"
		" awk '{ print $1 }' | sort > dynamic &&"
		" nm full.so --format=posix --defined-only | awk"
		" '$2 == \"T\" || $2 == \"t\" { print $1 }' | sort > all &&"
		" comm -13 dynamic all > keep &&"
		" objcopy --only-keep-debug full.so debug &&"
		" objcopy -S --remove-section .gdb_index"
		" --remove-section .comment --keep-symbols=keep debug mini &&"
		" rm -f mini.xz && xz mini &&"
		" strip full.so -o plain.so &&"
		" objcopy --add-section .gnu_debugdata=mini.xz plain.so"
		" lib.so");
}

Test(symbol_files, compressed_symbols_are_unpacked)
{
	struct symbol_table *mini;
	struct symbol_table *full;
	struct symbol one;
	struct symbol other;

	build_minidebug();
	check_origin("plain.so", SYMBOL_ORIGIN_DYNAMIC);
	check_origin("lib.so", SYMBOL_ORIGIN_MINIDEBUG);
	cr_assert(eq(int,
		     symbols_open_file(scratch_path("full.so"), &full, NULL),
		     0));
	cr_assert(eq(int,
		     symbols_open_file(scratch_path("lib.so"), &mini, NULL),
		     0));
	cr_assert(eq(int,
		     symbols_find(full, "hidden", 0, SYMBOL_WANTED_FUNC, &one,
				  NULL),
		     0));
	cr_assert(eq(int,
		     symbols_find(mini, "hidden", 0, SYMBOL_WANTED_FUNC, &other,
				  NULL),
		     0));
	cr_assert(eq(u64, one.addr, other.addr));
	cr_assert(eq(u64, one.size, other.size));
	symbols_close(full);
	symbols_close(mini);
}

Test(symbol_files, compressed_symbols_that_are_none_are_left_out)
{
	build("-s");
	scratch_run("head -c 3000 /dev/urandom > noise &&"
		    " objcopy --add-section .gnu_debugdata=noise full.so"
		    " lib.so");
	check_origin("lib.so", SYMBOL_ORIGIN_DYNAMIC);
}

/* --- Processes -------------------------------------------------------- */

struct target {
	struct memory memory;
	struct maps maps;
	struct modules modules;
};

static void open_target(struct target *target, pid_t pid)
{
	struct upatch_error err = { 0 };
	int ret = memory_open(&target->memory, pid, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	ret = maps_read(pid, &target->maps, &err);
	cr_assert(eq(int, ret, 0), "%s", err.message);
	ret = modules_read(&target->memory, &target->modules, NULL, &err);
	cr_assert(eq(int, ret, 0), "%s", err.message);
}

static void close_target(struct target *target)
{
	modules_free(&target->modules);
	maps_free(&target->maps);
	memory_close(&target->memory);
}

static struct symbol_table *open_module(const struct target *target,
					const struct module *module)
{
	struct symbol_table *table = NULL;
	struct upatch_error err = { 0 };
	int ret = symbols_open(module, &target->maps, &target->memory, &table,
			       &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
	return table;
}

__attribute__((noinline)) static int own_static(int n)
{
	return n + 1;
}

Test(symbol_files, addresses_are_those_of_the_process)
{
	struct target target;
	struct symbol_table *table;
	struct symbol symbol;
	void *handle;

	build("");
	handle = dlopen(scratch_path("full.so"), RTLD_NOW);
	cr_assert(handle != NULL);
	open_target(&target, getpid());
	table = open_module(&target,
			    modules_find_name(&target.modules, "full.so"));
	cr_assert(eq(int,
		     symbols_find(table, "shown", 0, SYMBOL_WANTED_FUNC,
				  &symbol, NULL),
		     0));
	cr_assert(eq(u64, symbol.addr, (uintptr_t)dlsym(handle, "shown")));
	cr_assert(eq(int,
		     symbols_find(table, "hidden", 0, SYMBOL_WANTED_FUNC,
				  &symbol, NULL),
		     0));
	cr_assert(eq(int, ((int (*)(int))symbol.addr)(2), 42));
	symbols_close(table);

	table = open_module(&target, modules_find_name(&target.modules, NULL));
	cr_assert(eq(int, own_static(1), 2));
	cr_assert(symbols_at(table, (uintptr_t)own_static, &symbol));
	cr_assert(zero(int, strcmp(symbol.name, "own_static")));
	symbols_close(table);
	close_target(&target);
}

/* What the loader's own lookup says of every symbol found in memory. */
Test(symbol_files, memory_gives_what_the_file_exports)
{
	struct target target;

	open_target(&target, getpid());
	for (size_t i = 0; i < target.modules.count; i++) {
		const struct module *module = &target.modules.modules[i];
		struct symbol_table *table = open_module(&target, module);
		struct symbol_index index;
		size_t found = 0;

		symbol_index_init(&index);
		cr_assert(symbol_memory_read(&target.memory, module, &index));
		cr_assert(symbol_index_finish(&index));
		for (uint32_t j = 0; j < index.count; j++) {
			const struct symbol_entry *entry = &index.entries[j];
			const char *name = symbol_index_name(&index, entry);
			uint32_t other = symbol_index_first(table->index, name,
							    entry->name_len);

			while (other != SYMBOL_INDEX_NONE &&
			       table->index->entries[other].addr != entry->addr)
				other = symbol_index_next(table->index, other);
			cr_assert(ne(u32, other, SYMBOL_INDEX_NONE), "%s %s",
				  module->path, name);
			found++;
		}
		if (!module->is_main)
			cr_assert(gt(sz, found, 3), "%s", module->path);
		symbol_index_fini(&index);
		symbols_close(table);
	}
	close_target(&target);
}

static const char program[] =
	"#include <stdio.h>\n"
	"#include <sys/prctl.h>\n"
	"int shown(int n);\n"
	"__attribute__((noipa)) static int own(int n) { return n + 1; }\n"
	"int main(void)\n"
	"{\n"
	"	prctl(PR_SET_PDEATHSIG, 9);\n"
	"	puts(own(shown(1)) ? \"ready\" : \"\");\n"
	"	fflush(stdout);\n"
	"	while (getchar() != EOF)\n"
	"		;\n"
	"	return 0;\n"
	"}\n";

static void start_program(struct child *child, const char *flags)
{
	const char *const argv[] = { scratch_path("main"), NULL };
	const char *line;

	build(flags);
	scratch_write("main.c", program);
	scratch_run("gcc -O2 %s main.c -L. -l:full.so -Wl,-rpath,$PWD -o main",
		    flags);
	child_start(child, argv, 0);
	line = child_read_line(child, DEADLINE_MS);
	cr_assert(line && strcmp(line, "ready") == 0);
}

/* What is known of the program and of its library. */
static void check_child(pid_t pid, enum symbol_origin main_origin,
			enum symbol_origin library_origin)
{
	struct target target;
	struct symbol_table *table;

	open_target(&target, pid);
	table = open_module(&target, modules_find_name(&target.modules, NULL));
	cr_assert(eq(int, table->origin, main_origin));
	if (main_origin != SYMBOL_ORIGIN_DYNAMIC)
		check_find(table, "own", true);
	symbols_close(table);
	table = open_module(&target,
			    modules_find_name(&target.modules, "full.so"));
	cr_assert(eq(int, table->origin, library_origin));
	check_find(table, "shown", true);
	check_find(table, "hidden", library_origin != SYMBOL_ORIGIN_DYNAMIC);
	symbols_close(table);
	close_target(&target);
}

/* Something else under the old names, as after an upgrade. */
static void replace_files(const char *flags)
{
	scratch_write("new.c", "int hidden(void) { return 1; }\n"
			       "int own(void) { return 2; }\n"
			       "int main(void) { return 3; }\n");
	scratch_run("rm -f main full.so; gcc %s new.c -o main &&"
		    " gcc %s -shared -fPIC new.c -o full.so",
		    flags, flags);
}

/* /proc/PID/map_files is not for everybody: as somebody who is nobody. */
static void drop_privileges(void)
{
	cr_assert(eq(int, chmod(scratch_dir(), 0777), 0));
	if (geteuid() != 0)
		return;
	cr_assert(eq(int, setresgid(65534, 65534, 65534), 0));
	cr_assert(eq(int, setresuid(65534, 65534, 65534), 0));
}

Test(symbol_files, deleted_and_replaced_files_are_read_where_permitted)
{
	struct child child;

	if (geteuid() != 0)
		cr_skip("needs CAP_CHECKPOINT_RESTORE");
	start_program(&child, "");
	check_child(child.pid, SYMBOL_ORIGIN_FULL, SYMBOL_ORIGIN_FULL);
	scratch_run("rm main full.so");
	check_child(child.pid, SYMBOL_ORIGIN_FULL, SYMBOL_ORIGIN_FULL);
	replace_files("");
	check_child(child.pid, SYMBOL_ORIGIN_FULL, SYMBOL_ORIGIN_FULL);
	child_stop(&child, DEADLINE_MS);
}

Test(symbol_files, others_read_the_executable_and_memory)
{
	static const char *const flags[] = { "", "-Wl,--build-id=none" };

	drop_privileges();
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct child child;

		start_program(&child, flags[i]);
		check_child(child.pid, SYMBOL_ORIGIN_FULL, SYMBOL_ORIGIN_FULL);
		scratch_run("cp full.so copy.so && rm full.so");
		check_child(child.pid, SYMBOL_ORIGIN_FULL,
			    SYMBOL_ORIGIN_DYNAMIC);
		/* the same file again, but without a build id who knows */
		scratch_run("mv copy.so full.so");
		check_child(child.pid, SYMBOL_ORIGIN_FULL,
			    i == 0 ? SYMBOL_ORIGIN_FULL
				   : SYMBOL_ORIGIN_DYNAMIC);
		replace_files(flags[i]);
		check_child(child.pid, SYMBOL_ORIGIN_FULL,
			    SYMBOL_ORIGIN_DYNAMIC);
		child_stop(&child, DEADLINE_MS);
		scratch_run("rm -f main full.so");
	}
}
