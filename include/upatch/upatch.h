/* SPDX-License-Identifier: MIT */
/*
 * libupatch: apply patches to running processes, take them back, and see what
 * is patched.  The library prints nothing, never exits, installs no signal
 * handler and keeps no global state; it reaps no child of the caller.
 *
 * Every function that can fail returns 0 or a negative enum upatch_error_code
 * value and describes the failure in *err, which belongs to the caller, may be
 * NULL, and is not touched on success.  Unless a function says otherwise, the
 * target is unchanged after a failure, except for UPATCH_ERROR_TIMED_OUT,
 * UPATCH_ERROR_INTERRUPTED (see enum upatch_on_timeout for both) and
 * UPATCH_ERROR_TARGET_DAMAGED.
 */
#ifndef UPATCH_UPATCH_H
#define UPATCH_UPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(UPATCH_BUILDING_LIBRARY)
#define UPATCH_API __attribute__((visibility("default")))
#else
#define UPATCH_API
#endif
#define UPATCH_MUST_CHECK __attribute__((warn_unused_result))

/*
 * X(name, number, exit status of upatchctl, what it means for the caller)
 * Numbers are ABI: only append.
 */
#define UPATCH_ERRORS(X)                                                       \
	X(ARGUMENT, 1, 2, "an argument is wrong")                              \
	X(PERMISSION, 2, 4, "not permitted")                                   \
	X(NO_TARGET, 3, 3, "no such process, or it ended")                     \
	X(NO_PATCH, 4, 3, "no such patch")                                     \
	X(BAD_PATCH, 5, 5, "the patch file is not a patch, or a broken one")   \
	X(MISMATCH, 6, 5, "patch and target do not fit")                       \
	X(CONFLICT, 7, 5, "conflicts with a patch that is applied")            \
	X(BUSY, 8, 6, "another transition or tracer is at work")               \
	X(UNSUPPORTED, 9, 5, "this target cannot be patched")                  \
	X(REFUSED, 10, 1, "a pre_patch callback refused")                      \
	X(TIMED_OUT, 11, 7, "the time was over")                               \
	X(NO_MEMORY, 12, 1, "out of memory")                                   \
	X(SYSTEM, 13, 1, "a system call failed")                               \
	X(TARGET_DAMAGED, 14, 8, "the undo failed")                            \
	X(INTERRUPTED, 15, 1, "the caller asked to stop")                      \
	X(NO_TRANSITION, 16, 5, "no transition is running")                    \
	X(UNTRUSTED, 17, 5, "the patch file is not trusted")

enum upatch_error_code {
#define UPATCH_ERROR_ENUM(name, number, exit_status, text)                     \
	UPATCH_ERROR_##name = -(number),
	UPATCH_ERRORS(UPATCH_ERROR_ENUM)
#undef UPATCH_ERROR_ENUM
	UPATCH_OK = 0
};

#define UPATCH_ERROR_MESSAGE_SIZE 1024

struct upatch_error {
	enum upatch_error_code code;
	/* errno of the system call that failed, or 0 */
	int saved_errno;
	/*
	 * What failed, on what, why; one line, no newline, lower case at the
	 * start.  Lists (all problems of a patch) are separated by "; ".
	 */
	char message[UPATCH_ERROR_MESSAGE_SIZE];
};

/* The constant text of a code, or "unknown error". */
UPATCH_API const char *upatch_error_text(enum upatch_error_code code);
/* The exit status that upatchctl uses for a code. */
UPATCH_API int upatch_error_exit_status(enum upatch_error_code code);
/* The version of the library, "MAJOR.MINOR.PATCH". */
UPATCH_API const char *upatch_version(void);

/* --- Targets ---------------------------------------------------------- */

/* A process that is looked at or changed.  Not safe for concurrent use. */
struct upatch_target;

