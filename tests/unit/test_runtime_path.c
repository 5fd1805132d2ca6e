/* SPDX-License-Identifier: MIT */
/* The environment is asked first, and only for an absolute path. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>

#include "runtime_path.h"

Test(runtime_path, environment_names_the_runtime)
{
	char path[64] = "";
	struct upatch_error err = { 0 };
	int code;

	setenv("UPATCH_RUNTIME", "/dev/null", 1);
	code = runtime_path_find(path, sizeof(path), &err);
	cr_assert(eq(int, code, 0));
	cr_assert(eq(str, path, "/dev/null"));
}

Test(runtime_path, relative_path_is_refused)
{
	char path[64] = "unchanged";
	struct upatch_error err = { 0 };
	bool refused;

	setenv("UPATCH_RUNTIME", "libupatch-runtime.so", 1);
	refused = runtime_path_find(path, sizeof(path), &err) ==
		  UPATCH_ERROR_ARGUMENT;
	cr_assert(refused);
	cr_assert(eq(str, path, "unchanged"));
}

Test(runtime_path, missing_file_is_named)
{
	char path[64];
	struct upatch_error err = { 0 };
	bool named;

	setenv("UPATCH_RUNTIME", "/nonexistent/runtime.so", 1);
	cr_assert(ne(int, runtime_path_find(path, sizeof(path), &err), 0));
	named = strstr(err.message, "/nonexistent/runtime.so") != NULL;
	cr_assert(named, "%s", err.message);
}

Test(runtime_path, path_that_does_not_fit_is_refused)
{
	char path[4];
	struct upatch_error err = { 0 };

	setenv("UPATCH_RUNTIME", "/dev/null", 1);
	cr_assert(ne(int, runtime_path_find(path, sizeof(path), &err), 0));
}
