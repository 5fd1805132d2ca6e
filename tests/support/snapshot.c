/* SPDX-License-Identifier: MIT */
/*
 * Taking and comparing snapshots.  Each line begins with the letter of its
 * kind, so that one sorted list serves all comparisons.
 */
#include "snapshot.h"

#include "deadline.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct mapping {
	uint64_t start, end, offset;
	char perms[5];
	char path[PATH_MAX];
};

/* Kinds of anonymous mappings that are counted apart. */
struct anonymous_count {
	char perms[5];
	unsigned int count;
};
#define MAX_PERMS 16

#define SETTLE_MS	   2000
#define SETTLE_INTERVAL_MS 10

__attribute__((format(printf, 2, 3))) static void
add_line(struct snapshot *snapshot, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		cr_fatal("out of memory");
	va_end(args);
	snapshot->lines = realloc(snapshot->lines,
				  (snapshot->count + 1) * sizeof(char *));
	if (snapshot->lines == NULL)
		cr_fatal("out of memory");
	snapshot->lines[snapshot->count++] = line;
}

static unsigned int kind_of(const char *line)
{
	switch (line[0]) {
	case 'm':
		return SNAPSHOT_MAPS;
	case 'f':
		return SNAPSHOT_FDS;
	case 't':
		return SNAPSHOT_THREADS;
	case 'p':
		return SNAPSHOT_PROCESS;
	case 'c':
		return SNAPSHOT_CODE;
	default:
		return 0;
	}
}

/* FNV-1a over the bytes in memory, not in the file. */
static uint64_t hash_memory(int mem_fd, uint64_t start, uint64_t end)
{
	static unsigned char block[65536];
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (start < end) {
		size_t want = end - start < sizeof(block) ? end - start
							  : sizeof(block);
		ssize_t len = pread(mem_fd, block, want, (off_t)start);

		if (len <= 0)
			return 0;
		for (ssize_t i = 0; i < len; i++)
			hash = (hash ^ block[i]) * UINT64_C(0x100000001b3);
		start += (uint64_t)len;
	}
	return hash;
}

static bool parse_mapping(const char *line, struct mapping *mapping)
{
	int path_at = 0;

	mapping->path[0] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*u %n",
		   &mapping->start, &mapping->end, mapping->perms,
		   &mapping->offset, &path_at) != 4)
		return false;
	snprintf(mapping->path, sizeof(mapping->path), "%s", line + path_at);
	mapping->path[strcspn(mapping->path, "\n")] = '\0';
	return true;
}

static void count_anonymous(struct anonymous_count counts[MAX_PERMS],
			    const char *perms)
{
	size_t i = 0;

	while (counts[i].count != 0 && strcmp(counts[i].perms, perms) != 0)
		i++;
	memcpy(counts[i].perms, perms, sizeof(counts[i].perms));
	counts[i].count++;
}

static void add_mapping(struct snapshot *snapshot, int mem_fd,
			const struct mapping *mapping)
{
	add_line(snapshot, "map %s %s+0x%" PRIx64 " size 0x%" PRIx64,
		 mapping->path, mapping->perms, mapping->offset,
		 mapping->end - mapping->start);
	if (mapping->perms[2] == 'x')
		add_line(snapshot, "code %s+0x%" PRIx64 " hash %016" PRIx64,
			 mapping->path, mapping->offset,
			 hash_memory(mem_fd, mapping->start, mapping->end));
}

/*
 * glibc makes one for a thread that allocates while all others are in use, and
 * keeps it; the second part is what is left of its 64 MiB.
 */
static bool is_arena(const struct mapping *mapping)
{
	const uint64_t mask = (UINT64_C(64) << 20) - 1;

	return ((mapping->start & mask) == 0 &&
		strcmp(mapping->perms, "rw-p") == 0) ||
	       ((mapping->end & mask) == 0 &&
		strcmp(mapping->perms, "---p") == 0);
}

static void add_mappings(struct snapshot *snapshot, pid_t pid)
{
	struct anonymous_count counts[MAX_PERMS] = { 0 };
	struct mapping mapping;
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *file;
	int mem_fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (mem_fd < 0 || file == NULL)
		cr_fatal("cannot read %s: %s", path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		if (!parse_mapping(line, &mapping))
			continue;
		/* A stack grows as it is used; [heap] likewise. */
		if (mapping.path[0] == '/')
			add_mapping(snapshot, mem_fd, &mapping);
		else if (mapping.path[0] == '\0' && !is_arena(&mapping))
			count_anonymous(counts, mapping.perms);
	}
	free(line);
	fclose(file);
	close(mem_fd);
	for (size_t i = 0; i < MAX_PERMS && counts[i].count != 0; i++)
		add_line(snapshot, "map anonymous %s: %u", counts[i].perms,
			 counts[i].count);
}

static void add_fd(pid_t pid, int fd, void *arg)
{
	char path[64], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return;
	target[len] = '\0';
	add_line(arg, "fd %d -> %s", fd, target);
}

/* include/linux/sched.h */
#define PF_IO_WORKER   0x00000010UL
#define PF_USER_WORKER 0x00004000UL

