/* SPDX-License-Identifier: MIT */
/* Walks stacks with libunwind, which sees the target through accessors. */
#include "unwind.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "arch/frame.h"

#define PAGE_LEN    4096UL
#define PAGE_COUNT  256 /* a power of two */
#define UNUSED_PAGE 1	/* no address of a page */
/*
 * Far more than the largest table needs for one step.  A DWARF expression can
 * jump backwards, and nothing but this ends a loop in one.
 */
#define STEP_READS_MAX 1000000

#define HDR_LEN_MAX 20

/* Encodings of .eh_frame_hdr (LSB, "Exception Frames"). */
#define HDR_VERSION	     1
#define DW_EH_PE_UDATA4	     0x03
#define DW_EH_PE_DATAREL_S4  0x3b
#define DW_EH_PE_FORMAT_MASK 0x07
#define DW_EH_PE_DATA4	     0x03
#define DW_EH_PE_DATA8	     0x04

/* Exported by libunwind for debuggers and tracers, declared nowhere. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip,
				       unw_dyn_info_t *table,
				       unw_proc_info_t *ret_proc,
				       int need_unwind_info, void *user);
#define SEARCH_UNWIND_TABLE UNW_OBJ(dwarf_search_unwind_table)

struct table {
	struct unwind_module module;
	bool is_read;
	/* the sorted entries; 0: there is no table that can be searched */
	upatch_addr_t entries;
	uint32_t entry_count;
};

struct unwinder {
	const struct memory *memory;
	unw_addr_space_t space;
	struct table *tables; /* ascending */
	size_t table_count;
	/*
	 * of the modules: read-only tables and code.  Apart from each other,
	 * or to forget them would touch a megabyte.
	 */
	upatch_addr_t page_addrs[PAGE_COUNT];
	unsigned char pages[PAGE_COUNT][PAGE_LEN];
	struct unwind_frame frames[UNWIND_FRAMES_MAX];
	/* the walk that is under way */
	const struct arch_regs *regs;
	const struct stack_copy *stack;
	bool is_stopped;
	/* found for the current step; 0: nothing */
	upatch_addr_t code_start;
	/* that the current step may still make */
	unsigned long reads_left;
};

/* --- Reading the target ------------------------------------------------ */

static struct table *find_table(struct unwinder *unwinder, upatch_addr_t addr)
{
	size_t low = 0, high = unwinder->table_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct table *table = &unwinder->tables[middle];

		if (addr < table->module.start)
			high = middle;
		else if (addr >= table->module.end)
			low = middle + 1;
		else
			return table;
	}
	return NULL;
}

static const unsigned char *read_page(struct unwinder *unwinder,
				      upatch_addr_t addr)
{
	size_t slot = addr / PAGE_LEN & (PAGE_COUNT - 1);
	unsigned char *page = unwinder->pages[slot];
	upatch_addr_t start = addr & ~(PAGE_LEN - 1);

	if (unwinder->page_addrs[slot] == start)
		return page;
	unwinder->page_addrs[slot] = UNUSED_PAGE;
	if (memory_read_some(unwinder->memory, start, page, PAGE_LEN) <
	    PAGE_LEN)
		return NULL;
	unwinder->page_addrs[slot] = start;
	return page;
}

/* Code and tables of a module. */
static bool read_module(struct unwinder *unwinder, upatch_addr_t addr,
			void *buf, size_t len)
{
	unsigned char *bytes = buf;

	while (len > 0) {
		size_t offset = addr & (PAGE_LEN - 1);
		size_t part = PAGE_LEN - offset < len ? PAGE_LEN - offset : len;
		const unsigned char *page = read_page(unwinder, addr);

		if (!page)
			return false;
		memcpy(bytes, page + offset, part);
		bytes += part;
		addr += part;
		len -= part;
	}
	return true;
}

/*
 * A stack outside the copy is read only while its thread is stopped, and never
 * from the pages that are remembered.
 */
