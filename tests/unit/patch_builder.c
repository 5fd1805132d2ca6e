/* SPDX-License-Identifier: MIT */
/* Compiles patches from tests/patches in the scratch directory of a test. */
#include "patch_builder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

#define ARGS_MAX (PATCH_BUILDER_FLAGS_MAX + 16)

extern char **environ;

bool patch_builder_run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status, failed;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	failed = posix_spawnp(&pid, argv[0], &actions, NULL,
			      (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		return false;
	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool answers(const char *program)
{
	const char *argv[] = { program, "--version", NULL };

	return patch_builder_run(argv);
}

/* The compiler, and the linker that -fuse-ld asks for. */
static bool is_installed(const struct patch_build *build)
{
	for (size_t i = 0; i < PATCH_BUILDER_FLAGS_MAX && build->flags[i];
	     i++) {
		char linker[64];

		if (sscanf(build->flags[i], "-fuse-ld=%32s", linker + 3) != 1)
			continue;
		memcpy(linker, "ld.", 3);
		if (!answers(linker))
			return false;
	}
	return answers(build->compiler);
}

bool patch_builder_compile(const struct patch_build *build, const char *source,
			   const char *name)
{
	char source_path[512], output[256];
	const char *argv[ARGS_MAX] = { build->compiler,
				       "-shared",
				       "-fPIC",
				       "-I" UPATCH_SOURCE_ROOT "/include",
				       "-o",
				       output,
				       source_path };
	size_t count = 7;

	if (!is_installed(build))
		return false;
	snprintf(source_path, sizeof(source_path), "%s/tests/patches/%s",
		 UPATCH_SOURCE_ROOT, source);
	snprintf(output, sizeof(output), "%s", scratch_path(name));
	for (size_t i = 0; i < PATCH_BUILDER_FLAGS_MAX && build->flags[i]; i++)
		argv[count++] = build->flags[i];
	cr_assert(patch_builder_run(argv), "%s cannot compile %s with %s",
		  build->compiler, source,
		  build->flags[0] ? build->flags[0] : "no flags");
	return true;
}

uint8_t *patch_builder_read(const char *name, size_t *ret_len)
{
	FILE *file = fopen(scratch_path(name), "rb");
	uint8_t *bytes;
	long len;

	cr_assert(file != NULL);
	cr_assert(fseek(file, 0, SEEK_END) == 0);
	len = ftell(file);
	cr_assert(len > 0);
	rewind(file);
	bytes = malloc((size_t)len);
	cr_assert(bytes != NULL);
	cr_assert(fread(bytes, 1, (size_t)len, file) == (size_t)len);
	fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

void patch_builder_write(const char *name, const uint8_t *bytes, size_t len)
{
	FILE *file = fopen(scratch_path(name), "wb");

	cr_assert(file != NULL);
	cr_assert(fwrite(bytes, 1, len, file) == len);
	cr_assert(fclose(file) == 0);
}