/* A thread of the kernel's own (io_uring), which comes and goes as it likes. */
static bool is_kernel_worker(pid_t pid, int tid)
{
	unsigned long flags = 0;
	char path[64], stat[512];
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	end = fgets(stat, sizeof(stat), file) ? strrchr(stat, ')') : NULL;
	fclose(file);
	return end != NULL &&
	       sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
	       (flags & (PF_IO_WORKER | PF_USER_WORKER)) != 0;
}

static void add_thread(pid_t pid, int tid, void *arg)
{
	char name[64], blocked[32];

	if (is_kernel_worker(pid, tid))
		return;
	procfs_status_field(pid, tid, "Name", name, sizeof(name));
	procfs_status_field(pid, tid, "SigBlk", blocked, sizeof(blocked));
	add_line(arg, "thread %d %s SigBlk %s %s", tid, name, blocked,
		 procfs_is_in_state(pid, tid, "Tt") ? "stopped"
						    : "not stopped");
}

/*
 * Signals 32 and 33 are glibc's own.  A process has them ignored as
 * posix_spawn(3) left them, and handled from its first pthread_create(3) on,
 * which may be the agent's.
 */
#define INTERNAL_SIGNALS 0x180000000ull

static void add_signals(struct snapshot *snapshot, pid_t pid, const char *field)
{
	char text[64];

	procfs_status_field(pid, pid, field, text, sizeof(text));
	add_line(snapshot, "process %s %016llx", field,
		 strtoull(text, NULL, 16) & ~INTERNAL_SIGNALS);
}

static void add_process(struct snapshot *snapshot, pid_t pid)
{
	char tracer[64];

	procfs_status_field(pid, pid, "TracerPid", tracer, sizeof(tracer));
	add_line(snapshot, "process TracerPid %s", tracer);
	add_signals(snapshot, pid, "SigIgn");
	add_signals(snapshot, pid, "SigCgt");
}

static int compare_lines(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void snapshot_take(pid_t pid, struct snapshot *snapshot)
{
	/* Under the number of a thread that has ended these are empty. */
	const pid_t living = procfs_first_living(pid);

	*snapshot = (struct snapshot){ 0 };
	add_mappings(snapshot, living);
	procfs_for_each(living, "fd", add_fd, snapshot);
	procfs_for_each(pid, "task", add_thread, snapshot);
	add_process(snapshot, pid);
	qsort(snapshot->lines, snapshot->count, sizeof(char *), compare_lines);
}

void snapshot_free(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++)
		free(snapshot->lines[i]);
	free(snapshot->lines);
	*snapshot = (struct snapshot){ 0 };
}

/* Merges both sorted lists and writes the lines that only one of them has. */
static void write_difference(FILE *out, const struct snapshot *before,
			     const struct snapshot *after, unsigned int kinds,
			     bool allow_more)
{
	size_t i = 0, k = 0;

	while (i < before->count || k < after->count) {
		int order;

		if (i == before->count)
			order = 1;
		else if (k == after->count)
			order = -1;
		else
			order = strcmp(before->lines[i], after->lines[k]);
		if (order < 0 && (kind_of(before->lines[i]) & kinds))
			fprintf(out, "\n- %s", before->lines[i]);
		if (order > 0 && (kind_of(after->lines[k]) & kinds) &&
		    !allow_more)
			fprintf(out, "\n+ %s", after->lines[k]);
		i += order <= 0;
		k += order >= 0;
	}
}

/* What differs, or NULL; the caller frees it. */
static char *difference(const struct snapshot *before, pid_t pid,
			unsigned int kinds, bool allow_more)
{
	struct snapshot after;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		cr_fatal("out of memory");
	snapshot_take(pid, &after);
	write_difference(out, before, &after, kinds, allow_more);
	snapshot_free(&after);
	fclose(out);
	if (size != 0)
		return text;
	free(text);
	return NULL;
}

static void expect(pid_t pid, const struct snapshot *before, unsigned int kinds,
		   bool allow_more, const char *when)
{
	int64_t deadline_ms = deadline_now_ms() + SETTLE_MS;
	char *text;

	while ((text = difference(before, pid, kinds, allow_more)) != NULL) {
		if (deadline_left_ms(deadline_ms) == 0)
			cr_fatal("the process has changed, %s:%s", when, text);
		free(text);
		poll(NULL, 0, SETTLE_INTERVAL_MS);
	}
}

void snapshot_expect_equal(pid_t pid, const struct snapshot *before,
			   unsigned int kinds, const char *when)
{
	expect(pid, before, kinds, false, when);
}

void snapshot_expect_kept(pid_t pid, const struct snapshot *before,
			  unsigned int kinds, const char *when)
{
	expect(pid, before, kinds, true, when);
}

void snapshot_expect_reverted(pid_t pid, const struct snapshot *before,
			      const char *when)
{
	expect(pid, before, SNAPSHOT_FDS | SNAPSHOT_THREADS | SNAPSHOT_PROCESS,
	       false, when);
	expect(pid, before, SNAPSHOT_CODE, true, when);
}
