/* SPDX-License-Identifier: MIT */
/* What the loader of a process has loaded, as its memory tells it. */
#include "modules.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "child.h"
#include "deadline.h"
#include "link_list.h"
#include "module_image.h"
#include "scratch.h"

TestSuite(modules, .timeout = 60);

/* --- Help ------------------------------------------------------------- */

static int try_modules(pid_t pid, struct modules *modules,
		       struct upatch_error *err)
{
	struct memory memory;
	int ret = memory_open(&memory, pid, err);

	if (ret < 0)
		return ret;
	ret = modules_read(&memory, modules, NULL, err);
	memory_close(&memory);
	return ret;
}

static void read_modules(pid_t pid, struct modules *modules)
{
	struct upatch_error err = { 0 };
	int ret = try_modules(pid, modules, &err);

	cr_assert(eq(int, ret, 0), "%s", err.message);
}

/* A program that says "ready" and ends when its stdin does. */
static const char waiting_program[] = "#include <stdio.h>\n"
				      "#include <sys/prctl.h>\n"
				      "int main(void)\n"
				      "{\n"
				      "	prctl(PR_SET_PDEATHSIG, 9);\n"
				      "	puts(\"ready\");\n"
				      "	fflush(stdout);\n"
				      "	while (getchar() != EOF)\n"
				      "		;\n"
				      "	return 0;\n"
				      "}\n";

static void start(struct child *child, const char *const argv[])
{
	const char *line;

	child_start(child, argv, 0);
	line = child_read_line(child, DEADLINE_MS);
	cr_assert(line && strcmp(line, "ready") == 0);
}

static void start_program(struct child *child, const char *program)
{
	const char *const argv[] = { program, NULL };

	start(child, argv);
}

static const struct module *find(const struct modules *modules,
				 const char *name)
{
	return modules_find_name(modules, name);
}

/* --- This process ----------------------------------------------------- */

struct comparison {
	const struct modules *modules;
	size_t count;
};

static int compare_with_loader(struct dl_phdr_info *own, size_t size, void *arg)
{
	struct comparison *comparison = arg;
	const struct module *module =
		&comparison->modules->modules[comparison->count++];

	(void)size;
	cr_assert(eq(u64, module->bias, own->dlpi_addr));
	cr_assert(eq(u64, module->phdr, (uintptr_t)own->dlpi_phdr));
	cr_assert(eq(u64, module->phdr_count, own->dlpi_phnum));
	if (!module->is_main)
		cr_assert(zero(int, strcmp(module->path, own->dlpi_name)));
	return 0;
}

Test(modules, they_are_what_the_loader_itself_lists)
{
	struct modules modules;
	struct comparison comparison = { &modules, 0 };

	read_modules(getpid(), &modules);
	dl_iterate_phdr(compare_with_loader, &comparison);
	cr_assert(eq(sz, comparison.count, modules.count));
	cr_assert(find(&modules, "libc.so.6") != NULL);
	cr_assert(find(&modules, "ld-linux-x86-64.so.2") != NULL);
	cr_assert(find(&modules, "linux-vdso.so.1") != NULL);
	modules_free(&modules);
	modules_free(&modules);
}

Test(modules, the_main_executable_is_the_first_and_has_its_path)
{
	struct modules modules;
	const struct module *module;
	char path[PATH_MAX];

	read_modules(getpid(), &modules);
	module = find(&modules, NULL);
	cr_assert(module == &modules.modules[0] && module->is_main);
	cr_assert(realpath("/proc/self/exe", path) != NULL);
	cr_assert(zero(int, strcmp(module->path, path)));
	cr_assert(find(&modules, path) == NULL);
	cr_assert(find(&modules, strrchr(path, '/') + 1) == NULL);
	cr_assert(find(&modules, "") == NULL);
	modules_free(&modules);
}