static bool read_word(struct unwinder *unwinder, upatch_addr_t addr,
		      uint64_t *ret_word)
{
	if (stack_copy_word(unwinder->stack, addr - unwinder->stack->base,
			    ret_word))
		return true;
	if (find_table(unwinder, addr))
		return read_module(unwinder, addr, ret_word, sizeof(*ret_word));
	return unwinder->is_stopped &&
	       memory_read_some(unwinder->memory, addr, ret_word,
				sizeof(*ret_word)) == sizeof(*ret_word);
}

/* --- Search tables ----------------------------------------------------- */

/*
 * .eh_frame_hdr: version, three encodings, pointer to .eh_frame, number of
 * entries, entries.  Linkers write one form of table only; any other is left
 * alone, which makes the walk incomplete.
 */
static void read_header(struct unwinder *unwinder, struct table *table)
{
	const struct unwind_module *module = &table->module;
	unsigned char header[HDR_LEN_MAX];
	size_t frame_len, entries_at;
	uint32_t entry_count;

	table->is_read = true;
	if (module->eh_frame_hdr == 0 ||
	    module->eh_frame_hdr_len < sizeof(header) ||
	    !read_module(unwinder, module->eh_frame_hdr, header,
			 sizeof(header)))
		return;
	if (header[0] != HDR_VERSION || header[2] != DW_EH_PE_UDATA4 ||
	    header[3] != DW_EH_PE_DATAREL_S4)
		return;
	if ((header[1] & DW_EH_PE_FORMAT_MASK) == DW_EH_PE_DATA4)
		frame_len = 4;
	else if ((header[1] & DW_EH_PE_FORMAT_MASK) == DW_EH_PE_DATA8)
		frame_len = 8;
	else
		return;
	entries_at = 4 + frame_len + sizeof(entry_count);
	memcpy(&entry_count, header + 4 + frame_len, sizeof(entry_count));
	if (entry_count == 0 ||
	    entry_count >
		    (module->eh_frame_hdr_len - entries_at) / sizeof(uint64_t))
		return;
	table->entries = module->eh_frame_hdr + entries_at;
	table->entry_count = entry_count;
}

static int search(struct unwinder *unwinder, upatch_addr_t addr,
		  unw_proc_info_t *ret_proc, int need_unwind_info)
{
	struct table *table = find_table(unwinder, addr);
	unw_dyn_info_t dyn = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };

	if (!table)
		return -UNW_ENOINFO;
	if (!table->is_read)
		read_header(unwinder, table);
	if (table->entries == 0)
		return -UNW_ENOINFO;
	dyn.start_ip = table->module.start;
	dyn.end_ip = table->module.end;
	dyn.u.rti.segbase = table->module.eh_frame_hdr;
	dyn.u.rti.table_data = table->entries;
	/* in words; an entry is one: two 32-bit offsets */
	dyn.u.rti.table_len = table->entry_count;
	return SEARCH_UNWIND_TABLE(unwinder->space, addr, &dyn, ret_proc,
				   need_unwind_info, unwinder);
}

/* --- Accessors --------------------------------------------------------- */

/*
 * Never -UNW_ENOINFO to the caller: libunwind takes that for the permission to
 * guess along frame pointers (src/x86_64/Gstep.c).
 */
static int find_proc_info(unw_addr_space_t space, unw_word_t ip,
			  unw_proc_info_t *ret_proc, int need_unwind_info,
			  void *user)
{
	struct unwinder *unwinder = user;

	(void)space;
	if (search(unwinder, ip, ret_proc, need_unwind_info) < 0)
		return -UNW_ESTOPUNWIND;
	unwinder->code_start = ret_proc->start_ip;
	return 0;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *proc,
			    void *user)
{
	(void)space;
	(void)proc;
	(void)user;
}

