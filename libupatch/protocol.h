/* SPDX-License-Identifier: MIT */
/*
 * What both sides share: the layout of the runtime's state in the target,
 * which any later controller reads with process_vm_readv, and the messages
 * between a controller and the agent.  Fixed-size types only.
 *
 * The runtime alone writes the state: its agent, and a thread in dlopen or
 * dlclose under the same lock.  The controller writes code (entries, gates),
 * registers and the moved words of stopped threads, never the state: when it
 * is killed, what the state says is still true.
 */
#ifndef UPATCH_PROTOCOL_H
#define UPATCH_PROTOCOL_H

#include <stdint.h>

#define RT_MAGIC   0x31544548435450ffUL
#define RT_VERSION 7u
#define RT_SONAME  "libupatch-runtime.so"
/* The name of the agent's thread. */
#define RT_AGENT_COMM "upatch-agent"
/* The symbols of the runtime that a controller looks for. */
#define RT_STATE_SYMBOL "upatch_runtime_state"

/*
 * Blocked in a borrowed thread that can wait for a lock: all but the C library's
 * own signal 33, as setuid(2) in any thread waits until all others have taken
 * it.  Its signal 32 ends a thread that is cancelled, which must not happen
 * inside the loader.
 */
#define RT_BLOCKED_SIGNALS (~(UINT64_C(1) << (33 - 1)))

#define RT_PATCH_NAME_SIZE  64
#define RT_OBJECT_NAME_SIZE 128
#define RT_DETAIL_SIZE	    80
#define RT_TEXT_SIZE	    512
/* A jump has so many. */
#define RT_JUMP_BYTES 5
/* Ranges of one version: the function and the parts it was split into. */
#define RT_RANGES 6

/* Addresses and strings are addresses in the target; 0 is none. */
typedef uint64_t rt_addr_t;

struct rt_range {
	uint64_t start, end;
};

/*
 * What each thread has of ours, in the runtime's thread-local storage.  Its
 * first word is compared by the gates.  The rest is written by a controller
 * that found the thread blocked: it lets the thread move itself when it comes
 * through a gate with nothing that is sought on its stack.
 */
struct rt_thread {
	/* the id of the last transition that it has moved for */
	uint32_t moved;
	/* the id of the transition for which it may move itself, or 0 */
	uint32_t may_move;
	/* its stack; what is in use begins at the stack pointer */
	uint64_t stack_start, stack_end;
	/* where a sought word was last seen; 0: nowhere */
	uint64_t seen;
	/* a time-out that is left of a call: call_deadline.c */
	int64_t timeout[2];
};

/* At the beginning of an area's data. */
struct rt_area_head {
	uint32_t transition; /* its id, which the gates compare */
	uint32_t reserved;
	uint64_t self_move; /* code of the runtime, for the gates */
};

/*
 * A piece of the target near the code that it serves.  What is free in it
 * follows from the sites and functions that use it.
 */
struct rt_area {
	rt_addr_t next;
	rt_addr_t code; /* read and execute */
	uint64_t code_len;
	rt_addr_t data; /* read and write */
	uint64_t data_len;
	/*
	 * A controller and a thread in dlopen look for room at the same time,
	 * and each by what it knows: so each has areas of its own.
	 */
	uint32_t is_of_runtime;
	uint32_t unused;
};
#define RT_AREA_HEAD 64

/* The words that steer a gate, in an area's data. */
struct rt_gate_words {
	uint64_t slot;	      /* where the gate jumps */
	uint64_t source;      /* for threads that have not moved */
	uint64_t destination; /* for threads that have moved */
};

enum rt_site_state {
	/*
	 * The entry has its original bytes, or the jump if a controller
	 * was killed after writing: both are right, as the gate leads to the
	 * original.
	 */
	RT_SITE_PREPARED,
	/* The entry has the jump. */
	RT_SITE_INSTALLED,
	/*
	 * No function needs the site: as PREPARED, but kept for the next
	 * patch of the same address.
	 */
	RT_SITE_IDLE,
};

/* Functions of the loader that are sites of ours. */
enum rt_hook {
	RT_HOOK_NONE,
	RT_HOOK_DEBUG_STATE,	 /* _dl_debug_state */
	RT_HOOK_CATCH_EXCEPTION, /* _dl_catch_exception */
};

/*
 * One patched address.  Many of them are kept, for good, so only what does not
 * follow: gate and words are in reach of the function, and the distance tells
 * where.
 */