Test(modules, a_module_has_its_code_and_unwind_table)
{
	struct modules modules;
	const struct module *module;
	bool inside = false;

	read_modules(getpid(), &modules);
	module = modules_find_addr(&modules, (uintptr_t)modules_read);
	cr_assert(module && module->is_main);
	for (size_t i = 0; i < module->text_count; i++)
		inside |= addr_range_has(&module->text[i],
					 (uintptr_t)modules_read);
	cr_assert(inside);
	/* .eh_frame_hdr begins with its version, 1 */
	cr_assert(eq(int, *(uint8_t *)module->eh_frame_hdr, 1));
	cr_assert(gt(u64, module->eh_frame_hdr_len, 8));
	cr_assert(module->dynamic == (uintptr_t)_DYNAMIC);
	cr_assert(modules_find_addr(&modules, 0) == NULL);
	cr_assert(modules_find_addr(&modules, module->start) == module);
	cr_assert(modules_find_addr(&modules, module->end) != module);
	modules_free(&modules);
}

Test(modules, a_library_comes_and_goes)
{
	struct modules modules;
	const struct module *module;
	void *handle;

	scratch_write("lib.c", "int f(void) { return 1; }\n");
	scratch_run("gcc -shared -fPIC -Wl,-soname,libcoming.so.7"
		    " -Wl,--build-id=0x00ff10203040 lib.c -o other-name.so");
	handle = dlopen(scratch_path("other-name.so"), RTLD_NOW);
	cr_assert(handle != NULL);
	read_modules(getpid(), &modules);
	module = find(&modules, "libcoming.so.7");
	cr_assert(module != NULL);
	cr_assert(module == find(&modules, "other-name.so"));
	cr_assert(module == find(&modules, scratch_path("other-name.so")));
	cr_assert(zero(int, strcmp(module->build_id, "00ff10203040")));
	cr_assert(zero(int, strcmp(module->soname, "libcoming.so.7")));
	cr_assert(eq(u64, module->link_map, (uintptr_t)handle));
	cr_assert(module ==
		  modules_find_addr(&modules, (uintptr_t)dlsym(handle, "f")));
	modules_free(&modules);

	dlclose(handle);
	read_modules(getpid(), &modules);
	cr_assert(find(&modules, "libcoming.so.7") == NULL);
	modules_free(&modules);
}

Test(modules, a_library_without_soname_and_build_id_has_none)
{
	struct modules modules;
	const struct module *module;

	scratch_write("lib.c", "int f(void) { return 1; }\n");
	scratch_run("gcc -shared -fPIC -Wl,--build-id=none lib.c -o bare.so");
	cr_assert(dlopen(scratch_path("bare.so"), RTLD_NOW) != NULL);
	read_modules(getpid(), &modules);
	module = find(&modules, "bare.so");
	cr_assert(module && !module->soname && !module->build_id);
	modules_free(&modules);
}

Test(modules, soname_goes_before_file_name)
{
	struct modules modules;
	const struct module *module;

	scratch_write("lib.c", "int f(void) { return 1; }\n");
	scratch_run("gcc -shared -fPIC lib.c -o same.so");
	scratch_run("gcc -shared -fPIC -Wl,-soname,same.so lib.c -o other.so");
	cr_assert(dlopen(scratch_path("same.so"), RTLD_NOW) != NULL);
	cr_assert(dlopen(scratch_path("other.so"), RTLD_NOW) != NULL);
	read_modules(getpid(), &modules);
	module = find(&modules, "same.so");
	cr_assert(module && module == find(&modules, "other.so"));
	cr_assert(find(&modules, scratch_path("same.so")) != module);
	modules_free(&modules);
}

Test(modules, namespaces_of_dlmopen_are_seen)
{
	struct modules modules;
	const struct module *module;
	void *handle;

	scratch_write("lib.c", "int f(void) { return 1; }\n");
	scratch_run("gcc -shared -fPIC lib.c -o aside.so");
	handle = dlmopen(LM_ID_NEWLM, scratch_path("aside.so"), RTLD_NOW);
	cr_assert(handle != NULL);
	read_modules(getpid(), &modules);
	module = find(&modules, "aside.so");
	cr_assert(module && module->link_namespace == 1);
	/* its own libc is not the program's */
	module = find(&modules, "libc.so.6");
	cr_assert(module && module->link_namespace == 0);
	cr_assert(module ==
		  modules_find_addr(&modules,
				    (uintptr_t)dlsym(RTLD_DEFAULT,
						     "gnu_get_libc_version")));
	modules_free(&modules);
}

