/* SPDX-License-Identifier: MIT */
/* Reads and parses /proc/PID/maps (proc_pid_maps(5)). */
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tasks.h"

#define HEAP_NAME      "[heap]"
#define DELETED_SUFFIX " (deleted)"
#define READ_TRIES     16

/* Takes a hexadecimal number and the character behind it off *text. */
static bool take_hex(const char **text, char terminator, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *at = *text;

	for (;; at++) {
		unsigned int digit;

		if (*at >= '0' && *at <= '9')
			digit = (unsigned int)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			digit = (unsigned int)(*at - 'a') + 10;
		else
			break;
		if (value >> 60)
			return false;
		value = value << 4 | digit;
	}
	if (at == *text || *at != terminator)
		return false;
	*text = at + 1;
	*ret_value = value;
	return true;
}

/* "r-xp " */
static bool take_permissions(const char **text, struct map *map)
{
	const char *at = *text;

	if (strnlen(at, 5) < 5 || at[4] != ' ')
		return false;
	map->readable = at[0] == 'r';
	map->writable = at[1] == 'w';
	map->executable = at[2] == 'x';
	map->shared = at[3] == 's';
	*text = at + 5;
	return true;
}

/* Undoes, in place, the "\012" that the kernel writes for a newline. */
static void unescape(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to++ = '\n';
			from += 4;
			continue;
		}
		*to++ = *from++;
	}
	*to = '\0';
}

static void take_path(char *path, struct map *map)
{
	size_t len;

	path += strspn(path, " ");
	len = strlen(path);
	if (len > strlen(DELETED_SUFFIX) &&
	    strcmp(path + len - strlen(DELETED_SUFFIX), DELETED_SUFFIX) == 0) {
		map->deleted = true;
		path[len - strlen(DELETED_SUFFIX)] = '\0';
	}
	unescape(path);
	map->path = path;
}

/* The line is changed: escapes are undone, a suffix is cut off. */
static bool parse_line(char *line, struct map *ret_map)
{
	struct map map = { 0 };
	const char *at = line;
	uint64_t dev_major;
	uint64_t dev_minor;
	char *end;

	if (!take_hex(&at, '-', &map.start) || !take_hex(&at, ' ', &map.end) ||
	    map.start >= map.end || !take_permissions(&at, &map) ||
	    !take_hex(&at, ' ', &map.offset) ||
	    !take_hex(&at, ':', &dev_major) || !take_hex(&at, ' ', &dev_minor))
		return false;
	if (*at < '0' || *at > '9')
		return false;
	map.dev = makedev((unsigned int)dev_major, (unsigned int)dev_minor);
	errno = 0;
	map.inode = strtoull(at, &end, 10);
	if (errno != 0 || (*end != ' ' && *end != '\0'))
		return false;
	take_path(line + (end - line), &map);
	*ret_map = map;
	return true;
}

/*
 * The kernel drops its lock between two reads of the file: a mapping that was
 * merged or split meanwhile can be shown twice.  The later line is the truth.
 */
static void append_newer(struct maps *maps, const struct map *map)
{
	struct map *last;

	while (maps->count > 0) {
		last = &maps->maps[maps->count - 1];
		if (last->end <= map->start)
			break;
		if (last->start < map->start) {
			last->end = map->start;
			break;
		}
		maps->count--;
	}
	maps->maps[maps->count++] = *map;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t count = 1;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	return count;
}

static int parse_lines(struct maps *maps, struct upatch_error *err)
{
	char *rest = maps->text;
	struct map map;
	size_t number;

	for (number = 1; *rest; number++) {
		char *line = strsep(&rest, "\n");

		if (!parse_line(line, &map))
			return error_set(err, UPATCH_ERROR_SYSTEM, 0,
					 "cannot parse line %zu of maps: '%s'",
					 number, line);
		append_newer(maps, &map);
		if (strcmp(map.path, HEAP_NAME) == 0)
			maps->brk = map.end;
		if (!rest)
			break;
	}
	return 0;
}

int maps_parse(const char *text, size_t len, struct maps *ret_maps,
	       struct upatch_error *err)
{
	struct maps maps = { 0 };
	int ret;

