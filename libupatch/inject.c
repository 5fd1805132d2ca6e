/* SPDX-License-Identifier: MIT */
/* Into the target: loading the runtime, starting its agent. */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_end.h"
#include "arch/own_calls.h"
#include "arch/stub.h"
#include "clock.h"
#include "host.h"
#include "make_room.h"
#include "priority.h"
#include "remote_call.h"
#include "room.h"
#include "runtime_path.h"
#include "seccomp.h"
#include "tasks.h"
#include "traced.h"

#define PAGE_LEN	 4096UL
#define SCRATCH_LEN	 (512UL * 1024)
#define CLOSE_TIMEOUT_NS 2000000000UL
/* An agent that nobody greets ends within 0.9 seconds. */
#define AGENT_END_NS 1000000000UL
/* The time-out is for finding a thread; what is begun is brought to its end. */
#define CALL_TIMEOUT_NS 30000000000UL
#define SIGRETURN_NEAR	(16UL * 1024)
#define RUNTIME_MAX_LEN (4UL << 20)
#define START_NS	1000000000UL
#define START_NAME	"upatch_runtime_start"
#define ENTER_NAME	"upatch_runtime_enter"

/* What the stub and the calls need of the target's C library. */
struct libc_entries {
	upatch_addr_t mmap, munmap, dlopen, dlsym, dlerror, errno_location;
	upatch_addr_t syscall;
	upatch_addr_t sigreturn;
};

struct entry {
	struct process *process;
	struct channel *channel;
	struct injection *injection;
	uint64_t deadline_ns, call_deadline_ns;
	struct libc_entries libc;
	upatch_addr_t start;  /* of the runtime; 0: it is not there */
	unsigned char *image; /* of the runtime's file; NULL: it is there */
	size_t image_len;
	int64_t thread_offset; /* 0: the runtime is not there */
	int target_fd;
	/* what the thread has mapped and the agent is to unmap */
	struct addr_range leftover;
	bool dlopen_failed;
	bool is_begun;	    /* the thread has been sent to start the agent */
	bool may_be_direct; /* see protocol.h */
};

static upatch_addr_t search_sigreturn(const struct process *process,
				      upatch_addr_t start, upatch_addr_t end)
{
	size_t len = end - start;
	unsigned char *code = malloc(len);
	const unsigned char *found = NULL;
	upatch_addr_t addr = 0;

	if (!code)
		return 0;
	len = memory_read_some(&process->memory, start, code, len);
	found = memmem(code, len, arch_sigreturn_code, arch_sigreturn_code_len);
	if (found)
		addr = start + (upatch_addr_t)(found - code);
	free(code);
	return addr;
}

/* It is in the source of sigaction, so it is near; else it is anywhere. */
static int find_sigreturn(const struct process *process,
			  const struct module *libc, upatch_addr_t *ret_addr,
			  struct upatch_error *err)
{
	upatch_addr_t near = process_exported(process, libc, "sigaction");
	upatch_addr_t addr = 0;

	errno = 0;
	for (size_t i = 0; i < libc->text_count && !addr; i++) {
		const struct addr_range *text = &libc->text[i];

		if (near < text->start || near >= text->end)
			continue;
		addr = search_sigreturn(process,
					near - text->start > SIGRETURN_NEAR
						? near - SIGRETURN_NEAR
						: text->start,
					text->end - near > SIGRETURN_NEAR
						? near + SIGRETURN_NEAR
						: text->end);
	}
	for (size_t i = 0; i < libc->text_count && !addr; i++)
		addr = search_sigreturn(process, libc->text[i].start,
					libc->text[i].end);
	if (!addr && errno == ENOMEM)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	if (!addr)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"the C library of process %d has no signal return",
			process->pid);
	*ret_addr = addr;
	return 0;
}

static upatch_addr_t find_dl_function(const struct process *process,
				      const struct module *libc,
				      const char *name)
{
	const struct module *libdl;
	upatch_addr_t addr = process_exported(process, libc, name);

	/* Until glibc 2.33 these were in a library of their own. */
	libdl = addr ? NULL
		     : modules_find_name(&process->modules, "libdl.so.2");
	return libdl ? process_exported(process, libdl, name) : addr;
}

static int find_libc(const struct process *process, struct libc_entries *libc,
		     struct upatch_error *err)
{
	const struct module *module =
		modules_find_name(&process->modules, "libc.so.6");

