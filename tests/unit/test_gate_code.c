/* SPDX-License-Identifier: MIT */
/* Gates become direct and led by their slots again while threads are in them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "runtime/gate_code.h"
#include "runtime/runtime.h"

TestSuite(gate_code, .timeout = 60);

#define PAGE_LEN   4096UL
#define CODE_PAGES 3UL
#define GATES	   (CODE_PAGES * PAGE_LEN / 128)
#define THREADS	   3
#define CHANGES	   5000
#define FAR_ENTRY  0x1000UL /* nothing: more than 2 GiB from any area */
#define RETURN_LEN 16UL

struct rt_state upatch_runtime_state;
__thread struct rt_thread state_thread;

static struct rt_state *const state = &upatch_runtime_state;

static struct rt_area area;
static struct rt_site_table tables[GATES / RT_TABLE_SITES];
static struct rt_func funcs[GATES], orig_func;

/* Of code_area.c, nothing but the writing is used. */
struct rt_object *patch_objects(const struct rt_patch *patch)
{
	return rt_ptr(patch->objects);
}

struct rt_func *patch_funcs(const struct rt_object *object)
{
	return rt_ptr(object->funcs);
}

int area_map(rt_addr_t addr, uint64_t code_len, uint64_t data_len,
	     bool is_of_runtime, struct rt_area **ret_area)
{
	(void)addr;
	(void)code_len;
	(void)data_len;
	(void)is_of_runtime;
	(void)ret_area;
	return -ENOMEM;
}

/* Functions that return a number: mov $n, %eax; ret. */
static uint64_t function_at(uint64_t addr, uint8_t number)
{
	const uint8_t code[] = { 0xb8, number, 0, 0, 0, 0xc3 };

	memcpy(rt_ptr(addr), code, sizeof(code));
	return addr;
}

static struct rt_site *site_of(size_t index)
{
	return &tables[index / RT_TABLE_SITES].sites[index % RT_TABLE_SITES];
}

static struct rt_gate_words *words_of(size_t index)
{
	return rt_ptr(rt_site_words(site_of(index)));
}

static void emit_gate(uint64_t code, uint64_t words)
{
	const struct arch_gate gate = {
		.code = code,
		.slot = words + offsetof(struct rt_gate_words, slot),
		.source = words + offsetof(struct rt_gate_words, source),
		.destination =
			words + offsetof(struct rt_gate_words, destination),
		.transition = area.data,
		.self_move =
			area.data + offsetof(struct rt_area_head, self_move),
	};
	int ret = arch_emit_gate(&gate, rt_ptr(code), NULL);

	cr_assert(eq(int, ret, 0));
}

/*
 *	code   GATES gates, 128 bytes each
 *	data   the area's head, then the words of each gate
 *	       two functions
 */
