/* SPDX-License-Identifier: MIT */
/* What an operation knows of its target. */
#include "process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dynamic.h"
#include "loader.h"
#include "seccomp.h"
#include "tasks.h"

/* a millisecond each */
#define TRACER_END_TRIES 1000

static int check_alive(pid_t pid, struct upatch_error *err)
{
	char state = tasks_state(pid, pid);

	if (!state)
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "no process %d", pid);
	if (tasks_kind(pid, pid) == TASK_KERNEL_WORKER)
		return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
				 "process %d is a kernel thread", pid);
	return 0;
}

static int read_exe(struct process *process, struct upatch_error *err)
{
	char exe[PATH_MAX];
	ssize_t len = tasks_readlink(process->pid, "exe", exe, sizeof(exe));

	if (len < 0 && errno == ENOENT)
		return error_set(
			err, UPATCH_ERROR_NO_TARGET, 0,
			"process %d has ended and waits for its parent",
			process->pid);
	if (len < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot look at process %d", process->pid);
	process->exe = strdup(exe);
	if (!process->exe)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	return 0;
}

static int check_word_size(const struct process *process,
			   struct upatch_error *err)
{
	unsigned char ident[EI_NIDENT] = { 0 };
	int fd = tasks_open(process->pid, "exe", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open the executable of process %d",
				 process->pid);
	len = read(fd, ident, sizeof(ident));
	close(fd);
	if (len == sizeof(ident) && ident[EI_CLASS] == ELFCLASS64)
		return 0;
	return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
			 "process %d is no 64-bit program", process->pid);
}

static int open_memory(struct process *process, struct upatch_error *err)
{
	int ret = memory_open(&process->memory, process->pid, err);

	return ret ? ret : check_word_size(process, err);
}

int process_open(struct process *process, pid_t pid, struct upatch_error *err)
{
	int ret;

	*process = (struct process){
		.pid = pid,
		.fate.pidfd = -1,
		.memory.mem_fd = -1,
	};
	if (pid <= 0)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "%d is no process id", pid);
	ret = check_alive(pid, err);
	if (!ret)
		ret = fate_open(&process->fate, pid, err);
	if (!ret)
		ret = read_exe(process, err);
	if (!ret)
		ret = process_explain(process, open_memory(process, err), err);
	if (ret)
		process_close(process);
	return ret;
}

static void close_tables(struct process *process)
{
	for (size_t i = 0; process->tables && i < process->modules.count; i++)
		symbols_close(process->tables[i]);
	for (size_t i = 0; process->exports && i < process->modules.count; i++)
		dynamic_symbols_free(&process->exports[i].symbols);
	free(process->tables);
	free(process->exports);
	process->tables = NULL;
	process->exports = NULL;
}

void process_close(struct process *process)
{
	close_tables(process);
	modules_free(&process->modules);
	maps_free(&process->maps);
	unwind_close(process->unwinder);
	memory_close(&process->memory);
	fate_close(&process->fate);
	free(process->exe);
	*process = (struct process){ .fate.pidfd = -1, .memory.mem_fd = -1 };
}

int process_refresh_maps(struct process *process, struct upatch_error *err)
{
	struct maps maps;
	int ret = maps_read(process->pid, &maps, err);

	if (ret)
		return ret;
	maps_free(&process->maps);
	process->maps = maps;
	return 0;
}

/*
 * One that could not be read well enough to be known: a second one must not be
 * loaded.
 */
static bool has_unknown_runtime(const struct process *process)
{
	static const char name[] = "/memfd:" RT_SONAME;

	for (size_t i = 0; i < process->modules.count; i++) {
		const struct map *map =
			maps_find(&process->maps,
				  process->modules.modules[i].dynamic);

		if (map && !strncmp(map->path, name, strlen(name)))
			return true;
	}
	return false;
}

int process_refresh(struct process *process, struct upatch_error *err)
{
	struct modules modules;
	struct maps maps;
	int ret = modules_read(&process->memory, &modules, &maps, err);

	if (ret)
		return ret;
	maps_free(&process->maps);
	process->maps = maps;
	close_tables(process);
	modules_free(&process->modules);
	process->modules = modules;
	process->tables = calloc(modules.count, sizeof(struct symbol_table *));
	process->exports = calloc(modules.count, sizeof(*process->exports));
	if (!process->tables || !process->exports)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	ret = view_find_state(&process->memory, &process->modules,
			      &process->state_addr, err);
	if (!ret && !process->state_addr && has_unknown_runtime(process))
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "cannot read the runtime in process %d",
				 process->pid);
	return ret;
}

/* One that has been killed lets go in a moment. */
static bool has_lasting_tracer(const struct process *process, pid_t tid,
			       struct task_status *status)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; status->tracer > 0; i++) {
		/* Between the signal and the end it shows as neither. */
		if (i >= TRACER_END_TRIES ||
		    (i > 1 && !tasks_is_ending(status->tracer)))
			return true;
		nanosleep(&pause, NULL);
		if (!tasks_status(process->pid, tid, status))
			return false;
	}
	return false;
}

static int check_task(const struct process *process, pid_t tid,
		      size_t seccomp_counts[3], bool *ret_is_deaf,
		      struct upatch_error *err)
{
	struct task_status status;
	char name[64];

