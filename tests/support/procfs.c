/* SPDX-License-Identifier: MIT */
/*
 * Reading /proc.
 */
#include "procfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void procfs_status_field(pid_t pid, pid_t tid, const char *field, char *text,
			 size_t size)
{
	char path[64], line[512];
	size_t len = strlen(field);
	FILE *file;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, field, len) == 0 && line[len] == ':') {
			char *value = line + len + 1;

			value += strspn(value, " \t");
			value[strcspn(value, "\n")] = '\0';
			snprintf(text, size, "%s", value);
			break;
		}
	}
	fclose(file);
}

pid_t procfs_tracer(pid_t pid)
{
	char text[32];

	procfs_status_field(pid, pid, "TracerPid", text, sizeof(text));
	return text[0] != '\0' ? (pid_t)strtol(text, NULL, 10) : -1;
}

bool procfs_is_in_state(pid_t pid, pid_t tid, const char *states)
{
	char text[32];

	procfs_status_field(pid, tid, "State", text, sizeof(text));
	return text[0] != '\0' && strchr(states, text[0]) != NULL;
}

static void for_each_number(const char *path, pid_t pid,
			    void (*visit)(pid_t pid, int number, void *arg),
			    void *arg)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			visit(pid, (int)strtol(entry->d_name, NULL, 10), arg);
	}
	closedir(dir);
}

void procfs_for_each(pid_t pid, const char *dir,
		     void (*visit)(pid_t pid, int number, void *arg), void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, dir);
	for_each_number(path, pid, visit, arg);
}

void procfs_for_each_process(void (*visit)(pid_t pid, int number, void *arg),
			     void *arg)
{
	for_each_number("/proc", 0, visit, arg);
}

static void count_stopped(pid_t pid, int tid, void *arg)
{
	unsigned int *stopped = arg;

	if (procfs_is_in_state(pid, tid, "Tt"))
		(*stopped)++;
}

bool procfs_no_thread_is_stopped(pid_t pid)
{
	unsigned int stopped = 0;

	procfs_for_each(pid, "task", count_stopped, &stopped);
	return stopped == 0;
}

static void note_living(pid_t pid, int tid, void *arg)
{
	pid_t *living = arg;

	if (*living == 0 && !procfs_is_in_state(pid, tid, "ZX"))
		*living = tid;
}

pid_t procfs_first_living(pid_t pid)
{
	pid_t living = 0;

	if (!procfs_is_in_state(pid, pid, "Z"))
		return pid;
	procfs_for_each(pid, "task", note_living, &living);
	return living != 0 ? living : pid;
}