/*
 * Opens process `pid`, reading only; the target is not stopped or changed.
 * Refuses what can never be patched: no such process, a zombie, a kernel
 * thread, another word size, no permission.  *ret_target belongs to the
 * caller; release it with upatch_target_close (NULL is allowed there).
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_target_open(pid_t pid, struct upatch_target **ret_target,
		   struct upatch_error *err);
UPATCH_API void upatch_target_close(struct upatch_target *target);
UPATCH_API pid_t upatch_target_pid(const struct upatch_target *target);
/* The path of its executable as the target saw it; lives with the target. */
UPATCH_API const char *upatch_target_exe(const struct upatch_target *target);

/* --- Many processes --------------------------------------------------- */

/* A process, told from a later one with its pid and from what it execs. */
struct upatch_process {
	pid_t pid;
	/* field starttime of /proc/PID/stat, in clock ticks since boot */
	uint64_t started;
	/* another one after execve(2); 0: not ours to see */
	uint64_t image;
};

/*
 * The processes that a selector means at this moment: "exe:PATH",
 * "comm:NAME", "lib:SONAME", "cgroup:PATH" or "unit:NAME.service"; never the
 * calling one, kernel threads and zombies.  Those that the caller may not look
 * at are left out where one has to.  *ret_processes is released with free(3);
 * it can be NULL where there are none.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_select(const char *selector, struct upatch_process **ret_processes,
	      size_t *ret_count, struct upatch_error *err);

/*
 * What was read from files, such as symbols, kept for other processes that use
 * them.  Can be used by several threads at a time.  Targets that were opened
 * with it are closed first.
 */
struct upatch_cache;

UPATCH_API UPATCH_MUST_CHECK int
upatch_cache_open(struct upatch_cache **ret_cache, struct upatch_error *err);
/* NULL is allowed. */
UPATCH_API void upatch_cache_close(struct upatch_cache *cache);
/* As upatch_target_open; `cache` may be NULL. */
UPATCH_API UPATCH_MUST_CHECK int
upatch_target_open_cached(pid_t pid, struct upatch_cache *cache,
			  struct upatch_target **ret_target,
			  struct upatch_error *err);

/* --- Patch files ------------------------------------------------------ */

/* A patch file, read and verified.  Immutable. */
struct upatch_patch_file;

/*
 * Reads the whole file once; what is loaded later is exactly what was read,
 * whatever becomes of the file.  Release with upatch_patch_file_close.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_patch_file_open(const char *path, struct upatch_patch_file **ret_file,
		       struct upatch_error *err);
UPATCH_API void upatch_patch_file_close(struct upatch_patch_file *file);

struct upatch_info_func {
	const char *old_name;
	unsigned long sympos;
	const char *new_name; /* symbol of new_func, or NULL if it has none */
	bool immediate;
	bool has_orig_func;
};
struct upatch_info_symbol {
	const char *name;
	unsigned long sympos;
};
struct upatch_info_object {
	const char *name;     /* NULL: the main executable */
	const char *build_id; /* or NULL */
	const struct upatch_info_func *funcs;
	size_t func_count;
	const struct upatch_info_symbol *symbols;
	size_t symbol_count;
	bool has_pre_patch, has_post_patch, has_pre_unpatch, has_post_unpatch;
};
struct upatch_info_state {
	unsigned long id;
	unsigned int version;
};
struct upatch_info {
	const char *path; /* absolute, where the file can be resolved */
	const char *name;
	const char *description; /* or NULL */
	const char *build_id;	 /* of the patch file, hexadecimal; or NULL */
	unsigned int interface_version;
	bool replace, immediate;
	const struct upatch_info_object *objects;
	size_t object_count;
	const struct upatch_info_state *states;
	size_t state_count;
};
/* What the patch contains; lives with the file. */
UPATCH_API const struct upatch_info *
upatch_patch_file_info(const struct upatch_patch_file *file);