static void set_up(void)
{
	const size_t code_len = CODE_PAGES * PAGE_LEN, data_len = 2 * PAGE_LEN;
	char *memory = mmap(NULL, code_len + data_len + PAGE_LEN,
			    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	cr_assert(ne(ptr, memory, MAP_FAILED));
	memset(state, 0, sizeof(*state));
	area = (struct rt_area){
		.code = rt_addr(memory),
		.code_len = code_len,
		.data = rt_addr(memory) + code_len,
		.data_len = data_len,
	};
	state->areas = rt_addr(&area);
	state->may_be_direct = 1;
	for (size_t i = 0; i < GATES / RT_TABLE_SITES; i++) {
		tables[i].next = state->sites;
		state->sites = rt_addr(&tables[i]);
	}
	for (size_t i = 0; i < GATES; i++) {
		struct rt_site *site = site_of(i);

		funcs[i] = (struct rt_func){
			.entry = function_at(area.data + data_len, 1),
		};
		*site = (struct rt_site){
			.addr = area.code + i * 128,
			.words = (int32_t)(area.data + RT_AREA_HEAD +
					   i * sizeof(struct rt_gate_words) -
					   (area.code + i * 128)),
			.top = rt_addr(&funcs[i]),
		};
		emit_gate(rt_site_code(site), rt_site_words(site));
		words_of(i)->slot = funcs[i].entry;
	}
	(void)function_at(area.data + data_len + RETURN_LEN, 2);
	cr_assert(zero(int, mprotect(memory, code_len, PROT_READ | PROT_EXEC)));
	cr_assert(zero(int, mprotect(memory + code_len + data_len, PAGE_LEN,
				     PROT_READ | PROT_EXEC)));
}

static bool is_direct(size_t index)
{
	return arch_gate_is_direct(rt_ptr(rt_site_code(site_of(index))));
}

static int call_gate(size_t index)
{
	/* ISO C has no cast from a data pointer to a function's. */
	int (*gate)(void);
	void *code = rt_ptr(rt_site_code(site_of(index)));

	memcpy(&gate, &code, sizeof(gate));
	return gate();
}

static size_t count_direct(void)
{
	size_t count = 0;

	for (size_t i = 0; i < GATES; i++)
		count += is_direct(i);
	return count;
}

static void expect_all_return(int number)
{
	for (size_t i = 0; i < GATES; i++)
		cr_expect(eq(int, call_gate(i), number), "gate %zu", i);
}

Test(gate_code, settled_gates_become_direct_and_are_led_again)
{
	set_up();
	expect_all_return(1);
	gate_code_direct();
	cr_expect(eq(sz, count_direct(), GATES));
	cr_expect(eq(u32, state->has_direct_gates, 1));
	expect_all_return(1);
	cr_expect(zero(int, gate_code_lead()));
	cr_expect(zero(sz, count_direct()));
	cr_expect(zero(u32, state->has_direct_gates));
	for (size_t i = 0; i < GATES; i++)
		words_of(i)->slot += RETURN_LEN;
	expect_all_return(2);
}

/* Those behind orig_func pointers, too, wherever they stand. */
Test(gate_code, the_gate_of_an_original_is_one_of_them)
{
	set_up();
	orig_func = (struct rt_func){
		.code = rt_site_code(site_of(5)),
		.orig_words = rt_site_words(site_of(5)),
	};
	site_of(5)->top = 0;
	site_of(7)->top = rt_addr(&orig_func);
	gate_code_direct();
	cr_expect(eq(sz, count_direct(), GATES));
	cr_expect(zero(int, gate_code_lead()));
	cr_expect(zero(sz, count_direct()));
}

Test(gate_code, others_stay_led_by_their_slots)
{
	set_up();
	words_of(0)->slot = arch_gate_decide(rt_site_code(site_of(0)));
	words_of(1)->slot = FAR_ENTRY;
	site_of(2)->hook = RT_HOOK_DEBUG_STATE;
	site_of(3)->top = 0;
	gate_code_direct();
	for (size_t i = 0; i < 4; i++)
		cr_expect(not(is_direct(i)), "gate %zu", i);
	cr_expect(eq(sz, count_direct(), GATES - 4));
}

Test(gate_code, nothing_becomes_direct_in_a_transition_or_unasked)
{
	set_up();
	state->transition.patch = 1;
	gate_code_direct();
	cr_expect(zero(sz, count_direct()));
	state->transition.patch = 0;
	state->may_be_direct = 0;
	gate_code_direct();
	cr_expect(zero(sz, count_direct()));
}

/* The page of the area is what it was: no mapping more, the same rights. */
static void read_mapping(uint64_t addr, char *ret_rights, size_t *ret_count)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], rights[8];

	cr_assert(ne(ptr, maps, NULL));
	*ret_count = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		++*ret_count;
		if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 &&
		    start <= addr && addr < end)
			memcpy(ret_rights, rights, sizeof(rights));
	}
	fclose(maps);
}

Test(gate_code, mappings_are_as_before)
{
	char before[8] = "", after[8] = "";
	size_t count_before, count_after;

	set_up();
	read_mapping(area.code + PAGE_LEN, before, &count_before);
	gate_code_direct();
	read_mapping(area.code + PAGE_LEN, after, &count_after);
	cr_expect(eq(str, after, before));
	cr_expect(eq(str, after, "r-xp"));
	cr_expect(zero(int, gate_code_lead()));
	gate_code_direct();
	cr_expect(zero(int, gate_code_lead()));
	read_mapping(area.code + PAGE_LEN, after, &count_after);
	cr_expect(eq(sz, count_after, count_before));
}

/* --- While threads are in them ------------------------------------------- */

static atomic_bool stopping;
static atomic_ulong wrong, calls;

static void *call_all(void *unused)
{
	unsigned long own_calls = 0, own_wrong = 0;

	while (!stopping) {
		for (size_t i = 0; i < GATES; i++) {
			int number = call_gate(i);

			own_wrong += number != 1 && number != 2;
		}
		own_calls += GATES;
	}
	wrong += own_wrong;
	calls += own_calls;
	return unused;
}

Test(gate_code, threads_that_call_notice_nothing)
{
	pthread_t threads[THREADS];

	set_up();
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_all, NULL);
	for (unsigned int i = 0; i < CHANGES; i++) {
		/* Between the two functions, as a transition does. */
		for (size_t j = 0; j < GATES; j++)
			words_of(j)->slot = funcs[j].entry + i % 2 * RETURN_LEN;
		gate_code_direct();
		cr_assert(eq(int, call_gate(i % GATES), 1 + (int)(i % 2)));
		cr_assert(zero(int, gate_code_lead()));
	}
	stopping = true;
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_expect(zero(ulong, wrong));
	cr_expect(gt(ulong, calls, CHANGES));
}
