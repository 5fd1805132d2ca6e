/* SPDX-License-Identifier: MIT */
/* Compiles patches from tests/patches in the scratch directory of a test. */
#ifndef UNIT_PATCH_BUILDER_H
#define UNIT_PATCH_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATCH_BUILDER_FLAGS_MAX 12

/* A compiler and its options; unused ones are NULL. */
struct patch_build {
	const char *compiler;
	const char *flags[PATCH_BUILDER_FLAGS_MAX];
};

/* Runs argv[0], found through PATH; true: it exited with 0. */
bool patch_builder_run(const char *const *argv);
/*
 * Compiles tests/patches/SOURCE to NAME with `-shared -fPIC` before the flags.
 * False: the compiler, or the linker it was told to use, is missing.
 */
bool patch_builder_compile(const struct patch_build *build, const char *source,
			   const char *name);

/* A whole file in memory of exactly its size; free it. */
uint8_t *patch_builder_read(const char *name, size_t *ret_len);
void patch_builder_write(const char *name, const uint8_t *bytes, size_t len);

#endif