/* Code that registers itself with libunwind (_U_dyn_register): none. */
static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *ret_addr,
				  void *user)
{
	(void)space;
	(void)user;
	*ret_addr = 0;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *word,
		      int write, void *user)
{
	struct unwinder *unwinder = user;

	(void)space;
	if (write || unwinder->reads_left == 0 ||
	    !read_word(unwinder, addr, word))
		return -UNW_EINVAL;
	unwinder->reads_left--;
	return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number,
		      unw_word_t *value, int write, void *user)
{
	const struct unwinder *unwinder = user;

	(void)space;
	/* libunwind's numbers are DWARF's on this processor */
	if (write || number < 0 ||
	    !arch_regs_dwarf(unwinder->regs, (unsigned int)number, value))
		return -UNW_EBADREG;
	return 0;
}

/* --- Life cycle -------------------------------------------------------- */

static void forget_pages(struct unwinder *unwinder)
{
	size_t i;

	for (i = 0; i < PAGE_COUNT; i++)
		unwinder->page_addrs[i] = UNUSED_PAGE;
}

int unwind_open(const struct memory *memory, struct unwinder **ret_unwinder,
		struct upatch_error *err)
{
	unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list_addr,
		.access_mem = access_mem,
		.access_reg = access_reg,
		/* the others serve what is not asked for here */
	};
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot prepare stack walks: out of memory");
	unwinder->memory = memory;
	forget_pages(unwinder);
	unwinder->space = unw_create_addr_space(&accessors, 0);
	if (!unwinder->space) {
		free(unwinder);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot prepare stack walks: out of memory");
	}
	/*
	 * libunwind's cache does not tell a return address from an interrupted
	 * pc of the same value (rs_lookup in src/dwarf/Gparser.c), and the two
	 * can belong to different functions.
	 */
	unw_set_caching_policy(unwinder->space, UNW_CACHE_NONE);
	*ret_unwinder = unwinder;
	return 0;
}

void unwind_close(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	unw_destroy_addr_space(unwinder->space);
	free(unwinder->tables);
	free(unwinder);
}

static int compare_tables(const void *left, const void *right)
{
	const struct table *a = left, *b = right;

	return (a->module.start > b->module.start) -
	       (a->module.start < b->module.start);
}

int unwind_set_modules(struct unwinder *unwinder,
		       const struct unwind_module *modules, size_t count,
		       struct upatch_error *err)
{
	size_t i;

	forget_pages(unwinder);
	free(unwinder->tables);
	unwinder->table_count = 0;
	unwinder->tables = calloc(count ? count : 1, sizeof(struct table));
	if (!unwinder->tables)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot keep %zu unwind tables: out of memory",
				 count);
	for (i = 0; i < count; i++)
		unwinder->tables[i].module = modules[i];
	qsort(unwinder->tables, count, sizeof(struct table), compare_tables);
	unwinder->table_count = count;
	return 0;
}

/* --- The walk ---------------------------------------------------------- */

/* Compilers return to what stands behind a call, nowhere else. */
static bool is_return_address(struct unwinder *unwinder, upatch_addr_t pc)
{
	uint8_t before[ARCH_CALL_MAX];

	return find_table(unwinder, pc - ARCH_CALL_MAX) &&
	       read_module(unwinder, pc - ARCH_CALL_MAX, before,
			   sizeof(before)) &&
	       arch_is_after_call(before);
}

static bool is_context_start(struct unwinder *unwinder, upatch_addr_t pc)
{
	uint8_t code[ARCH_CONTEXT_START_LEN];
	unw_proc_info_t proc;

	return search(unwinder, pc, &proc, 0) == 0 && proc.start_ip == pc &&
	       read_module(unwinder, pc, code, sizeof(code)) &&
	       arch_is_context_start(code);
}

/*
 * Steps out of the frame.  Returns 1 if the cursor is at its caller, else 0
 * and why the walk ends.
 */