	if (!tasks_status(process->pid, tid, &status) ||
	    tasks_has_ended(status.state))
		return 0;
	if (has_lasting_tracer(process, tid, &status)) {
		tasks_comm(status.tracer, status.tracer, name, sizeof(name));
		return error_set(
			err, UPATCH_ERROR_BUSY, 0,
			"thread %d of process %d is traced by process %d (%s)",
			tid, process->pid, status.tracer, name);
	}
	if (status.has_shadow_stack)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"thread %d of process %d has a shadow stack (CET): code that returns where it was not called from would end it",
			tid, process->pid);
	if (status.state == 'T')
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d is stopped (SIGCONT lets it go on)",
			process->pid);
	*ret_is_deaf |= status.state == 'D';
	if (status.seccomp >= 0 && status.seccomp < 3)
		seccomp_counts[status.seccomp]++;
	return 0;
}

bool process_is_gone(const struct process *process)
{
	return fate_is_gone(&process->fate, &process->memory);
}

int process_explain(const struct process *process, int ret,
		    struct upatch_error *err)
{
	return fate_explain(&process->fate, &process->memory, ret, err);
}

static bool is_under_seccomp(pid_t pid, pid_t tid, const void *arg)
{
	struct task_status status;

	(void)arg;
	return tasks_status(pid, tid, &status) &&
	       !tasks_has_ended(status.state) && status.seccomp != SECCOMP_NONE;
}

void process_note_seccomp(struct process *process)
{
	if (tasks_find(process->pid, is_under_seccomp, NULL))
		process->under_seccomp = true;
}

/* Our code has to run in one of the threads. */
static int check_seccomp(struct process *process, const size_t counts[3],
			 struct upatch_error *err)
{
	process->under_seccomp =
		counts[SECCOMP_STRICT] || counts[SECCOMP_FILTERED];
	if (!process->under_seccomp || counts[SECCOMP_NONE])
		return 0;
	if (!counts[SECCOMP_FILTERED])
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d runs in seccomp's strict mode: a system call of ours would kill it",
			process->pid);
	if (!seccomp_can_read())
		return error_set(
			err, UPATCH_ERROR_PERMISSION, 0,
			"process %d runs under seccomp, and its filter cannot be read here: that takes CAP_SYS_ADMIN, no seccomp of one's own, and a kernel with CONFIG_CHECKPOINT_RESTORE",
			process->pid);
	return 0;
}

int process_check_ready(struct process *process, struct upatch_error *err)
{
	size_t count, counts[3] = { 0 };
	pid_t *tids;
	int ret = tasks_list(process->pid, &tids, &count, err);

	if (ret)
		return ret;
	process->has_deaf_thread = false;
	for (size_t i = 0; i < count && !ret; i++)
		ret = check_task(process, tids[i], counts,
				 &process->has_deaf_thread, err);
	free(tids);
	return ret ? ret : check_seccomp(process, counts, err);
}

int process_symbols(struct process *process, const struct module *module,
		    struct symbol_table **ret_table, struct upatch_error *err)
{
	size_t index = (size_t)(module - process->modules.modules);
	int ret;

	if (!process->tables[index]) {
		ret = file_cache_symbols(process->cache, module, &process->maps,
					 &process->memory,
					 &process->tables[index], err);
		if (ret)
			return ret;
	}
	*ret_table = process->tables[index];
	return 0;
}

const struct dynamic_symbols *process_exports(const struct process *process,
					      const struct module *module)
{
	struct process_exports *exports =
		&process->exports[module - process->modules.modules];
	const struct dynamic_place place = {
		.dynamic = module->dynamic,
		.bias = module->bias,
		.start = module->start,
		.end = module->end,
	};

	if (!exports->is_read)
		exports->is_unknown =
			!dynamic_symbols_read(&process->memory, &place,
					      &exports->symbols);
	exports->is_read = true;
	return &exports->symbols;
}

upatch_addr_t process_exported(const struct process *process,
			       const struct module *module, const char *name)
{
	return dynamic_symbols_find(process_exports(process, module), name);
}

void process_describe(struct process *process, upatch_addr_t addr, char *buf,
		      size_t size)
{
	const struct module *module =
		modules_find_addr(&process->modules, addr);
	struct symbol_table *table;
	struct symbol symbol;

	if (module && !process_symbols(process, module, &table, NULL) &&
	    symbols_at(table, addr, &symbol))
		snprintf(buf, size, "%s+0x%lx", symbol.name,
			 addr - symbol.addr);
	else if (module)
		snprintf(buf, size, "%s+0x%lx",
			 module->soname ? module->soname : module->path,
			 addr - module->bias);
	else
		snprintf(buf, size, "0x%lx", addr);
}

int process_prepare_unwind(struct process *process, struct upatch_error *err)
{
	struct unwind_module *modules;
	int ret = 0;

	if (!process->unwinder)
		ret = unwind_open(&process->memory, &process->unwinder, err);
	if (ret)
		return ret;
	modules = calloc(process->modules.count, sizeof(*modules));
	if (!modules)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	for (size_t i = 0; i < process->modules.count; i++) {
		const struct module *module = &process->modules.modules[i];

		modules[i] = (struct unwind_module){
			.start = module->start,
			.end = module->end,
			.eh_frame_hdr = module->eh_frame_hdr,
			.eh_frame_hdr_len = module->eh_frame_hdr_len,
		};
	}
	ret = unwind_set_modules(process->unwinder, modules,
				 process->modules.count, err);
	free(modules);
	return ret;
}