/* --- Other processes -------------------------------------------------- */

Test(modules, every_kind_of_executable_is_described)
{
	static const char *const flags[] = {
		"-pie",
		"-no-pie",
		"-no-pie -Wl,-z,norelro -Wl,-z,noseparate-code",
		"-pie -Wl,-z,now -Wl,--hash-style=sysv",
	};

	scratch_write("main.c", waiting_program);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		const struct module *module;
		struct modules modules;
		struct child child;

		scratch_run("gcc %s main.c -o main", flags[i]);
		start_program(&child, scratch_path("main"));
		read_modules(child.pid, &modules);
		module = find(&modules, NULL);
		cr_assert(zero(int, strcmp(module->path, scratch_path("main"))),
			  "%s", flags[i]);
		cr_assert(ge(sz, module->text_count, 1));
		cr_assert(eq(sz, strlen(module->build_id), 40));
		cr_assert(ne(u64, module->eh_frame_hdr, 0));
		cr_assert(ge(sz, modules.count, 4));
		modules_free(&modules);
		child_stop(&child, DEADLINE_MS);
	}
}

Test(modules, a_program_started_through_the_loader_is_found)
{
	const char *const argv[] = { "/lib64/ld-linux-x86-64.so.2",
				     scratch_path("main"), NULL };
	const struct module *module;
	struct modules modules;
	struct child child;

	scratch_write("main.c", waiting_program);
	scratch_run("gcc main.c -o main");
	start(&child, argv);
	read_modules(child.pid, &modules);
	module = find(&modules, NULL);
	cr_assert(zero(int, strcmp(module->path, argv[1])));
	cr_assert(ge(sz, module->phdr_count, 5));
	cr_assert(find(&modules, "ld-linux-x86-64.so.2") != NULL);
	cr_assert(find(&modules, "ld-linux-x86-64.so.2") != module);
	modules_free(&modules);
	child_stop(&child, DEADLINE_MS);
}

Test(modules, a_deleted_executable_keeps_its_path)
{
	struct modules modules;
	struct child child;

	scratch_write("main.c", waiting_program);
	scratch_run("gcc main.c -o main");
	start_program(&child, scratch_path("main"));
	scratch_run("rm main");
	read_modules(child.pid, &modules);
	cr_assert(zero(int, strcmp(find(&modules, NULL)->path,
				   scratch_path("main"))));
	modules_free(&modules);
	child_stop(&child, DEADLINE_MS);
}

Test(modules, static_programs_are_refused)
{
	static const char *const flags[] = { "-static", "-static-pie" };

	scratch_write("main.c", waiting_program);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct upatch_error err = { 0 };
		struct modules modules;
		struct child child;
		char text[128];
		int ret;

		scratch_run("gcc %s main.c -o main", flags[i]);
		start_program(&child, scratch_path("main"));
		ret = try_modules(child.pid, &modules, &err);
		snprintf(text, sizeof(text),
			 "process %d has no dynamic loader (statically linked)",
			 child.pid);
		cr_assert(eq(int, ret, UPATCH_ERROR_UNSUPPORTED));
		cr_assert(eq(str, err.message, text));
		child_stop(&child, DEADLINE_MS);
	}
}