struct rt_site {
	uint64_t addr;	 /* of the function; 0: this place is free */
	rt_addr_t top;	 /* newest rt_func, or 0 */
	rt_addr_t parts; /* split off the original function: rt_range */
	uint32_t size;	 /* of the function; 0: not known */
	int32_t code;	 /* the gate and, behind it, the relocated original */
	int32_t words;	 /* of the gate */
	uint8_t part_count;
	uint8_t state; /* enum rt_site_state */
	/*
	 * enum rt_hook: the gate leads to the runtime's hook, and the site is
	 * needed although it has no function.
	 */
	uint8_t hook;
	uint8_t code_len;
	uint8_t bytes[RT_JUMP_BYTES]; /* that the jump takes the place of */
	uint8_t jump_offset;
	uint8_t reserved;
	uint8_t moved_end;
};

static inline rt_addr_t rt_site_code(const struct rt_site *site)
{
	return site->addr + (uint64_t)(int64_t)site->code;
}

static inline rt_addr_t rt_site_words(const struct rt_site *site)
{
	return site->addr + (uint64_t)(int64_t)site->words;
}

#define RT_TABLE_SITES 16

/* Tables stay; places in them are used again. */
struct rt_site_table {
	rt_addr_t next;
	struct rt_site sites[RT_TABLE_SITES];
};

/* One site, with all that follows from it: for requests and readers. */
struct rt_site_spec {
	uint64_t addr;
	uint32_t state;
	uint32_t hook;
	uint8_t jump_offset, moved_end, range_count;
	uint8_t bytes[RT_JUMP_BYTES];
	rt_addr_t code;
	uint64_t code_len;
	rt_addr_t original;
	rt_addr_t words;
	/* of the original function, which comes first */
	struct rt_range ranges[RT_RANGES];
	rt_addr_t top;
};

#define RT_FUNC_IMMEDIATE 1u
#define RT_FUNC_SHIELDED  2u
#define RT_FUNC_SCATTERED 4u /* its code can be anywhere in the patch */

/*
 * One replaced function: a version of its site.  A patch can have thousands.
 * What the author wrote is in the author's own array, at the same index.
 */
struct rt_func {
	rt_addr_t site;	 /* 0: the object is not loaded */
	rt_addr_t below; /* the next older version of the site, or 0 */
	rt_addr_t patch;
	/* where a gate leads for this version: new function or its shield */
	rt_addr_t entry;
	/* the gate behind *orig_func, and behind it the shield */
	rt_addr_t code;
	rt_addr_t orig_words; /* 0: the author does not want such a gate */
	rt_addr_t parts;      /* split off the new function: rt_range */
	uint32_t new_size;
	uint16_t code_len;
	uint8_t flags;
	uint8_t part_count;
};

/* The same, with all that follows from it: for requests and readers. */
struct rt_func_spec {
	rt_addr_t site, below, patch; /* not in a request */
	uint64_t sympos;	      /* from 1; not in a request */
	uint32_t flags;
	uint32_t range_count;
	/* Of the site, if the function's object is there; 0: it is awaited. */
	uint64_t old_addr;
	uint64_t new_addr, new_size;
	rt_addr_t entry;
	rt_addr_t code;
	uint64_t code_len;
	rt_addr_t orig_gate, orig_words;
	/*
	 * Of the new function, which comes first, and of its shield.  In a
	 * request without the latter; none: anywhere in the patch.
	 */
	struct rt_range ranges[RT_RANGES];
};

#define RT_OBJECT_LOADED	 1u
#define RT_OBJECT_PRE_PATCH_RAN	 2u  /* or there is none: patched */
#define RT_OBJECT_POST_PATCH_RAN 4u  /* pre_unpatch is owed */
#define RT_OBJECT_MAY_LEAVE	 16u /* in the dlclose that is under way */

struct rt_object {
	rt_addr_t name;	  /* 0: the main executable */
	rt_addr_t author; /* the author's struct upatch_object */
	rt_addr_t funcs;  /* array of rt_func */
	uint32_t func_count;
	uint32_t symbol_count;
	uint32_t flags;
	uint32_t phase; /* enum upatch_object_phase */
	/* the loader's struct link_map, while the library is loaded */
	rt_addr_t link_map;
	uint64_t bias; /* its l_addr, to know it again */
};