	if (!module)
		return error_set(
			err, UPATCH_ERROR_UNSUPPORTED, 0,
			"process %d does not use the C library of glibc",
			process->pid);
	libc->mmap = process_exported(process, module, "mmap");
	libc->munmap = process_exported(process, module, "munmap");
	libc->errno_location =
		process_exported(process, module, "__errno_location");
	libc->syscall = process_exported(process, module, "syscall");
	libc->dlopen = find_dl_function(process, module, "dlopen");
	libc->dlsym = find_dl_function(process, module, "dlsym");
	libc->dlerror = find_dl_function(process, module, "dlerror");
	if (!libc->mmap || !libc->munmap || !libc->dlopen || !libc->dlsym ||
	    !libc->dlerror || !libc->errno_location)
		return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
				 "process %d has no dlopen", process->pid);
	return find_sigreturn(process, module, &libc->sigreturn, err);
}

static int read_runtime(struct entry *entry, struct upatch_error *err)
{
	char path[PATH_MAX];
	struct stat st;
	ssize_t len;
	int fd;
	int ret = runtime_path_find(path, sizeof(path), err);

	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > RUNTIME_MAX_LEN) {
		ret = error_set(err, UPATCH_ERROR_SYSTEM, errno,
				"cannot read the runtime '%s'", path);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	entry->image_len = (size_t)st.st_size;
	entry->image = malloc(entry->image_len);
	len = entry->image ? read(fd, entry->image, entry->image_len) : -1;
	close(fd);
	if (len != st.st_size)
		return error_set(err, UPATCH_ERROR_SYSTEM, errno,
				 "cannot read the runtime '%s'", path);
	return 0;
}

/*
 *	page          the stub, then its parameters
 *	page + 4096   a stack, which the stub makes writable
 *	behind it     the runtime's file, unmapped by the stub itself
 *
 * Mapped read and execute, written through /proc/PID/mem.
 */
static int write_stub(struct entry *entry, const struct remote_call *call,
		      upatch_addr_t page, upatch_addr_t *ret_params,
		      struct upatch_error *err)
{
	size_t code_len = (size_t)(arch_stub_end - arch_stub_begin);
	struct stub_params params = {
		.image = page + PAGE_LEN + SCRATCH_LEN,
		.image_len = entry->image_len,
		.scratch = page + PAGE_LEN,
		.scratch_len = SCRATCH_LEN,
		.report = call->report,
		.dlopen = entry->libc.dlopen,
		.dlsym = entry->libc.dlsym,
		.dlerror = entry->libc.dlerror,
		.errno_location = entry->libc.errno_location,
		.memfd_name = RT_SONAME,
		.start_name = START_NAME,
		.sigmask = RT_BLOCKED_SIGNALS,
	};
	unsigned char buf[PAGE_LEN] = { 0 };
	size_t params_offset = (code_len + 63) & ~63UL;
	const pid_t tid = call->thread->tid;
	pid_t number = tid;
	int ret;

	if (params_offset + sizeof(params) > sizeof(buf))
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "the stub is too long");
	/*
	 * The loader keeps the path as the library's name, and a debugger opens
	 * what it names.  In any other process there is no such thread.
	 */
	(void)tasks_number_inside(entry->process->pid, tid, &number);
	snprintf(params.fd_folder, sizeof(params.fd_folder),
		 "/proc/self/task/%d/fd/", number);
	memcpy(buf, arch_stub_begin, code_len);
	memcpy(buf + params_offset, &params, sizeof(params));
	ret = memory_write(&entry->process->memory, page, buf, sizeof(buf),
			   err);
	if (!ret)
		ret = memory_write(&entry->process->memory, params.image,
				   entry->image, entry->image_len, err);
	if (!ret)
		*ret_params = page + params_offset;
	return ret;
}

/* Not found, although its folder of descriptors is there. */
static bool is_descriptor_lost(const struct entry *entry, const char *text)
{
	char path[64];

	/* ENODEV: its number is that of something that cannot be mapped. */
	if (strstr(text, strerror(EBADF)) || strstr(text, strerror(ENODEV)) ||
	    strstr(text, "file too short"))
		return true;
	tasks_path(entry->process->pid, "root/proc/self", path, sizeof(path));
	return strstr(text, strerror(ENOENT)) && !access(path, F_OK);
}