/*
 * Writes the detached Ed25519 signature of the very bytes that were read, 64
 * bytes, to `signature_path`, with the private key in the PEM file `key_path`.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_patch_file_sign(const struct upatch_patch_file *file,
		       const char *key_path, const char *signature_path,
		       struct upatch_error *err);

/* --- Operations ------------------------------------------------------- */

enum upatch_on_timeout {
	/* Turn the transition around and undo it. */
	UPATCH_ON_TIMEOUT_REVERSE,
	/* Leave it running; upatch_wait can go on with it. */
	UPATCH_ON_TIMEOUT_LEAVE,
	/* Move the threads that are left although they are not safe. */
	UPATCH_ON_TIMEOUT_FORCE
};

enum upatch_step {
	UPATCH_STEP_CHECK,   /* reading, nothing is touched */
	UPATCH_STEP_INJECT,  /* entering the target */
	UPATCH_STEP_LOAD,    /* the patch is loaded, callbacks run */
	UPATCH_STEP_INSTALL, /* entry bytes are written */
	UPATCH_STEP_MOVE,    /* threads are moved */
	UPATCH_STEP_FINISH,  /* callbacks run, code is unloaded */
};

struct upatch_progress {
	enum upatch_step step;
	/* only in UPATCH_STEP_MOVE */
	unsigned int thread_count, moved_count;
	/* a thread that is waited for, and the function on its stack; or 0 */
	pid_t blocking_tid;
	const char *blocking_function;
};

struct upatch_options {
	/* sizeof(struct upatch_options); set by UPATCH_OPTIONS_INIT */
	size_t size;
	/* for the whole operation; 0: only one try */
	unsigned int timeout_ms;
	enum upatch_on_timeout on_timeout;
	/* do every check, change nothing */
	bool dry_run;
	/*
	 * optional; called in the thread that does the work.  Where more than
	 * eight threads per processor want to run, that thread and the calling
	 * one have real-time priority meanwhile, if it is permitted: be short.
	 * So with `trace`.
	 */
	void (*progress)(const struct upatch_progress *progress, void *user);
	/* optional; one line of debugging text per call */
	void (*trace)(const char *line, void *user);
	/*
	 * optional; polled, wherever something is waited for, also by
	 * threads of the library: true asks to stop, as if the time were
	 * over, but UPATCH_ON_TIMEOUT_FORCE is taken as
	 * UPATCH_ON_TIMEOUT_REVERSE
	 */
	bool (*interrupted)(void *user);
	void *user;
	/*
	 * upatch_apply refuses a patch file (UPATCH_ERROR_UNTRUSTED) that
	 * somebody other than root and the target's owner can change, or whose
	 * folders they can.  true: it does not look.
	 */
	bool allow_writable;
	/*
	 * Refuse a patch file without a valid Ed25519 signature.  Where the
	 * file /etc/upatch/require-signature exists, each needs one anyway.
	 */
	bool require_signature;
	/* the signature, 64 bytes; NULL: the patch's path and ".sig" */
	const char *signature;
	/*
	 * a file of public keys (PEM), or a folder of such files (*.pem);
	 * NULL: /etc/upatch/keys.  Either asks for a signature, too.
	 */
	const char *keys;
};
#define UPATCH_OPTIONS_INIT                                                    \
	{                                                                      \
		sizeof(struct upatch_options), 30000,                          \
			UPATCH_ON_TIMEOUT_REVERSE, false, NULL, NULL, NULL,    \
			NULL, false, false, NULL, NULL                         \
	}

/* What an operation did to the target; all times in nanoseconds. */
struct upatch_result {
	unsigned int thread_count;
	unsigned int func_count;
	/*
	 * the stop of all threads, from first interrupt to last resume; of two,
	 * which a patch with `replace` can take, the last
	 */
	uint64_t barrier_ns;
	/* the thread that was borrowed to enter the target; 0: none was */
	uint64_t host_ns;
	uint64_t total_ns;
	/*
	 * the patch, after upatch_apply an older copy of it, could not be
	 * unloaded; why is in the log
	 */
	bool parked;
	/* the patch that was applied, reverted or driven on; "": none was */
	char patch[64];
	/* the key file that has verified the patch; "": none was asked for */
	char signer[64];
};

