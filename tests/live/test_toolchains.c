/* SPDX-License-Identifier: MIT */
/*
 * Programs built in other ways than the other victims: each is patched and
 * reverted, or refused with its reason while nothing has been touched.  One
 * test per row; tests/victims/built/meson.build says how each was built.
 */
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define CYCLES 2

TestSuite(toolchains, .timeout = 120);

/* A program and what it says; `patch` is a path. */
struct row {
	const char *program;
	const char *setting; /* of the environment, or NULL */
	const char *patch, *patch_name;
	const char *old_answer, *new_answer;
};

/* What a script has left in place of a program; skips the test with it. */
static void require_built(const char *path)
{
	char reason[200] = "not built by this compiler, or with a sanitizer";
	FILE *file;

	if (access(path, X_OK) == 0)
		return;
	file = fopen(path, "re");
	if (file != NULL) {
		(void)!fgets(reason, sizeof(reason), file);
		fclose(file);
	}
	reason[strcspn(reason, "\n")] = '\0';
	cr_skip("not tried: %s: %s", path, reason);
}

static const char *path_of_built(const char *name)
{
	char relative[64];

	snprintf(relative, sizeof(relative), "built/%s", name);
	return path_of_victim(relative);
}

static void start(struct victim *victim, const struct row *row)
{
	require_built(row->program);
	require_ptrace();
	if (row->setting != NULL)
		VICTIM_START(victim, "/usr/bin/env", row->setting,
			     row->program);
	else
		VICTIM_START(victim, row->program);
	victim_expect(victim, "values", row->old_answer);
}

static void expect_works(const struct row *row, unsigned int cycles)
{
	struct snapshot before;
	struct victim victim;

	start(&victim, row);
	snapshot_take(victim.pid, &before);
	for (unsigned int i = 0; i < cycles; i++) {
		EXPECT_EXIT(EXIT_DONE, "apply", victim.target, row->patch);
		victim_expect(&victim, "values", row->new_answer);
		EXPECT_EXIT(EXIT_DONE, "revert", victim.target,
			    row->patch_name);
		victim_expect(&victim, "values", row->old_answer);
	}
	snapshot_expect_kept(victim.pid, &before,
			     SNAPSHOT_CODE | SNAPSHOT_THREADS, "at the end");
	snapshot_free(&before);
	victim_check_undisturbed(&victim);
	victim_stop(&victim);
}

/* `check` knows it as well, and nothing has been loaded or written. */
static void expect_refused(const struct row *row, unsigned int kinds,
			   const char *reason)
{
	struct snapshot before;
	struct victim victim;

	start(&victim, row);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, reason, "apply", victim.target,
		       row->patch);
	EXPECT_REFUSAL(EXIT_REFUSED, NULL, "check", row->patch, victim.target);
	snapshot_expect_equal(victim.pid, &before, kinds, "refused");
	snapshot_free(&before);
	victim_expect(&victim, "values", row->old_answer);
	victim_check_undisturbed(&victim);
	child_stop(&victim.child, 30000);
}

/* --- One program in C, built in many ways ---------------------------------- */

static struct row row_of_c(const char *name)
{
	return (struct row){
		.program = path_of_built(name),
		.patch = path_of_patch("built"),
		.patch_name = "built",
		.old_answer = "use=7321 caller=12 switch=-63 surprises=0",
		.new_answer = "use=8321 caller=112 switch=-64 surprises=0",
	};
}