Test(modules, another_loader_than_glibcs_is_refused_by_name)
{
	struct upatch_error err = { 0 };
	struct modules modules;
	struct child child;
	char text[256];
	int ret;

	/* All that this loader does is to write "ready" and to wait. */
	scratch_write(
		"loader.c",
		"static long call(long n, long a, const void *b, long c)\n"
		"{\n"
		"	long r;\n"
		"	__asm__ volatile(\"syscall\" : \"=a\"(r)\n"
		"		: \"a\"(n), \"D\"(a), \"S\"(b), \"d\"(c)\n"
		"		: \"rcx\", \"r11\", \"memory\");\n"
		"	return r;\n"
		"}\n"
		"void _start(void)\n"
		"{\n"
		"	char c;\n"
		"	call(157, 1, (void *)9, 0);\n"
		"	call(1, 1, \"ready\\n\", 6);\n"
		"	while (call(0, 0, &c, 1) > 0)\n"
		"		;\n"
		"	call(231, 0, 0, 0);\n"
		"}\n");
	scratch_run("gcc -O1 -shared -fPIC -nostdlib -Wl,-e,_start"
		    " -Wl,-soname,libc.so loader.c -o ld-musl-x86_64.so.1");
	scratch_write("main.c", waiting_program);
	scratch_run("gcc -Wl,--dynamic-linker=%s main.c -o main",
		    scratch_path("ld-musl-x86_64.so.1"));
	start_program(&child, scratch_path("main"));
	ret = try_modules(child.pid, &modules, &err);
	snprintf(
		text, sizeof(text),
		"process %d uses the dynamic loader '%s'; only glibc's is supported",
		child.pid, scratch_path("ld-musl-x86_64.so.1"));
	cr_assert(eq(int, ret, UPATCH_ERROR_UNSUPPORTED));
	cr_assert(eq(str, err.message, text));
	child_stop(&child, DEADLINE_MS);
}

Test(modules, a_process_that_ended_meanwhile_is_no_target)
{
	struct upatch_error err = { 0 };
	struct modules modules;
	struct memory memory;
	struct child child;
	char text[128];
	int ret;

	scratch_write("main.c", waiting_program);
	scratch_run("gcc main.c -o main");
	start_program(&child, scratch_path("main"));
	cr_assert(eq(int, memory_open(&memory, child.pid, &err), 0));
	snprintf(text, sizeof(text),
		 "process %d has ended, or executes another program now",
		 child.pid);
	child_stop(&child, DEADLINE_MS);
	ret = modules_read(&memory, &modules, NULL, &err);
	cr_assert(eq(int, ret, UPATCH_ERROR_NO_TARGET));
	cr_assert(eq(str, err.message, text));
	memory_close(&memory);
}

Test(modules, libraries_that_come_and_go_do_no_harm)
{
	struct child child;
	unsigned int read = 0;

	scratch_write("lib.c", "int f(void) { return 1; }\n");
	scratch_run("for i in 0 1 2 3 4 5 6 7; do"
		    " gcc -shared -fPIC lib.c -o lib$i.so; done");
	scratch_write("churn.c",
		      "#include <dlfcn.h>\n"
		      "#include <pthread.h>\n"
		      "#include <stdio.h>\n"
		      "#include <sys/prctl.h>\n"
		      "static void *churn(void *arg)\n"
		      "{\n"
		      "	char path[64];\n"
		      "	void *handles[8];\n"
		      "	for (;;) {\n"
		      "		for (int i = 0; i < 8; i++) {\n"
		      "			sprintf(path, \"./lib%d.so\", i);\n"
		      "			handles[i] = dlopen(path, RTLD_NOW);\n"
		      "		}\n"
		      "		for (int i = 0; i < 8; i++)\n"
		      "			dlclose(handles[i]);\n"
		      "	}\n"
		      "	return arg;\n"
		      "}\n"
		      "int main(void)\n"
		      "{\n"
		      "	pthread_t thread;\n"
		      "	prctl(PR_SET_PDEATHSIG, 9);\n"
		      "	pthread_create(&thread, 0, churn, 0);\n"
		      "	puts(\"ready\");\n"
		      "	fflush(stdout);\n"
		      "	while (getchar() != EOF)\n"
		      "		;\n"
		      "	return 0;\n"
		      "}\n");
	scratch_run("gcc churn.c -o churn");
	cr_assert(eq(int, chdir(scratch_dir()), 0));
	start_program(&child, "./churn");
	for (int i = 0; i < 100; i++) {
		struct upatch_error err = { 0 };
		struct modules modules;
		int ret = try_modules(child.pid, &modules, &err);

		if (ret == UPATCH_ERROR_BUSY)
			continue;
		cr_assert(eq(int, ret, 0), "%s", err.message);
		read++;
		for (size_t j = 0; j < modules.count; j++) {
			const struct module *module = &modules.modules[j];

			cr_assert(gt(sz, module->phdr_count, 0), "%s",
				  module->path);
			cr_assert(gt(sz, module->text_count, 0), "%s",
				  module->path);
		}
		modules_free(&modules);
	}
	cr_assert(gt(uint, read, 20));
	kill(child.pid, SIGKILL);
	child_stop(&child, DEADLINE_MS);
	cr_assert(eq(int, chdir("/"), 0));
}