enum rt_patch_state {
	RT_PATCH_LOADED, /* nothing has been called yet */
	RT_PATCH_INIT,	 /* pre_patch callbacks have run, not started */
	RT_PATCH_PATCHING,
	RT_PATCH_ENABLED,
	RT_PATCH_UNPATCHING,
	RT_PATCH_LEAVING, /* nobody is sent into it; to be unloaded */
	RT_PATCH_PARKED,  /* must stay mapped */
};
#define RT_PATCH_REPLACE 1u
#define RT_PATCH_FORCED	 2u
/* Its transition never started: no gate has led into it. */
#define RT_PATCH_UNUSED 4u

struct rt_patch {
	rt_addr_t next; /* in the order of enabling */
	char name[RT_PATCH_NAME_SIZE];
	rt_addr_t file;	  /* the path the operator gave */
	uint64_t handle;  /* of dlopen */
	rt_addr_t author; /* the author's struct upatch_patch */
	uint64_t bias;
	struct rt_range text;
	uint32_t state;
	uint32_t flags;
	rt_addr_t objects; /* array of rt_object */
	uint32_t object_count;
	uint32_t reserved;
};

enum rt_direction {
	RT_PATCHING,
	RT_UNPATCHING
};

/*
 * The views of a transition: an unmoved thread runs what was active before
 * (the old view), a moved one what will be (the new view).  Reversing leaves
 * the views alone and makes the old one the aim.
 */
struct rt_transition {
	rt_addr_t patch; /* 0: none runs */
	uint32_t id;	 /* of this or the last one; moved words are compared */
	uint32_t kind;	 /* enum rt_direction, as it was begun */
	uint32_t reversed;
	uint32_t started;
	/* as the controller last reported them */
	uint32_t thread_count, moved_count;
};

/*
 * The log: a ring of units, of which an event takes as many as it needs.  The
 * bytes of its units are a struct rt_event, and behind it the names of patch
 * and object and the detail, each ended by a NUL, all empty ones at the end
 * left out.
 */
struct rt_log_unit {
	uint32_t stamp; /* 0: never written */
	uint8_t bytes[12];
};
/* With what else the runtime writes to, two pages. */
#define RT_LOG_UNITS 448
/*
 * The rest of a stamp is the unit's position, counted since the beginning: so
 * a reader knows what is old, and where an event begins.
 */
#define RT_LOG_WRITTEN 1u
#define RT_LOG_HEAD    2u
#define RT_LOG_BUSY    4u /* it is being written */
#define RT_LOG_SHIFT   3

struct rt_event {
	uint64_t time_ns;
	uint32_t seq; /* from 1 */
	int32_t ret;
	uint8_t event;
	uint8_t has; /* RT_EVENT_HAS_… */
	uint8_t unit_count;
	uint8_t direction : 1, phase : 2, callback : 2;
} __attribute__((packed));
#define RT_EVENT_HAS_DIRECTION 1u
#define RT_EVENT_HAS_OBJECT    2u /* no name: the main executable */
#define RT_EVENT_HAS_CALLBACK  4u
#define RT_EVENT_HAS_RET       8u
#define RT_EVENT_TEXT_SIZE                                                     \
	(RT_PATCH_NAME_SIZE + RT_OBJECT_NAME_SIZE + RT_DETAIL_SIZE)

/* rt_state.log_next: one addition takes a number and a place. */
#define RT_LOG_NEXT(seq, position) ((uint64_t)(seq) << 32 | (position))
#define RT_LOG_SEQ(next)	   ((uint32_t)((next) >> 32))
#define RT_LOG_POSITION(next)	   ((uint32_t)(next))

enum rt_callback {
	RT_PRE_PATCH,
	RT_POST_PATCH,
	RT_PRE_UNPATCH,
	RT_POST_UNPATCH,
};

/*
 * A callback that is running, or will never return.  The agent's, and that of
 * a thread in dlopen or dlclose, of which there is one at a time.
 */
struct rt_call {
	rt_addr_t object;  /* struct rt_object; 0: none runs */
	uint32_t callback; /* enum rt_callback */
	uint32_t tid;	   /* as the process itself numbers it */
};
#define RT_CALL_AGENT  0
#define RT_CALL_LOADER 1
#define RT_CALLS       2