#define WORKS(name)                                                            \
	Test(toolchains, name##_works)                                         \
	{                                                                      \
		const struct row row = row_of_c(#name);                        \
                                                                               \
		expect_works(&row, CYCLES);                                    \
	}
#define REFUSED(name, reason)                                                  \
	Test(toolchains, name##_is_refused)                                    \
	{                                                                      \
		const struct row row = row_of_c(#name);                        \
                                                                               \
		expect_refused(&row, SNAPSHOT_ALL, reason);                    \
	}

/* clang-format off */
WORKS(gcc)
WORKS(gcc_o0)
WORKS(gcc_lto)
WORKS(gcc_align_1)
WORKS(gcc_cet)
WORKS(gcc_pg)
WORKS(gcc_mfentry)
WORKS(gcc_patchable)
WORKS(gcc_patchable_cet)
WORKS(gcc_instrument)
WORKS(gcc_split_stack)
WORKS(gcc_protector)
WORKS(gcc_thunks)
WORKS(gcc_thunks_inline)
WORKS(gcc_large)
WORKS(gcc_thread_locals)
WORKS(gcc_no_pie)
WORKS(gcc_elsewhere)
WORKS(gcc_lazy)
WORKS(gcc_now)
WORKS(gcc_separate_code)
WORKS(gcc_noseparate_code)
WORKS(gcc_relr)
WORKS(gcc_gnu_hash)
WORKS(gcc_sysv_hash)
WORKS(gcc_gold)
WORKS(gcc_lld)
WORKS(gcc_mold)
WORKS(gcc_compressed)
WORKS(gcc_apart)
WORKS(gcc_asan)
WORKS(gcc_asan_alone)
WORKS(gcc_lsan)
WORKS(gcc_ubsan)
WORKS(clang)
WORKS(clang_lto)
WORKS(clang_cet)
WORKS(clang_mfentry)
WORKS(clang_xray)
WORKS(clang_cfi)
WORKS(clang_safe_stack)
WORKS(clang_asan)
REFUSED(gcc_stripped, "of which only exported symbols are known")
REFUSED(gcc_static, "has no dynamic loader (statically linked)")
REFUSED(gcc_static_pie, "has no dynamic loader (statically linked)")
REFUSED(gcc_tsan, "runs under ThreadSanitizer")
REFUSED(clang_msan, "runs under MemorySanitizer")
REFUSED(musl, "ld-musl-x86_64.so.1'; only glibc's is supported")
REFUSED(musl_static, "has no dynamic loader (statically linked)")
/* clang-format on */

/* There is one thread, whose stack cannot be walked: nothing is written. */
Test(toolchains, gcc_no_unwind_cannot_be_entered)
{
	const struct row row = row_of_c("gcc_no_unwind");
	struct snapshot before;
	struct victim victim;

	start(&victim, &row);
	snapshot_take(victim.pid, &before);
	EXPECT_REFUSAL(EXIT_TIMED_OUT, "its stack cannot be unwound", "apply",
		       victim.target, row.patch, "--timeout", "0.5");
	snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL, "given up");
	snapshot_free(&before);
	victim_stop(&victim);
}

/* --- Allocators ------------------------------------------------------------- */

/* Threads are in the allocator nearly all the time: one borrowed there hangs. */
static void expect_works_with(const char *library)
{
	char setting[128];
	struct row row = {
		.program = path_of_built("allocating"),
		.setting = setting,
		.patch = path_of_patch("work"),
		.patch_name = "work",
		.old_answer = "work=2",
		.new_answer = "work=3",
	};
	const char *path;

	snprintf(setting, sizeof(setting),
		 "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/%s", library);
	path = strchr(setting, '/');
	if (access(path, R_OK) != 0)
		cr_skip("not tried: %s is not installed", path);
	expect_works(&row, cycle_count(3));
}

Test(toolchains, jemalloc_works)
{
	expect_works_with("libjemalloc.so.2");
}

Test(toolchains, tcmalloc_works)
{
	expect_works_with("libtcmalloc_minimal.so.4");
}

Test(toolchains, mimalloc_works)
{
	expect_works_with("libmimalloc.so.2");
}

/* --- Other languages --------------------------------------------------------- */

static void expect_exceptions(const char *name)
{
	const struct row row = {
		.program = path_of_built(name),
		.patch = path_of_patch("exceptions"),
		.patch_name = "exceptions",
		.old_answer = "8, old 5, 7, 35, 8, 36, 8, inner, alive=0",
		.new_answer =
			"108, old 5, 1000, new double, 11, new leaf 1, 18, caught and thrown anew, alive=0",
	};

	expect_works(&row, CYCLES);
}

#define EXCEPTIONS(name)                                                       \
	Test(toolchains, exceptions_##name##_pass)                             \
	{                                                                      \
		expect_exceptions("exceptions_" #name);                        \
	}

/* clang-format off */
EXCEPTIONS(gcc)
EXCEPTIONS(gcc_lto)
EXCEPTIONS(gcc_thunks)
EXCEPTIONS(gcc_cet)
EXCEPTIONS(clang)
/* clang-format on */

Test(toolchains, rust_works)
{
	const struct row row = {
		.program = path_of_built("rust"),
		.patch = path_of_built("rust.so"),
		.patch_name = "rust",
		.old_answer = "mangled=7 plain=7 panics=8,-1 alive=0",
		.new_answer = "mangled=107 plain=107 panics=108,-1 alive=0",
	};

	expect_works(&row, CYCLES);
}

static void expect_go_refused(const char *name, const char *reason)
{
	const struct row row = {
		.program = path_of_built(name),
		.patch = path_of_patch("work"),
		.patch_name = "work",
		.old_answer = "value=7",
	};

	/* Threads and mappings of goroutines come as they like. */
	expect_refused(&row, SNAPSHOT_FDS | SNAPSHOT_PROCESS | SNAPSHOT_CODE,
		       reason);
}

Test(toolchains, go_with_c_is_refused)
{
	expect_go_refused("go_cgo", "is a Go program");
}

Test(toolchains, go_without_c_is_refused)
{
	expect_go_refused("go_pure", "has no dynamic loader");
}
