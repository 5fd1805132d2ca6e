/* SPDX-License-Identifier: MIT */
/* What a selector such as exe:/usr/sbin/nginx means, as far as text tells. */
#include "selector.h"

#include <stdlib.h>
#include <string.h>

#define CGROUP_FOLDER  "/sys/fs/cgroup"
#define DELETED_SUFFIX " (deleted)"
#define COMM_MAX       15

static const struct {
	const char *prefix;
	enum selector_kind kind;
} kinds[] = {
	{ "exe:", SELECTOR_EXE },   { "comm:", SELECTOR_COMM },
	{ "lib:", SELECTOR_LIB },   { "cgroup:", SELECTOR_CGROUP },
	{ "unit:", SELECTOR_UNIT },
};

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The root is "", so that what follows a group's name begins with a slash. */
static void trim_slashes(char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
}

static char *name_cgroup(struct selector *selector, const char *value)
{
	size_t folder_len = strlen(CGROUP_FOLDER);
	char *name;

	selector->is_folder =
		has_prefix(value, CGROUP_FOLDER) &&
		(value[folder_len] == '/' || value[folder_len] == '\0');
	name = strdup(selector->is_folder ? value + folder_len : value);
	if (name)
		trim_slashes(name);
	return name;
}

/* A name without a type is that of a service, as for systemctl(1). */
static char *name_unit(const char *value)
{
	static const char service[] = ".service";
	size_t len = strlen(value);
	char *name = malloc(len + sizeof(service));

	if (!name)
		return NULL;
	memcpy(name, value, len + 1);
	if (!strchr(value, '.'))
		memcpy(name + len, service, sizeof(service));
	return name;
}

static int check_value(const struct selector *selector, const char *text,
		       const char *value, struct upatch_error *err)
{
	if (value[0] == '\0')
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "nothing is named by '%s'", text);
	if (selector->kind == SELECTOR_CGROUP && value[0] != '/')
		return error_set(
			err, UPATCH_ERROR_ARGUMENT, 0,
			"the path of a control group begins with '/', not as in '%s'",
			text);
	if (selector->kind == SELECTOR_UNIT && strchr(value, '/'))
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "the name of a unit has no '/', as in '%s'",
				 text);
	return 0;
}

static int fill(struct selector *selector, const char *value,
		struct upatch_error *err)
{
	if (selector->kind == SELECTOR_CGROUP)
		selector->value = name_cgroup(selector, value);
	else if (selector->kind == SELECTOR_UNIT)
		selector->value = name_unit(value);
	else
		selector->value = strdup(value);
	if (!selector->value)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	if (selector->kind == SELECTOR_EXE)
		selector->real_path = realpath(value, NULL);
	return 0;
}

int selector_parse(const char *text, struct selector *ret_selector,
		   struct upatch_error *err)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct selector selector = { .kind = kinds[i].kind };
		const char *value = text + strlen(kinds[i].prefix);
		int ret;

		if (!has_prefix(text, kinds[i].prefix))
			continue;
		ret = check_value(&selector, text, value, err);
		if (!ret)
			ret = fill(&selector, value, err);
		if (!ret)
			*ret_selector = selector;
		return ret;
	}
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
			 "'%s' is not a selector", text);
}

void selector_fini(struct selector *selector)
{
	free(selector->value);
	free(selector->real_path);
	*selector = (struct selector){ 0 };
}

/* The executable of a program that runs on may have been replaced. */
bool selector_fits_exe(const struct selector *selector, const char *exe)
{
	size_t len = strlen(exe), suffix = strlen(DELETED_SUFFIX);

	if (len > suffix && !strcmp(exe + len - suffix, DELETED_SUFFIX))
		len -= suffix;
	if (strlen(selector->value) == len &&
	    !memcmp(selector->value, exe, len))
		return true;
	return selector->real_path && strlen(selector->real_path) == len &&
	       !memcmp(selector->real_path, exe, len);
}

bool selector_fits_comm(const struct selector *selector, const char *comm)
{
	size_t len = strcspn(comm, "\n");

	return len == strnlen(selector->value, COMM_MAX) &&
	       !memcmp(comm, selector->value, len);
}

/* --- Control groups --------------------------------------------------- */

/* `path` has `len` bytes; a group contains itself. */
static bool is_inside(const char *path, size_t len, const char *group)
{
	size_t group_len = strlen(group);

	return group_len <= len && !memcmp(path, group, group_len) &&
	       (group_len == len || path[group_len] == '/');
}

static bool has_component(const char *path, size_t len, const char *name)
{
	const char *end = path + len;
	size_t name_len = strlen(name);

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		const char *stop = slash ? slash : end;

		if ((size_t)(stop - path) == name_len &&
		    !memcmp(path, name, name_len))
			return true;
		path = stop + 1;
	}
	return false;
}

/* The folder of a hierarchy is mounted under its controllers, or its name. */
static const char *skip_hierarchy(const char *folder, const char *controllers,
				  size_t len)
{
	static const char named[] = "name=";

	if (len == 0) {
		controllers = "unified";
		len = strlen(controllers);
	} else if (len > strlen(named) && has_prefix(controllers, named)) {
		controllers += strlen(named);
		len -= strlen(named);
	}
	if (folder[0] != '/' || strncmp(folder + 1, controllers, len) != 0)
		return NULL;
	folder += 1 + len;
	return folder[0] == '/' || folder[0] == '\0' ? folder : NULL;
}

/* A line is "NUMBER:CONTROLLERS:PATH" (cgroups(7)). */
static bool fits_line(const struct selector *selector, const char *line,
		      size_t len)
{
	const char *controllers = memchr(line, ':', len);
	const char *path, *inner;
	size_t left;

	if (!controllers++)
		return false;
	left = len - (size_t)(controllers - line);
	path = memchr(controllers, ':', left);
	if (!path++)
		return false;
	left = len - (size_t)(path - line);
	if (selector->kind == SELECTOR_UNIT)
		return has_component(path, left, selector->value);
	if (is_inside(path, left, selector->value))
		return true;
	inner = selector->is_folder
			? skip_hierarchy(selector->value, controllers,
					 (size_t)(path - 1 - controllers))
			: NULL;
	return inner && is_inside(path, left, inner);
}

bool selector_fits_cgroup(const struct selector *selector, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (fits_line(selector, text, len))
			return true;
		text += len + (text[len] == '\n');
	}
	return false;
}

/* --- Libraries -------------------------------------------------------- */

/* libz.so.1 and libz.so.1.2.13, libc.so.6 and libc-2.31.so. */
enum selector_fit selector_fits_lib(const struct selector *selector,
				    const char *path)
{
	const char *name = base_name(path);
	const char *stem_end = strstr(selector->value, ".so");
	size_t stem_len;

	if (!strcmp(name, selector->value) || !strcmp(path, selector->value))
		return SELECTOR_FITS;
	stem_len = stem_end ? (size_t)(stem_end - selector->value)
			    : strlen(selector->value);
	return strncmp(name, selector->value, stem_len) ? SELECTOR_FITS_NOT
							: SELECTOR_FITS_PERHAPS;
}
