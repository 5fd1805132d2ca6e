/* SPDX-License-Identifier: MIT */
/* Where the library finds libupatch-runtime.so, which targets load. */
#include "runtime_path.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNTIME_FILE "libupatch-runtime.so"

/* From the folder of libupatch.so: as installed, as built. */
static const char *const beside_library[] = {
	"upatch/" RUNTIME_FILE,
	"runtime/" RUNTIME_FILE,
};

static int take_path(char *ret_path, size_t size, const char *path,
		     struct upatch_error *err)
{
	if (access(path, R_OK) != 0)
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot read the runtime '%s'", path);
	if (strlen(path) >= size)
		return error_set(err, UPATCH_ERROR_SYSTEM, ENAMETOOLONG,
				 "cannot use the runtime '%s'", path);
	memcpy(ret_path, path, strlen(path) + 1);
	return 0;
}

/*
 * The real folder of the file that this code was loaded from.  A name that is
 * not absolute would be looked up in the working directory, which may belong
 * to somebody else.
 */
static bool find_own_folder(char folder[PATH_MAX])
{
	static const char inside;
	Dl_info own;
	char *slash;

	if (!dladdr(&inside, &own) || !own.dli_fname ||
	    own.dli_fname[0] != '/' || !realpath(own.dli_fname, folder))
		return false;
	slash = strrchr(folder, '/');
	*slash = '\0';
	return true;
}

int runtime_path_find(char *ret_path, size_t size, struct upatch_error *err)
{
	const char *chosen = secure_getenv("UPATCH_RUNTIME");
	char folder[PATH_MAX];
	char path[PATH_MAX + 64];
	size_t i;

	if (chosen && chosen[0] != '/')
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "UPATCH_RUNTIME is not an absolute path: '%s'",
				 chosen);
	if (chosen)
		return take_path(ret_path, size, chosen, err);
	if (find_own_folder(folder)) {
		for (i = 0;
		     i < sizeof(beside_library) / sizeof(*beside_library);
		     i++) {
			snprintf(path, sizeof(path), "%s/%s", folder,
				 beside_library[i]);
			if (take_path(ret_path, size, path, NULL) == 0)
				return 0;
		}
	}
	return take_path(ret_path, size, UPATCH_RUNTIME_PATH, err);
}