/*
 * Each runs in a thread of its own inside the library and returns when it has
 * ended.  `options` may be NULL (UPATCH_OPTIONS_INIT), so may `ret_result`.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_apply(struct upatch_target *target, const struct upatch_patch_file *file,
	     const struct upatch_options *options,
	     struct upatch_result *ret_result, struct upatch_error *err);
UPATCH_API UPATCH_MUST_CHECK int
upatch_revert(struct upatch_target *target, const char *patch_name,
	      const struct upatch_options *options,
	      struct upatch_result *ret_result, struct upatch_error *err);
/* Drives a running transition to its end; none running: done at once. */
UPATCH_API UPATCH_MUST_CHECK int
upatch_wait(struct upatch_target *target, const struct upatch_options *options,
	    struct upatch_result *ret_result, struct upatch_error *err);
/* Turns the running transition around and drives it to its end. */
UPATCH_API UPATCH_MUST_CHECK int
upatch_reverse(struct upatch_target *target,
	       const struct upatch_options *options,
	       struct upatch_result *ret_result, struct upatch_error *err);
/* Ends the running transition without waiting for the blocking threads. */
UPATCH_API UPATCH_MUST_CHECK int
upatch_force(struct upatch_target *target, const struct upatch_options *options,
	     struct upatch_result *ret_result, struct upatch_error *err);

/*
 * Whether upatch_apply would take the file as far as trust is concerned: see
 * `allow_writable` and `require_signature`.  `target` may be NULL: then only
 * root may be able to change it.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_patch_file_trust(const struct upatch_patch_file *file,
			const struct upatch_target *target,
			const struct upatch_options *options,
			struct upatch_error *err);

/* --- Check ------------------------------------------------------------ */

struct upatch_check_func {
	const char *object; /* NULL: the main executable */
	const char *name;
	unsigned long sympos; /* the occurrence that was found, from 1 */
	uint64_t addr, size;
	/* the call goes through a frame that keeps registers, and why */
	bool shielded;
	const char *shield_reason; /* or NULL */
	/* other names of the same address, NULL-terminated; or NULL */
	const char *const *aliases;
};
struct upatch_check {
	/* every problem found, one line each; none: it would apply */
	const char *const *problems;
	const enum upatch_error_code *problem_codes;
	size_t problem_count;
	/* what is worth knowing but refuses nothing: objects not loaded … */
	const char *const *notes;
	size_t note_count;
	const struct upatch_check_func *funcs;
	size_t func_count;
};
/*
 * Would `file` apply to `target` (or, where target is NULL, to the executable
 * or library file at `elf_path`; where both are NULL: is it a sound patch)?
 * Reads only.  Returns 0 also when there are problems.  *ret_check is released
 * with upatch_check_free.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_check(const struct upatch_patch_file *file, struct upatch_target *target,
	     const char *elf_path, struct upatch_check **ret_check,
	     struct upatch_error *err);
UPATCH_API void upatch_check_free(struct upatch_check *check);

/* --- Status ----------------------------------------------------------- */

enum upatch_patch_state {
	UPATCH_PATCH_PATCHING,
	UPATCH_PATCH_ENABLED,
	UPATCH_PATCH_UNPATCHING
};
enum upatch_direction {
	UPATCH_PATCHING,
	UPATCH_UNPATCHING
};