static int report_stub(const struct entry *entry,
		       const struct host_report *report,
		       struct upatch_error *err)
{
	static const char *const steps[] = {
		[STUB_STACK] = "map a stack",
		[STUB_MEMFD] = "create a memory file",
		[STUB_WRITE] = "write the runtime",
	};
	pid_t pid = entry->process->pid;
	char text[RT_TEXT_SIZE] = "no reason given";

	if (report->step == STUB_WRITE && report->value == -EBADF)
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"process %d has closed the descriptor that it loads the runtime from",
			pid);
	if (report->step >= STUB_STACK && report->step <= STUB_WRITE)
		return error_set(err, UPATCH_ERROR_SYSTEM, (int)-report->value,
				 "process %d cannot %s", pid,
				 steps[report->step]);
	if (report->text)
		(void)!memory_read_string(&entry->process->memory, report->text,
					  text, sizeof(text), NULL);
	if (is_descriptor_lost(entry, text))
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"process %d has closed the descriptor that it loads the runtime from: %s",
			pid, text);
	return error_set(err, UPATCH_ERROR_UNSUPPORTED, 0,
			 "process %d cannot load the runtime: %s", pid, text);
}

static int map_stub_page(struct entry *entry, struct remote_call *call,
			 upatch_addr_t *ret_page, struct upatch_error *err)
{
	const uint64_t args[6] = {
		0,
		PAGE_LEN + SCRATCH_LEN + entry->image_len,
		PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS,
		(uint64_t)-1,
		0,
	};
	struct arch_regs regs;
	int64_t result;
	int ret;

	call->keeps_errno = true;
	ret = remote_call_run(call, entry->libc.mmap, args,
			      entry->call_deadline_ns, &regs, &result, err);
	call->keeps_errno = false;
	if (ret)
		return ret;
	if (result < 0 && result >= -4095)
		return error_set(err, UPATCH_ERROR_SYSTEM, (int)-result,
				 "process %d cannot map memory for the runtime",
				 entry->process->pid);
	*ret_page = (upatch_addr_t)result;
	return 0;
}

static int run_stub(struct entry *entry, struct remote_call *call,
		    upatch_addr_t page, struct upatch_error *err)
{
	uint64_t args[6] = { 0 };
	struct host_report report;
	int ret = write_stub(entry, call, page, &args[0], err);

	if (ret)
		return ret;
	entry->is_begun = true;
	ret = remote_call_run_reporting(call, page, args,
					entry->call_deadline_ns, &report, err);
	if (ret)
		return ret;
	/* Where it waits for the agent it stands on the stack of the stub. */
	entry->leftover.end = page + PAGE_LEN;
	if (report.state == HOST_STARTED)
		entry->leftover.end += SCRATCH_LEN;
	entry->dlopen_failed = report.step == STUB_DLOPEN_FAILED;
	if (report.step != STUB_OK)
		return report_stub(entry, &report, err);
	entry->target_fd = (int)report.value;
	return 0;
}

/* Of a thread that has not come back from the stub, nothing can be unmapped. */
static int unmap(struct entry *entry, struct remote_call *call,
		 upatch_addr_t addr, size_t len, struct upatch_error *err)
{
	const uint64_t args[6] = { addr, len };
	struct arch_regs regs;
	int64_t result = 0;
	int ret;

	if (!call->is_ready)
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "%zu bytes stay mapped at 0x%lx", len, addr);
	call->keeps_errno = true;
	ret = remote_call_run(call, entry->libc.munmap, args,
			      entry->call_deadline_ns, &regs, &result, err);
	call->keeps_errno = false;
	if (!ret && result < 0)
		ret = error_set(err, UPATCH_ERROR_SYSTEM, (int)-result,
				"process %d cannot unmap memory of ours",
				entry->process->pid);
	if (!ret)
		return 0;
	error_append(err, "%zu bytes stay mapped at 0x%lx", len, addr);
	return ret;
}

/* It is loaded from a file of this name, and from no other. */
static bool is_runtime(const struct map *map)
{
	static const char name[] = "/memfd:" RT_SONAME;

	return !strncmp(map->path, name, strlen(name));
}

/*
 * glibc 2.36 leaves what it has mapped already where it cannot map the rest
 * (_dl_map_object_from_fd).  Nobody else knows of these mappings.
 */
static int unmap_failed_runtime(struct entry *entry, struct remote_call *call,
				struct upatch_error *err)
{
	const struct maps *maps = &entry->process->maps;
	int ret = process_refresh_maps(entry->process, err);

