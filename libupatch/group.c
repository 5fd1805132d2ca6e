/* SPDX-License-Identifier: MIT */
/* What the control groups of a process leave it (cgroups(7)). */
#include "group.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_file.h"
#include "tasks.h"

#define FOLDER	 "/sys/fs/cgroup"
#define TEXT_MAX 16384

/* The files of one resource in one version. */
struct layout {
	const char *controller; /* version 1; "": version 2 */
	const char *folders[3]; /* where that is mounted as a rule */
	const char *limit, *usage;
	/* in memory.stat; "" */
	const char *inactive, *active;
};

static const struct layout layouts[][2] = {
	[GROUP_MEMORY] = {
		{ "memory",
		  { FOLDER "/memory" },
		  "memory.limit_in_bytes",
		  "memory.usage_in_bytes",
		  "\ntotal_inactive_file ",
		  "\ntotal_active_file " },
		{ "",
		  { FOLDER, FOLDER "/unified" },
		  "memory.max",
		  "memory.current",
		  "\ninactive_file ",
		  "\nactive_file " },
	},
	[GROUP_TASKS] = {
		{ "pids", { FOLDER "/pids" }, "pids.max", "pids.current", "",
		  "" },
		{ "",
		  { FOLDER, FOLDER "/unified" },
		  "pids.max",
		  "pids.current",
		  "",
		  "" },
	},
};

static bool read_text(const char *folder, const char *group, const char *file,
		      char *buf)
{
	return kernel_file_read(buf, TEXT_MAX, "%s%s/%s", folder, group, file);
}

/* False: there is none, or it is "max". */
static bool read_number(const char *folder, const char *group, const char *file,
			uint64_t *ret_number)
{
	char text[TEXT_MAX];
	char *end;

	if (!read_text(folder, group, file, text))
		return false;
	*ret_number = strtoull(text, &end, 10);
	return end != text;
}

static uint64_t stat_field(const char *text, const char *name)
{
	const char *at = name[0] ? strstr(text, name) : NULL;

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* What the kernel takes away before it lets anything fail. */
static uint64_t read_cache(const struct layout *layout, const char *folder,
			   const char *group)
{
	char text[TEXT_MAX];

	if (!layout->inactive[0] ||
	    !read_text(folder, group, "memory.stat", text))
		return 0;
	return stat_field(text, layout->inactive) +
	       stat_field(text, layout->active);
}

static bool is_short(const struct layout *layout, const char *folder,
		     const char *group, uint64_t need)
{
	uint64_t limit, usage;

	if (!read_number(folder, group, layout->limit, &limit) ||
	    !read_number(folder, group, layout->usage, &usage))
		return false;
	if (usage < limit && limit - usage >= need)
		return false;
	return usage + need > limit + read_cache(layout, folder, group);
}

static bool is_short_upwards(const struct layout *layout, char *group,
			     uint64_t need)
{
	for (;;) {
		char *last = strrchr(group, '/');

		for (size_t i = 0; layout->folders[i]; i++) {
			if (is_short(layout, layout->folders[i], group, need))
				return true;
		}
		if (!last)
			return false;
		*last = '\0';
	}
}

/* "NUMBER:CONTROLLERS:PATH", where version 2 has no controllers. */
static bool find_group(const char *text, const char *controller,
		       char group[PATH_MAX])
{
	const size_t len = strlen(controller);

	for (const char *line = text; *line;) {
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;
		size_t line_len = strcspn(line, "\n");

		if (!path || path > line + line_len)
			return false;
		for (const char *name = names + 1; name <= path;
		     name += strcspn(name, ",:") + 1) {
			if (strcspn(name, ",:") != len ||
			    strncmp(name, controller, len) != 0)
				continue;
			snprintf(group, PATH_MAX, "%.*s",
				 (int)(line + line_len - path - 1), path + 1);
			return true;
		}
		line += line_len + (line[line_len] == '\n');
	}
	return false;
}

bool group_lacks(pid_t pid, enum group_resource resource, uint64_t need,
		 char *ret_name, size_t size)
{
	char text[TEXT_MAX], group[PATH_MAX];

	if (!kernel_file_take(tasks_open(pid, "cgroup", O_RDONLY | O_CLOEXEC),
			      text, sizeof(text)))
		return false;
	for (size_t i = 0; i < 2; i++) {
		const struct layout *layout = &layouts[resource][i];

		if (!find_group(text, layout->controller, group) ||
		    !is_short_upwards(layout, group, need))
			continue;
		snprintf(ret_name, size, "%s", group[0] ? group : "/");
		return true;
	}
	return false;
}
