/* SPDX-License-Identifier: MIT */
/*
 * What is read from a patch file is what the loader makes of it, whichever
 * compiler and linker made the file; and nothing can change it afterwards.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <upatch/patch.h>

#include "patch_builder.h"
#include "patch_file.h"
#include "scratch.h"

TestSuite(patch_file, .timeout = 60);

static struct upatch_patch_file *open_patch(const char *name)
{
	struct upatch_patch_file *file = NULL;
	struct upatch_error err = { 0 };
	int code = upatch_patch_file_open(scratch_path(name), &file, &err);

	cr_assert(code == 0, "%s: %s", name, err.message);
	return file;
}

static struct upatch_patch_file *build_patch(const struct patch_build *build,
					     const char *source)
{
	if (!patch_builder_compile(build, source, "patch.so"))
		cr_skip("%s is not installed", build->compiler);
	return open_patch("patch.so");
}

static const struct patch_build plain = { "gcc", { "-O2" } };

/* --- Comparison with the loader ----------------------------------------- */

static upatch_addr_t load_bias;

/* `loaded` is a pointer to an object or to a function. */
static void compare_address(const char *what, uintptr_t loaded,
			    upatch_addr_t read)
{
	upatch_addr_t expected = read ? load_bias + read : 0;

	cr_assert(loaded == expected, "%s: loaded 0x%lx, read 0x%lx + 0x%lx",
		  what, loaded, load_bias, read);
}

static void compare_string(const char *what, const char *loaded,
			   const char *read)
{
	bool are_equal =
		loaded == read || (loaded && read && strcmp(loaded, read) == 0);

	cr_assert(are_equal, "%s: loaded '%s', read '%s'", what,
		  loaded ? loaded : "NULL", read ? read : "NULL");
}

static void compare_funcs(const struct upatch_object *loaded,
			  const struct patch_object *read)
{
	for (size_t i = 0; i < read->func_count; i++) {
		const struct upatch_func *func = &loaded->funcs[i];
		const struct patch_func *found = &read->funcs[i];

		compare_string("old_name", func->old_name, found->old_name);
		compare_address("new_func", (uintptr_t)func->new_func,
				found->new_func);
		compare_address("orig_func", (uintptr_t)func->orig_func,
				found->orig_func);
		compare_address("declaration", (uintptr_t)func,
				found->declaration);
		cr_assert(eq(ulong, func->old_sympos, found->sympos));
		cr_assert(eq(int, func->immediate, found->immediate));
		cr_assert(eq(u64, found->function.code.start, found->new_func));
	}
	if (loaded->funcs)
		cr_assert(zero(ptr, loaded->funcs[read->func_count].new_func));
}

static void compare_symbols(const struct upatch_object *loaded,
			    const struct patch_object *read)
{
	for (size_t i = 0; i < read->symbol_count; i++) {
		compare_string("symbol", loaded->symbols[i].name,
			       read->symbols[i].name);
		compare_address("addr", (uintptr_t)loaded->symbols[i].addr,
				read->symbols[i].store);
		cr_assert(eq(ulong, loaded->symbols[i].sympos,
			     read->symbols[i].sympos));
	}
}

static void compare_object(const struct upatch_object *loaded,
			   const struct patch_object *read)
{
	const struct upatch_callbacks *callbacks = &loaded->callbacks;

	compare_string("object", loaded->name, read->name);
	compare_string("build id", loaded->build_id, read->build_id);
	compare_address("declaration", (uintptr_t)loaded, read->declaration);
	compare_address("pre_patch", (uintptr_t)callbacks->pre_patch,
			read->callbacks[PATCH_PRE_PATCH]);
	compare_address("post_patch", (uintptr_t)callbacks->post_patch,
			read->callbacks[PATCH_POST_PATCH]);
	compare_address("pre_unpatch", (uintptr_t)callbacks->pre_unpatch,
			read->callbacks[PATCH_PRE_UNPATCH]);
	compare_address("post_unpatch", (uintptr_t)callbacks->post_unpatch,
			read->callbacks[PATCH_POST_UNPATCH]);
	compare_funcs(loaded, read);
	compare_symbols(loaded, read);
}