struct rt_state {
	uint64_t magic;
	uint32_t version;
	uint32_t size;
	/* odd while the agent changes what follows */
	uint32_t seq;
	uint32_t agent_tid; /* 0: none */
	/* what upatch_runtime_start returned: an fd, or -errno */
	int32_t start_result;
	/* a forced or immediate step left threads in older versions */
	uint32_t undrained;
	/* of a thread's rt_thread, from its thread pointer */
	int64_t thread_offset;
	/* the rt_thread that new threads start with, in the TLS image */
	rt_addr_t thread_image;
	/* what may not be on the stack of a thread that moves itself */
	rt_addr_t sought;
	uint32_t sought_count, sought_capacity;
	/* odd: the ranges are being changed */
	uint32_t sought_generation;
	/* the agent's end of its socket, while there is an agent */
	int32_t agent_fd;
	rt_addr_t self_move;
	rt_addr_t start; /* upatch_runtime_enter */
	rt_addr_t shield_entry;
	struct rt_range shield_text;
	struct rt_range text;
	rt_addr_t sigreturn; /* __restore_rt, once a controller found it */
	struct rt_range agent_stack; /* of this and of all later agents */
	rt_addr_t patches;
	rt_addr_t sites; /* rt_site_table */
	rt_addr_t areas;
	struct rt_transition transition;
	struct rt_call calls[RT_CALLS];
	uint64_t log_next; /* RT_LOG_NEXT() of the next event */
	/* RT_LOG_UNITS of struct rt_log_unit, apart: the rest is read often */
	rt_addr_t log;
	/* as RT_HELLO said: no filter minds the calls that it takes */
	uint32_t may_be_direct;
	/* some gates may jump to where their slots lead without asking them */
	uint32_t has_direct_gates;
};

/* --- Messages --------------------------------------------------------- */

enum rt_request_type {
	RT_HELLO = 1, /* the controller has its end of the socket */
	RT_LOAD,      /* with the file as SCM_RIGHTS */
	RT_MAP,	      /* a new area */
	RT_SITE,      /* register a site, before its entry is written */
	RT_FUNC,      /* what was found for a function */
	RT_SYMBOL,    /* what was found for a symbol */
	RT_OBJECT,    /* the object is loaded */
	RT_HOOKS,     /* libraries that come and go are watched */
	RT_ENABLE,    /* init, pre_patch */
	RT_DISABLE,   /* init, pre_unpatch */
	RT_INSTALLED, /* every prepared site that is needed has its jump */
	RT_CANCEL,    /* undo RT_ENABLE before RT_START */
	RT_START,
	RT_SOUGHT,   /* ranges for threads that move themselves */
	RT_PROGRESS, /* how many threads have moved */
	RT_REVERSE,
	RT_FORCE,
	RT_SETTLE,  /* all have moved */
	RT_FINISH,  /* the callbacks that follow RT_SETTLE */
	RT_REMOVED, /* every site that nobody needs has its bytes back */
	RT_UNLOAD,
	RT_PARK,
};

/* So many in one request; more take more than one. */
#define RT_SOUGHT_MAX 200

struct rt_request {
	uint32_t type;
	uint32_t object; /* index in the patch */
	uint32_t index;	 /* of the function or symbol in the object */
	uint32_t unused;
	rt_addr_t patch;
	union {
		struct {
			uint32_t protocol;
			uint32_t may_be_direct;
			/*
			 * the agent's priority may get raised, and no filter
			 * minds that it lowers it at its end
			 */
			uint32_t may_be_hurried;
			uint32_t unused;
			rt_addr_t sigreturn;
			/* what loading the runtime has left mapped */
			rt_addr_t leftover;
			uint64_t leftover_len;
		} hello;
		struct {
			uint32_t seq; /* makes the path unique */
			char path[4096];
		} load;
		struct {
			rt_addr_t addr;
			uint64_t code_len, data_len;
		} map;
		struct rt_site_spec site;
		struct rt_func_spec func;
		struct {
			rt_addr_t link_map; /* 0: the main executable */
			uint64_t bias;
		} object_is;
		struct {
			rt_addr_t r_debug;
			rt_addr_t signal_error;
		} hooks;
		struct {
			uint64_t addr;
		} symbol;
		struct {
			uint32_t thread_count, moved_count;
		} progress;
		struct {
			uint32_t count;
			uint8_t first, last;
			uint8_t unused[2];
			struct rt_range ranges[RT_SOUGHT_MAX];
		} sought;
		struct {
			char reason[RT_DETAIL_SIZE];
		} park;
	};
};

struct rt_reply {
	/* 0 or -errno */
	int32_t result;
	/* RT_ENABLE: the object whose pre_patch refused, or UINT32_MAX */
	uint32_t object;
	/* RT_LOAD: the rt_patch; RT_MAP: the rt_area; RT_HELLO: the rt_state */
	rt_addr_t value;
	/* what failed, where `result` does not say it all */
	char text[RT_TEXT_SIZE];
};

#endif