	for (size_t i = 0; !ret && i < maps->count; i++) {
		const struct map *map = &maps->maps[i];

		if (is_runtime(map))
			ret = unmap(entry, call, map->start,
				    map->end - map->start, err);
	}
	return ret;
}

static int load_runtime(struct entry *entry, struct remote_call *call,
			struct upatch_error *err)
{
	struct upatch_error problem;
	upatch_addr_t page;
	int ret = map_stub_page(entry, call, &page, err);
	int unmap_ret = 0;

	if (ret)
		return ret;
	entry->leftover =
		(struct addr_range){ page, page + PAGE_LEN + SCRATCH_LEN +
						   entry->image_len };
	ret = run_stub(entry, call, page, err);
	if (!ret)
		return 0;
	if (entry->dlopen_failed)
		unmap_ret = unmap_failed_runtime(entry, call, &problem);
	if (!unmap_ret)
		unmap_ret = unmap(entry, call, page, entry->leftover.end - page,
				  &problem);
	if (!unmap_ret)
		return ret;
	error_append(err, "%s", problem.message);
	if (ret == UPATCH_ERROR_TIMED_OUT || ret == UPATCH_ERROR_NO_TARGET)
		return ret;
	if (err)
		err->code = UPATCH_ERROR_TARGET_DAMAGED;
	return UPATCH_ERROR_TARGET_DAMAGED;
}

static int start_again(struct entry *entry, struct remote_call *call,
		       struct upatch_error *err)
{
	const uint64_t args[6] = { call->report };
	struct host_report report;
	int ret;

	entry->is_begun = true;
	ret = remote_call_run_reporting(call, entry->start, args,
					entry->call_deadline_ns, &report, err);
	if (ret)
		return ret;
	entry->target_fd = (int)report.value;
	return 0;
}

/*
 * While the agent has not executed an instruction yet: it waits for this only
 * for a limited time, and on a busy machine everything takes its time.
 */
static int greet_agent(struct entry *entry, struct upatch_error *err)
{
	const struct rt_request request = {
		.type = RT_HELLO,
		.hello.protocol = RT_VERSION,
		.hello.may_be_direct = entry->may_be_direct,
		.hello.may_be_hurried = !entry->process->under_seccomp,
		.hello.sigreturn = entry->libc.sigreturn,
		.hello.leftover = entry->leftover.start,
		.hello.leftover_len =
			entry->leftover.end - entry->leftover.start,
	};
	int ret;

	if (entry->target_fd == -EBUSY)
		return error_set(err, UPATCH_ERROR_BUSY, 0,
				 "another operation is at work in process %d",
				 entry->process->pid);
	if (entry->target_fd == -EBADF)
		return error_set(
			err, UPATCH_ERROR_SYSTEM, 0,
			"process %d has closed the descriptors of the agent",
			entry->process->pid);
	if (entry->target_fd < 0)
		return error_set(err, UPATCH_ERROR_SYSTEM, -entry->target_fd,
				 "process %d cannot start the agent",
				 entry->process->pid);
	ret = channel_open(entry->channel, entry->process->pid,
			   entry->target_fd, err);
	if (ret)
		return ret;
	return channel_send(entry->channel, &request, -1, "greet the agent",
			    err);
}

/* The agent will not do it: the thread is borrowed once more. */
static void unmap_leftover(struct entry *entry, struct tracer *tracer,
			   struct thread *thread, struct upatch_error *err)
{
	struct remote_call call;
	struct upatch_error problem;
	int ret =
		remote_call_open(&call, tracer, thread, &entry->process->memory,
				 entry->libc.sigreturn, &problem);

	if (!ret)
		ret = unmap(entry, &call, entry->leftover.start,
			    entry->leftover.end - entry->leftover.start,
			    &problem);
	if (!ret)
		ret = remote_call_close(&call,
					clock_now_ns() + CLOSE_TIMEOUT_NS,
					&problem);
	if (ret)
		error_append(err, "%s", problem.message);
}

/*
 * The agent unmaps what the thread has stood on: it must not hear of that before
 * the thread stands where it was, nor run.
 */
static int borrow_thread(struct entry *entry, struct tracer *tracer,
			 struct thread *thread, struct upatch_error *err)
{
	struct setxid_watch setxid = {
		.memory = &entry->process->memory,
		.wrapper = entry->libc.syscall,
	};
	struct remote_call call;
	struct upatch_error close_err;
	struct priority priority = { 0 };
	int close_ret;
	int ret =
		remote_call_open(&call, tracer, thread, &entry->process->memory,
				 entry->libc.sigreturn, err);