static void compare_patch(const struct upatch_patch *loaded,
			  const struct patch_model *read)
{
	compare_address("patch", (uintptr_t)loaded, read->declaration);
	compare_string("name", loaded->name, read->name);
	compare_string("description", loaded->description, read->description);
	cr_assert(eq(int, loaded->replace, read->replace));
	cr_assert(eq(int, loaded->immediate, read->immediate));
	for (size_t i = 0; i < read->object_count; i++)
		compare_object(&loaded->objs[i], &read->objects[i]);
	cr_assert(eq(str,
		     (char *)(uintptr_t)loaded->objs[read->object_count].name,
		     ""));
	for (size_t i = 0; i < read->state_count; i++) {
		cr_assert(eq(ulong, loaded->states[i].id, read->states[i].id));
		cr_assert(eq(uint, loaded->states[i].version,
			     read->states[i].version));
	}
}

static void compare_bindings(const struct patch_model *model)
{
	for (size_t i = 0; i < model->binding_count; i++) {
		const struct patch_binding *binding = &model->bindings[i];
		upatch_addr_t word;

		memcpy(&word, (void *)(uintptr_t)(load_bias + binding->addr),
		       sizeof(word));
		cr_assert(word == (binding->is_null
					   ? 0
					   : load_bias + binding->value),
			  "%s", binding->symbol);
	}
}

/* The code is not relocated: the same bytes in the file and in memory. */
static void compare_code(const struct upatch_patch_file *file,
			 const struct patch_model *model)
{
	const struct patch_func *func = &model->objects[0].funcs[0];
	const uint8_t *code;
	size_t len;

	cr_assert(patch_file_code(file, func->new_func, &code, &len));
	cr_assert(len >= 4);
	cr_assert(memcmp(code, (void *)(uintptr_t)(load_bias + func->new_func),
			 len) == 0);
}

static void compare_with_loader(const char *name)
{
	struct upatch_patch_file *file = open_patch(name);
	const struct patch_model *model = patch_file_model(file);
	const struct upatch_descriptor *descriptor;
	void *handle = dlopen(scratch_path(name), RTLD_NOW);
	struct link_map *map;

	cr_assert(handle != NULL, "%s", dlerror());
	cr_assert(dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0);
	load_bias = map->l_addr;
	descriptor = dlsym(handle, "upatch_descriptor");
	cr_assert(descriptor != NULL);
	compare_patch(descriptor->patch, model);
	compare_bindings(model);
	compare_code(file, model);
	dlclose(handle);
	upatch_patch_file_close(file);
}

static const struct patch_build variants[] = {
	{ "gcc", { "-O2" } },
	{ "gcc", { "-O0", "-g" } },
	{ "gcc", { "-O2", "-fno-plt" } },
	{ "gcc", { "-O2", "-fcf-protection=full" } },
	{ "gcc", { "-O2", "-s" } },
	{ "gcc", { "-O2", "-flto" } },
	{ "gcc", { "-O2", "-mcmodel=large" } },
	{ "gcc", { "-O2", "-Wl,-z,now" } },
	{ "gcc", { "-O2", "-Wl,-z,norelro" } },
	{ "gcc", { "-O2", "-Wl,-z,noseparate-code" } },
	{ "gcc", { "-O2", "-Wl,-Bsymbolic" } },
	{ "gcc", { "-O2", "-fvisibility=hidden" } },
	{ "gcc", { "-O2", "-ffunction-sections", "-Wl,--gc-sections" } },
	{ "gcc", { "-O2", "-fdata-sections", "-Wl,-z,lazy" } },
	{ "gcc", { "-O2", "-Wl,--hash-style=sysv" } },
	{ "gcc", { "-O2", "-Wl,--hash-style=both" } },
	{ "gcc", { "-O2", "-fsanitize=undefined" } },
	{ "clang", { "-O2" } },
	{ "clang", { "-O0" } },
	{ "clang", { "-O2", "-fno-plt", "-s" } },
	{ "clang", { "-O2", "-fuse-ld=lld" } },
	{ "gcc", { "-O2", "-fuse-ld=gold" } },
};

Test(patch_file, model_is_what_the_loader_makes_of_the_file)
{
	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		char name[32];

		snprintf(name, sizeof(name), "variant-%zu.so", i);
		if (patch_builder_compile(&variants[i], "read_all_fields.c",
					  name))
			compare_with_loader(name);
	}
}