struct upatch_status_func {
	const char *name;
	unsigned long sympos;
	bool patched, transition, shielded;
	uint64_t old_addr, old_size, new_addr, new_size;
};
struct upatch_status_object {
	const char *name; /* NULL: the main executable */
	bool loaded, patched;
	const struct upatch_status_func *funcs;
	size_t func_count;
};
struct upatch_status_patch {
	const char *name;
	const char *file;
	enum upatch_patch_state state;
	unsigned int stack_order; /* from 1 */
	bool replace, forced;
	const struct upatch_status_object *objects;
	size_t object_count;
};
struct upatch_status_blocking {
	pid_t tid;
	const char *comm;
	/* "on-stack", "in-gate", "no-unwind", "foreign-stack", "unreadable-stack" */
	const char *reason;
	const char *function;	      /* or NULL */
	const char *const *backtrace; /* NULL-terminated */
};
struct upatch_status_transition {
	const char *patch;
	enum upatch_direction direction;
	unsigned int thread_count, moved_count;
	const struct upatch_status_blocking *blocking;
	size_t blocking_count;
};
/* A callback that is running, or has not returned. */
struct upatch_status_callback {
	const char *patch;
	const char *object; /* NULL: the main executable */
	const char *phase;  /* as in struct upatch_log_entry */
	const char *callback;
	pid_t tid;
};
struct upatch_status {
	pid_t pid;
	const char *exe;
	const struct upatch_status_patch *patches; /* in stack order */
	size_t patch_count;
	const struct upatch_status_transition *transition; /* or NULL */
	const struct upatch_status_callback *callbacks;
	size_t callback_count;
};
/*
 * With a transition running, each thread is stopped for a moment, a few at a
 * time, to see who blocks it.  Otherwise reads only.
 * *ret_status is released with upatch_status_free.
 */
UPATCH_API UPATCH_MUST_CHECK int
upatch_status(struct upatch_target *target, struct upatch_status **ret_status,
	      struct upatch_error *err);
UPATCH_API void upatch_status_free(struct upatch_status *status);

/* --- Log -------------------------------------------------------------- */

enum upatch_event {
	UPATCH_EVENT_ENABLE,
	UPATCH_EVENT_INIT,
	UPATCH_EVENT_CALLBACK,
	UPATCH_EVENT_CALLBACK_FAILED,
	UPATCH_EVENT_ENABLE_FAILED,
	UPATCH_EVENT_CANCEL,
	UPATCH_EVENT_START,
	UPATCH_EVENT_REVERSE,
	UPATCH_EVENT_FORCE,
	UPATCH_EVENT_COMPLETE,
	UPATCH_EVENT_DONE,
	UPATCH_EVENT_OBJECT_COMING,
	UPATCH_EVENT_OBJECT_GOING,
	UPATCH_EVENT_OBJECT_REFUSED,
	UPATCH_EVENT_UNLOAD,
	UPATCH_EVENT_PARKED,
	UPATCH_EVENT_WARNING,
};
/* The names used in the log: "enable", "init", … */
UPATCH_API const char *upatch_event_name(enum upatch_event event);

struct upatch_log_entry {
	uint64_t seq;
	/* CLOCK_REALTIME, nanoseconds since the epoch */
	uint64_t time_ns;
	enum upatch_event event;
	const char *patch; /* NULL: concerns none, or not known which */
	/* which of the following apply */
	bool has_direction, has_object, has_callback, has_ret;
	enum upatch_direction direction;
	const char *object;   /* NULL: the main executable */
	const char *phase;    /* "live", "coming", "going" */
	const char *callback; /* "pre_patch" … */
	int ret;
	const char *detail; /* why: of parked, warning …; or NULL */
};
struct upatch_log {
	const struct upatch_log_entry *entries; /* oldest first */
	size_t entry_count;
	/* events that were dropped because the log was full */
	uint64_t lost_count;
};
UPATCH_API UPATCH_MUST_CHECK int upatch_log(struct upatch_target *target,
					    struct upatch_log **ret_log,
					    struct upatch_error *err);
UPATCH_API void upatch_log_free(struct upatch_log *log);

#ifdef __cplusplus
}
#endif

#endif