	if (ret) {
		make_room_end(tracer);
		return ret;
	}
	/* The thread is away from its work, and it waits for us. */
	priority_raise(&priority);
	if (entry->image) {
		call.setxid = &setxid;
		ret = load_runtime(entry, &call, err);
	} else {
		ret = start_again(entry, &call, err);
	}
	close_ret = remote_call_close(&call, clock_now_ns() + CLOSE_TIMEOUT_NS,
				      &close_err);
	priority_restore(&priority);
	make_room_end(tracer);
	if (!ret && close_ret) {
		ret = close_ret;
		if (err)
			*err = close_err;
	}
	if (!ret) {
		ret = greet_agent(entry, err);
		if (ret && entry->leftover.end)
			unmap_leftover(entry, tracer, thread, err);
	}
	if (!ret && thread->created)
		priority_raise_agent(thread->created);
	remote_call_release_newborn(&call);
	return ret;
}

static bool is_in_maps(const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (is_runtime(&maps->maps[i]))
			return true;
	}
	return false;
}

/*
 * Two runtimes would be two states, each patching for itself.  We trace the
 * first thread (host.c): nobody else can be about to load one.  What the
 * loader has loaded takes long to read, and that thread's signals wait: mostly
 * there is no such mapping.
 */
static int check_no_runtime(void *user, struct upatch_error *err)
{
	const struct entry *entry = user;
	struct modules modules = { 0 };
	struct maps maps = { 0 };
	bool is_there;
	int ret;

	if (!entry->image)
		return 0;
	ret = maps_read(entry->process->pid, &maps, err);
	if (ret)
		return ret;
	is_there = is_in_maps(&maps);
	maps_free(&maps);
	if (!is_there)
		return 0;
	ret = modules_read(&entry->process->memory, &modules, &maps, err);
	if (ret)
		return ret;
	is_there = modules_find_name(&modules, RT_SONAME);
	modules_free(&modules);
	maps_free(&maps);
	return is_there
		       ? error_set(
				 err, UPATCH_ERROR_BUSY, 0,
				 "another operation has entered process %d meanwhile; try again",
				 entry->process->pid)
		       : 0;
}

/* The agent inherits the filters of the thread that starts it. */
static bool may_change_gates(const struct process *process,
			     const struct thread *thread)
{
	char reason[160];

	if (!process->under_seccomp)
		return true;
	seccomp_judge(thread->tid, OWN_CALL_GATES, reason, sizeof(reason));
	return !reason[0];
}

/* Asked when no other operation is under way any more. */
static bool has_direct_gates(const struct process *process)
{
	uint32_t has = 0;

	return process->state_addr &&
	       memory_read_some(&process->memory,
				process->state_addr +
					offsetof(struct rt_state,
						 has_direct_gates),
				&has, sizeof(has)) == sizeof(has) &&
	       has;
}

static int enter_target(struct tracer *tracer, void *user,
			struct upatch_error *err)
{
	struct entry *entry = user;
	const struct host_check check = {
		.check = check_no_runtime,
		.user = entry,
		.own_calls =
			OWN_CALL_ENTERING |
			(has_direct_gates(entry->process) ? OWN_CALL_GATES : 0),
	};
	struct thread *first, *thread;
	uint64_t begin;
	int ret;

	tracer->deadlines.thread_offset = entry->thread_offset;
	ret = host_find(entry->process, tracer, &check, entry->deadline_ns,
			&thread, err);
	if (ret)
		return ret;
	entry->may_be_direct = may_change_gates(entry->process, thread);
	begin = clock_now_ns();
	entry->call_deadline_ns = begin + CALL_TIMEOUT_NS;
	ret = borrow_thread(entry, tracer, thread, err);
	entry->injection->host_tid = thread->tid;
	entry->injection->host_ns = clock_now_ns() - begin;
	if (thread->run == THREAD_STOPPED) {
		struct arch_regs regs;

		(void)!tracer_registers(thread, &regs);
		tracer_release(tracer, thread);
	}
	first = tracer_find(tracer, tasks_first_living(tracer->pid));
	if (first && first != thread && first->run == THREAD_RUNS &&
	    !tracer_stop(tracer, first, clock_now_ns() + CLOSE_TIMEOUT_NS,
			 NULL)) {
		struct arch_regs regs;

		(void)!tracer_registers(first, &regs);
		tracer_release(tracer, first);
	}
	return ret;
}