	maps.text = malloc(len + 1);
	maps.maps = calloc(count_lines(text, len), sizeof(*maps.maps));
	if (!maps.text || !maps.maps) {
		maps_free(&maps);
		return error_set(
			err, UPATCH_ERROR_NO_MEMORY, 0,
			"cannot parse maps of %zu bytes: out of memory", len);
	}
	memcpy(maps.text, text, len);
	maps.text[len] = '\0';
	ret = parse_lines(&maps, err);
	if (ret < 0) {
		maps_free(&maps);
		return ret;
	}
	*ret_maps = maps;
	return 0;
}

void maps_free(struct maps *maps)
{
	free(maps->maps);
	free(maps->text);
	memset(maps, 0, sizeof(*maps));
}

/* All that `fd` yields; *ret_text is the caller's.  Or -1 with errno. */
static ssize_t read_all(int fd, char **ret_text)
{
	size_t size = 65536;
	size_t len = 0;
	char *text = NULL;

	for (;;) {
		char *bigger = NULL;
		ssize_t count;

		if (!text || len == size) {
			size *= 2;
			bigger = realloc(text, size);
			if (!bigger)
				break;
			text = bigger;
		}
		count = read(fd, text + len, size - len);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			break;
		if (count == 0) {
			*ret_text = text;
			return (ssize_t)len;
		}
		len += (size_t)count;
	}
	free(text);
	return -1;
}

static ssize_t try_proc_file(pid_t pid, const char *name, char **ret_text)
{
	int fd = tasks_open(pid, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = -1;
	int saved_errno;

	if (fd >= 0)
		len = read_all(fd, ret_text);
	saved_errno = errno;
	if (fd >= 0)
		close(fd);
	errno = saved_errno;
	return len;
}

static int read_proc_file(pid_t pid, const char *name, char **ret_text,
			  size_t *ret_len, struct upatch_error *err)
{
	ssize_t len = try_proc_file(pid, name, ret_text);
	int saved_errno = errno;

	/* Again, if the thread that was asked has ended, and others have not. */
	for (int i = 0; len <= 0 && i < READ_TRIES; i++) {
		if (tasks_first_living(pid) == pid)
			break;
		if (len == 0)
			free(*ret_text);
		len = try_proc_file(pid, name, ret_text);
		saved_errno = errno;
	}
	if (len < 0 && (saved_errno == ENOENT || saved_errno == ESRCH))
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "no process %d", pid);
	if (len < 0)
		return error_set(err, error_code_of_errno(saved_errno),
				 saved_errno, "cannot read /proc/%d/%s", pid,
				 name);
	*ret_len = (size_t)len;
	return 0;
}

/* Where the heap will begin, field 47 of /proc/PID/stat; 0: not known. */
static upatch_addr_t read_start_brk(pid_t pid)
{
	upatch_addr_t start_brk = 0;
	char *text = NULL;
	const char *at;
	size_t len;

	if (read_proc_file(pid, "stat", &text, &len, NULL) < 0)
		return 0;
	/* The second field, the name, may contain blanks and brackets. */
	at = memrchr(text, ')', len);
	for (int field = 2; at && field < 47; field++)
		at = memchr(at + 1, ' ', len - (size_t)(at + 1 - text));
	/* Without permission to trace, the field is 0. */
	while (at && ++at < text + len && *at >= '0' && *at <= '9')
		start_brk = start_brk * 10 + (upatch_addr_t)(*at - '0');
	free(text);
	return start_brk;
}

int maps_read(pid_t pid, struct maps *ret_maps, struct upatch_error *err)
{
	char *text = NULL;
	size_t len = 0;
	int ret;

	ret = read_proc_file(pid, "maps", &text, &len, err);
	if (ret < 0)
		return ret;
	if (len == 0) {
		free(text);
		return error_set(
			err, UPATCH_ERROR_NO_TARGET, 0,
			"process %d has no memory: it has ended, or is a kernel thread",
			pid);
	}
	ret = maps_parse(text, len, ret_maps, err);
	free(text);
	if (ret < 0) {
		error_prefix(err, "process %d", pid);
		return ret;
	}
	if (ret_maps->brk == 0)
		ret_maps->brk = read_start_brk(pid);
	return 0;
}

const struct map *maps_find(const struct maps *maps, upatch_addr_t addr)
{
	size_t low = 0;
	size_t high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->maps[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == maps->count || maps->maps[low].start > addr)
		return NULL;
	return &maps->maps[low];
}