Test(patch_file, packed_relative_relocations_are_understood)
{
	const struct patch_build build = {
		"gcc", { "-O2", "-Wl,-z,pack-relative-relocs" }
	};
	const char *help[] = { "sh", "-c",
			       "ld --help | grep -q pack-relative-relocs",
			       NULL };
	struct upatch_patch_file *file;

	if (!patch_builder_run(help))
		cr_skip("ld does not know -z pack-relative-relocs");
	file = build_patch(&build, "read_all_fields.c");
	cr_assert(ne(u64, patch_file_model(file)->elf.dynamic.relr_len, 0));
	upatch_patch_file_close(file);
	compare_with_loader("patch.so");
}

Test(patch_file, patch_in_cxx_is_read)
{
	const struct patch_build build = { "g++", { "-O2", "-std=c++17" } };
	struct upatch_patch_file *file = build_patch(&build, "read_class.cc");
	const struct patch_model *model = patch_file_model(file);
	char *new_name = strdup(model->objects[0].funcs[0].function.name);

	cr_assert(eq(str, new_name, "_ZN12_GLOBAL__N_13Fix3runEi"));
	cr_assert(model->elf.has_tls);
	cr_assert(model->immediate);
	free(new_name);
	upatch_patch_file_close(file);
	compare_with_loader("patch.so");
}

/* --- Fields -------------------------------------------------------------- */

Test(patch_file, info_has_every_field)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	const struct upatch_info *info = upatch_patch_file_info(file);
	const struct upatch_info_object *objects = info->objects;

	compare_string("path", scratch_path("patch.so"), info->path);
	compare_string("name", "read-all_fields.1", info->name);
	compare_string("description", "Größe: every field", info->description);
	cr_assert(eq(uint, info->interface_version, 1));
	cr_assert(info->replace && !info->immediate);
	cr_assert(info->build_id != NULL && strlen(info->build_id) == 40);
	cr_assert(eq(sz, info->object_count, 2));
	cr_assert(zero(ptr, (void *)(uintptr_t)objects[0].name));
	cr_assert(eq(sz, objects[0].func_count, 2));
	compare_string("old_name", "get_limit", objects[0].funcs[0].old_name);
	compare_string("new_name", "new_limit", objects[0].funcs[0].new_name);
	cr_assert(eq(ulong, objects[0].funcs[0].sympos, 2));
	cr_assert(objects[0].funcs[0].immediate);
	cr_assert(objects[0].funcs[0].has_orig_func);
	compare_string("old_name", "get_name", objects[0].funcs[1].old_name);
	cr_assert(not(objects[0].funcs[1].has_orig_func));
	cr_assert(eq(sz, objects[0].symbol_count, 2));
	compare_string("symbol", "table", objects[0].symbols[0].name);
	cr_assert(eq(ulong, objects[0].symbols[0].sympos, 3));
	cr_assert(objects[0].has_pre_patch && objects[0].has_post_patch &&
		  objects[0].has_pre_unpatch && objects[0].has_post_unpatch);
	upatch_patch_file_close(file);
}

Test(patch_file, info_has_objects_without_functions_and_states)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	const struct upatch_info *info = upatch_patch_file_info(file);
	const struct upatch_info_object *library = &info->objects[1];

	compare_string("name", "libz.so.1", library->name);
	compare_string("build id", "0123456789abcdef", library->build_id);
	cr_assert(eq(sz, library->func_count, 0));
	cr_assert(eq(sz, library->symbol_count, 0));
	/* A weak symbol that nobody defines. */
	cr_assert(not(library->has_pre_patch));
	cr_assert(library->has_post_patch);
	cr_assert(eq(sz, info->state_count, 2));
	cr_assert(eq(ulong, info->states[0].id, 5));
	cr_assert(eq(ulong, info->states[1].id, 3));
	cr_assert(eq(uint, info->states[1].version, 9));
	upatch_patch_file_close(file);
}

Test(patch_file, pointers_that_the_target_could_override_are_listed)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	const struct patch_model *model = patch_file_model(file);

	cr_assert(eq(sz, model->binding_count, 2));
	compare_string("weak", "read_not_there", model->bindings[0].symbol);
	cr_assert(model->bindings[0].is_null);
	compare_string("global", "read_new_name", model->bindings[1].symbol);
	cr_assert(eq(u64, model->bindings[1].value,
		     model->objects[0].funcs[1].new_func));
	upatch_patch_file_close(file);
}