static int step(struct unwinder *unwinder, unw_cursor_t *cursor,
		struct unwind_frame *frame, enum unwind_end *ret_end)
{
	unw_save_loc_t frame_pointer;
	int ret;

	unwinder->code_start = 0;
	unwinder->reads_left = STEP_READS_MAX;
	ret = unw_step(cursor);
	frame->code_start = unwinder->code_start;
	if (frame->code_start == 0) {
		*ret_end = !frame->pc_is_exact &&
					   is_context_start(unwinder, frame->pc)
				   ? UNWIND_CONTEXT
				   : UNWIND_NO_TABLE;
		return 0;
	}
	/* unw_step has noted this of the frame that it left */
	frame->is_signal_frame = unw_is_signal_frame(cursor) > 0;
	*ret_end = UNWIND_BAD_FRAME;
	if (ret < 0)
		return 0;
	/* The kernel, not a call, makes a handler return to its trampoline. */
	if (!frame->pc_is_exact && !frame->is_signal_frame &&
	    !is_return_address(unwinder, frame->pc))
		return 0;
	if (ret > 0)
		return 1;
	/*
	 * The end, as the return address is marked undefined; or, which
	 * libunwind reports in the same way, the frame pointer is.
	 */
	if (unw_get_save_loc(cursor, ARCH_DWARF_FRAME_POINTER,
			     &frame_pointer) == 0 &&
	    frame_pointer.type != UNW_SLT_NONE)
		*ret_end = UNWIND_OUTERMOST;
	return 0;
}

/*
 * A stack can lie in a module's data, whose pages must not be remembered from
 * an earlier walk.
 */
static bool enter_stack(struct unwinder *unwinder, upatch_addr_t sp)
{
	if (find_table(unwinder, sp))
		forget_pages(unwinder);
	return unwinder->is_stopped ||
	       sp - unwinder->stack->base < unwinder->stack->len;
}

static enum unwind_end walk_frames(struct unwinder *unwinder,
				   unw_cursor_t *cursor, size_t *count)
{
	struct unwind_frame *frame = unwinder->frames;
	enum unwind_end end;
	unw_word_t pc, sp;

	if (!enter_stack(unwinder, frame->sp))
		return UNWIND_BAD_FRAME;
	while (step(unwinder, cursor, frame, &end)) {
		if (unw_get_reg(cursor, UNW_REG_IP, &pc) < 0 ||
		    unw_get_reg(cursor, UNW_REG_SP, &sp) < 0)
			return UNWIND_BAD_FRAME;
		/* Only a signal can have switched to another stack. */
		if (frame->is_signal_frame ? !enter_stack(unwinder, sp)
					   : sp <= frame->sp)
			return UNWIND_BAD_FRAME;
		if (*count == UNWIND_FRAMES_MAX)
			return UNWIND_TOO_DEEP;
		frame[1] = (struct unwind_frame){
			.pc = pc,
			.sp = sp,
			.pc_is_exact = frame->is_signal_frame,
		};
		frame++;
		(*count)++;
	}
	return end;
}

void unwind_walk(struct unwinder *unwinder, const struct arch_regs *regs,
		 const struct stack_copy *stack, bool is_stopped,
		 struct unwind_walk *ret_walk)
{
	unw_cursor_t cursor;
	size_t count = 1;

	unwinder->regs = regs;
	unwinder->stack = stack;
	unwinder->is_stopped = is_stopped;
	unwinder->frames[0] = (struct unwind_frame){
		.pc = arch_regs_pc(regs),
		.sp = arch_regs_sp(regs),
		.pc_is_exact = true,
	};
	ret_walk->frames = unwinder->frames;
	ret_walk->end = UNWIND_BAD_FRAME;
	if (unw_init_remote(&cursor, unwinder->space, unwinder) == 0)
		ret_walk->end = walk_frames(unwinder, &cursor, &count);
	ret_walk->count = count;
}