static int hear_agent(struct entry *entry, struct upatch_error *err)
{
	struct rt_reply reply;
	int ret = channel_receive(entry->channel, entry->call_deadline_ns,
				  &reply, "greet the agent", err);

	if (!ret)
		entry->process->state_addr = reply.value;
	return ret;
}

/* One that was started for nothing is not left behind. */
static void see_agent_off(const struct entry *entry)
{
	/* It may not have its name yet. */
	const struct timespec pause = { .tv_nsec = 2000000 };
	uint64_t deadline = clock_now_ns() + AGENT_END_NS;

	if (!entry->is_begun || entry->target_fd < 0)
		return;
	do
		nanosleep(&pause, NULL);
	while (tasks_find_comm(entry->process->pid, RT_AGENT_COMM) &&
	       clock_now_ns() < deadline);
}

/*
 * It is loaded before it is started, by the thread that was borrowed.  That
 * may have failed, if the process was out of threads or descriptors.
 */
static int await_start(const struct process *process, struct rt_state *state,
		       struct upatch_error *err)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t deadline = clock_now_ns() + START_NS;

	for (;;) {
		int ret = memory_read(&process->memory, process->state_addr,
				      state, sizeof(*state), err);

		if (ret || state->magic == RT_MAGIC ||
		    clock_now_ns() >= deadline)
			return ret;
		nanosleep(&pause, NULL);
	}
}

static upatch_addr_t find_start(const struct process *process)
{
	const struct module *runtime =
		modules_find_name(&process->modules, RT_SONAME);

	return runtime ? process_exported(process, runtime, ENTER_NAME) : 0;
}

/* From the runtime, if an earlier operation found it. */
static int find_entries(struct entry *entry, struct upatch_error *err)
{
	struct process *process = entry->process;
	struct rt_state state;
	int ret;

	if (!process->state_addr) {
		ret = find_libc(process, &entry->libc, err);
		if (!ret)
			ret = read_runtime(entry, err);
		return ret ? ret
			   : room_check(process->pid, entry->image_len, err);
	}
	ret = await_start(process, &state, err);
	if (ret)
		return ret;
	entry->start =
		state.magic == RT_MAGIC ? state.start : find_start(process);
	if (!entry->start)
		return error_set(err, UPATCH_ERROR_CONFLICT, 0,
				 "the runtime in process %d cannot be started",
				 process->pid);
	if (state.agent_tid)
		ret = agent_end_wait(process, entry->deadline_ns, err);
	if (!ret)
		ret = room_check(process->pid, 0, err);
	if (ret)
		return ret;
	entry->thread_offset = state.thread_offset;
	if (state.sigreturn) {
		entry->libc.sigreturn = state.sigreturn;
		return 0;
	}
	return find_libc(process, &entry->libc, err);
}

int inject_check(const struct process *process, struct upatch_error *err)
{
	struct entry entry = { 0 };
	int ret;

	if (process->state_addr)
		return room_check(process->pid, 0, err);
	ret = read_runtime(&entry, err);
	free(entry.image);
	return ret ? ret : room_check(process->pid, entry.image_len, err);
}

int inject_agent(struct process *process, uint64_t deadline_ns,
		 struct channel *channel, struct injection *ret_injection,
		 struct upatch_error *err)
{
	struct injection injection = { 0 };
	struct entry entry = {
		.process = process,
		.channel = channel,
		.injection = &injection,
		.deadline_ns = deadline_ns,
	};
	uint64_t limit_ns = clock_now_ns() + START_NS;
	int ret = find_entries(&entry, err);

	if (!ret && process->has_deaf_thread)
		ret = room_wait_for_vfork(process, deadline_ns, err);

	if (!ret)
		ret = traced_run(process->pid, process->under_seccomp,
				 enter_target, &entry, err);
	while (entry.target_fd == -EBUSY && clock_now_ns() < limit_ns &&
	       !agent_end_wait(process, deadline_ns, err)) {
		entry.target_fd = 0;
		ret = traced_run(process->pid, process->under_seccomp,
				 enter_target, &entry, err);
	}
	free(entry.image);
	if (!ret)
		ret = hear_agent(&entry, err);
	if (ret) {
		channel_close(entry.channel);
		see_agent_off(&entry);
	} else {
		*ret_injection = injection;
	}
	return ret;
}