Test(patch_file, libraries_and_names_of_the_file_are_read)
{
	const struct patch_build build = {
		"gcc",
		{ "-O2", "-Wl,-soname,fix.so.2", "-Wl,-z,nodelete",
		  "-Wl,--no-as-needed", "-lz", "-Wl,--build-id=0xabcdef01" }
	};
	struct upatch_patch_file *file =
		build_patch(&build, "read_all_fields.c");
	const struct patch_elf *elf = &patch_file_model(file)->elf;

	compare_string("soname", "fix.so.2", elf->soname);
	compare_string("build id", "abcdef01", elf->build_id);
	cr_assert(eq(sz, elf->needed_count, 2));
	compare_string("needed", "libz.so.1", elf->needed[0]);
	compare_string("needed", "libc.so.6", elf->needed[1]);
	cr_assert(elf->no_delete);
	cr_assert(not(elf->has_tls));
	cr_assert(eq(sz, elf->text_count, 1));
	upatch_patch_file_close(file);
}

/* --- Extents of new functions -------------------------------------------- */

static const struct patch_function *function_at(const struct patch_model *model,
						size_t index)
{
	return &model->objects[0].funcs[index].function;
}

static uint64_t length(const struct addr_range *range)
{
	return range->end - range->start;
}

Test(patch_file, cold_part_of_a_new_function_is_found)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	const struct patch_function *function =
		function_at(patch_file_model(file), 0);

	cr_assert(function->size_known && function->parts_known);
	cr_assert(eq(sz, function->part_count, 1));
	cr_assert(
		not(addr_range_has(&function->code, function->parts[0].start)));
	cr_assert(gt(u64, length(&function->parts[0]), 0));
	upatch_patch_file_close(file);
}

Test(patch_file, extents_come_from_symbols_unwind_tables_and_neighbours)
{
	struct upatch_patch_file *file = build_patch(&plain, "read_sizes.c");
	const struct patch_model *model = patch_file_model(file);
	const struct patch_function *function = function_at(model, 0);
	uint64_t parts_len = 0;

	compare_string("name", "with_fde", function->name);
	cr_assert(function->size_known);
	cr_assert(eq(u64, length(&function->code), 5));
	function = function_at(model, 1);
	compare_string("name", "without_fde", function->name);
	cr_assert(not(function->size_known));
	cr_assert(eq(u64, length(&function->code), 6));
	function = function_at(model, 2);
	cr_assert(function->size_known);
	cr_assert(eq(sz, function->part_count, 3));
	for (size_t i = 0; i < function->part_count; i++)
		parts_len += length(&function->parts[i]);
	cr_assert(eq(u64, parts_len, 1 + 2 + 3));
	upatch_patch_file_close(file);
}

Test(patch_file, stripped_functions_keep_their_size)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	struct upatch_patch_file *stripped;
	const char *strip[] = { "strip", "-s", scratch_path("patch.so"), NULL };
	const struct patch_function *function, *expected;

	cr_assert(patch_builder_run(strip));
	stripped = open_patch("patch.so");
	expected = function_at(patch_file_model(file), 0);
	function = function_at(patch_file_model(stripped), 0);
	cr_assert(zero(ptr, (void *)(uintptr_t)function->name));
	cr_assert(function->size_known);
	cr_assert(not(function->parts_known));
	cr_assert(eq(u64, function->code.start, expected->code.start));
	cr_assert(eq(u64, function->code.end, expected->code.end));
	function = function_at(patch_file_model(stripped), 1);
	compare_string("exported", "read_new_name", function->name);
	upatch_patch_file_close(stripped);
	upatch_patch_file_close(file);
}

Test(patch_file, section_headers_are_not_needed)
{
	Elf64_Ehdr header;
	uint8_t *bytes;
	size_t len;

	upatch_patch_file_close(build_patch(&plain, "read_all_fields.c"));
	bytes = patch_builder_read("patch.so", &len);
	memcpy(&header, bytes, sizeof(header));
	len = header.e_shoff;
	header.e_shoff = 0;
	header.e_shnum = 0;
	header.e_shstrndx = SHN_UNDEF;
	memcpy(bytes, &header, sizeof(header));
	patch_builder_write("no-sections.so", bytes, len);
	free(bytes);
	compare_with_loader("no-sections.so");
}

/* --- The file itself ------------------------------------------------------ */