/* --- A list that is made up ------------------------------------------- */

struct fake {
	struct r_debug_extended r_debug;
	struct link_map maps[3];
};

static void init_fake(struct fake *fake)
{
	*fake = (struct fake){ 0 };
	fake->r_debug.base.r_version = 1;
	fake->r_debug.base.r_map = &fake->maps[0];
	fake->maps[0].l_next = &fake->maps[1];
	fake->maps[1].l_next = &fake->maps[2];
}

static enum link_list_state read_fake(const struct fake *fake, size_t *count)
{
	struct link_list list;
	enum link_list_state state;
	struct memory memory;

	cr_assert(eq(int, memory_open(&memory, getpid(), NULL), 0));
	state = link_list_read(&memory, (uintptr_t)&fake->r_debug, &list);
	memory_close(&memory);
	if (state == LINK_LIST_OK) {
		*count = list.count;
		link_list_free(&list);
	}
	return state;
}

Test(modules, a_list_is_only_believed_when_it_is_whole)
{
	struct fake fake;
	size_t count = 0;

	init_fake(&fake);
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_OK));
	cr_assert(eq(sz, count, 3));
	fake.maps[2].l_next = &fake.maps[0];
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_BROKEN));
	fake.maps[2].l_next = (struct link_map *)8;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_BROKEN));
	init_fake(&fake);
	fake.r_debug.base.r_state = RT_ADD;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_CHANGING));
	fake.r_debug.base.r_state = RT_DELETE;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_CHANGING));
	init_fake(&fake);
	fake.r_debug.base.r_map = NULL;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_STARTING));
	init_fake(&fake);
	fake.r_debug.base.r_version = 2;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_OK));
	fake.r_debug.r_next = &fake.r_debug;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_BROKEN));
	fake.r_debug.r_next = (struct r_debug_extended *)8;
	cr_assert(eq(int, read_fake(&fake, &count), LINK_LIST_BROKEN));
}

/* --- An image that is made up ----------------------------------------- */

static void describe(const struct memory *memory, const void *image_start)
{
	struct module_image image;
	struct module module = { 0 };

	if (!module_image_read_elf(memory, (uintptr_t)image_start, &image))
		return;
	if (module_image_describe(memory, &image, &module))
		cr_assert(le(sz, module.text_count, image.count));
	module_image_fini_module(&module);
	module_image_free(&image);
}

Test(modules, headers_that_were_overwritten_do_no_harm)
{
	struct modules modules;
	const struct module *libc;
	struct memory memory;
	size_t len = 65536;
	uint8_t *copy = malloc(len);

	srandom(2);
	read_modules(getpid(), &modules);
	libc = find(&modules, "libc.so.6");
	cr_assert(eq(int, memory_open(&memory, getpid(), NULL), 0));
	for (int round = 0; round < 5000; round++) {
		memcpy(copy, (void *)libc->start, len);
		for (int i = 0; i < 1 + round % 8; i++)
			copy[(size_t)random() % (round % 2 ? 64 : 1024)] =
				(uint8_t)random();
		describe(&memory, copy);
	}
	free(copy);
	memory_close(&memory);
	modules_free(&modules);
}