Test(patch_file, bytes_are_sealed_and_outlive_the_file)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	int memfd = patch_file_memfd(file);
	size_t len;
	uint8_t *bytes = patch_builder_read("patch.so", &len);
	void *copy;

	cr_assert(truncate(scratch_path("patch.so"), 100) == 0);
	cr_assert(unlink(scratch_path("patch.so")) == 0);
	copy = mmap(NULL, len, PROT_READ | PROT_EXEC, MAP_PRIVATE, memfd, 0);
	cr_assert(copy != MAP_FAILED);
	cr_assert(memcmp(copy, bytes, len) == 0);
	cr_assert(eq(int, fcntl(memfd, F_GET_SEALS) & 0xf,
		     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
	cr_assert(lt(i64, pwrite(memfd, "x", 1, 0), 0));
	cr_assert(eq(int, errno, EPERM));
	cr_assert(ne(int, ftruncate(memfd, 0), 0));
	cr_assert(eq(int, fcntl(memfd, F_GETFD), FD_CLOEXEC));
	munmap(copy, len);
	free(bytes);
	upatch_patch_file_close(file);
}

Test(patch_file, path_is_resolved)
{
	struct upatch_patch_file *file;
	char target[256];

	cr_assert(patch_builder_compile(&plain, "read_all_fields.c", "a.so"));
	snprintf(target, sizeof(target), "%s", scratch_path("a.so"));
	cr_assert(symlink("a.so", scratch_path("link.so")) == 0);
	file = open_patch("link.so");
	compare_string("path", target, upatch_patch_file_info(file)->path);
	upatch_patch_file_close(file);
}

static void refuse_file(const char *path, int code, const char *text)
{
	struct upatch_patch_file *file = NULL;
	struct upatch_error err = { 0 };

	cr_assert(upatch_patch_file_open(path, &file, &err) == code, "%s: %d",
		  path, err.code);
	cr_assert(strstr(err.message, text) != NULL, "%s", err.message);
	cr_assert(strstr(err.message, path) != NULL, "%s", err.message);
	cr_assert(zero(ptr, file));
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	cr_assert(dir != NULL);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

Test(patch_file, what_is_no_file_is_refused_and_nothing_leaks)
{
	int fds = count_fds();
	int fd;

	refuse_file(scratch_path("none.so"), UPATCH_ERROR_BAD_PATCH,
		    "No such file");
	refuse_file("/tmp", UPATCH_ERROR_BAD_PATCH, "not a regular file");
	refuse_file("/dev/null", UPATCH_ERROR_BAD_PATCH, "not a regular file");
	cr_assert(mkfifo(scratch_path("fifo"), 0600) == 0);
	refuse_file(scratch_path("fifo"), UPATCH_ERROR_BAD_PATCH,
		    "not a regular file");
	patch_builder_write("empty.so", (const uint8_t *)"", 0);
	refuse_file(scratch_path("empty.so"), UPATCH_ERROR_BAD_PATCH,
		    "it is empty");
	patch_builder_write("text.so", (const uint8_t *)"#!/bin/sh\n", 10);
	refuse_file(scratch_path("text.so"), UPATCH_ERROR_BAD_PATCH,
		    "it is not an ELF file");
	fd = open(scratch_path("big.so"), O_CREAT | O_RDWR, 0600);
	cr_assert(ftruncate(fd, (256L << 20) + 1) == 0);
	close(fd);
	refuse_file(scratch_path("big.so"), UPATCH_ERROR_BAD_PATCH,
		    "larger than 256 MiB");
	cr_assert(eq(int, count_fds(), fds));
}

Test(patch_file, missing_permission_is_told_apart)
{
	patch_builder_write("secret.so", (const uint8_t *)"x", 1);
	cr_assert(chmod(scratch_path("secret.so"), 0) == 0);
	if (geteuid() == 0)
		cr_assert(seteuid(65534) == 0);
	refuse_file(scratch_path("secret.so"), UPATCH_ERROR_PERMISSION,
		    "Permission denied");
	if (getuid() == 0)
		cr_assert(seteuid(0) == 0);
}

Test(patch_file, close_accepts_nothing)
{
	struct upatch_error err = { 0 };
	struct upatch_patch_file *file;

	upatch_patch_file_close(NULL);
	cr_assert(eq(int, upatch_patch_file_open(NULL, &file, &err),
		     UPATCH_ERROR_ARGUMENT));
}

Test(patch_file, code_is_only_found_in_executable_memory)
{
	struct upatch_patch_file *file =
		build_patch(&plain, "read_all_fields.c");
	const struct patch_model *model = patch_file_model(file);
	const uint8_t *code;
	size_t len;

	cr_assert(not(patch_file_code(file, model->declaration, &code, &len)));
	cr_assert(not(patch_file_code(file, UINT64_MAX, &code, &len)));
	upatch_patch_file_close(file);
}
