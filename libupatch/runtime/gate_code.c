/* SPDX-License-Identifier: MIT */
/*
 * Changes instructions that threads may be executing, without a stop: not the
 * bytes in memory but the page is replaced, by a copy that is right as well.
 * mremap(2) takes the old page away, has all processors forget it, and puts
 * the new one there, all under the lock that a page fault waits for.  So no
 * processor ever sees an instruction change, and one that has fetched the old
 * one just before goes where its thread goes anyway: a direct gate leads to
 * what unmoved threads run, and no thread counts as moved that has not been in
 * the kernel, or gone through the new gate, since.
 */
#include "gate_code.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "../arch/arch.h"
#include "code_area.h"
#include "gate.h"

#define PAGE_LEN 4096UL

static struct rt_state *const state = &upatch_runtime_state;

/* What is changed in one area. */
struct rewrite {
	const struct rt_area *area;
	bool to_direct;
	/* from the first to the last gate that is changed */
	uint64_t start, end;
	/* the pages from there on, to be changed; NULL: only looked for */
	uint8_t *pages;
};

static bool emit_head(const struct rewrite *rewrite, rt_addr_t code,
		      const struct rt_gate_words *words, uint8_t *head)
{
	if (!rewrite->to_direct)
		return arch_emit_gate_led(code, rt_addr(&words->slot), head);
	return words->slot != arch_gate_decide(code) &&
	       arch_emit_gate_direct(code, words->slot, head);
}

/* The gate of a site without a function leads to the original, and stays led. */
static void visit_gate(void *user, const struct rt_site *site,
		       const struct rt_func *func, rt_addr_t code,
		       struct rt_gate_words *words)
{
	struct rewrite *rewrite = user;
	const struct rt_area *area = rewrite->area;
	uint8_t head[ARCH_GATE_HEAD_LEN];

	(void)func;
	if (!site->top || code < area->code ||
	    code >= area->code + area->code_len ||
	    arch_gate_is_direct(rt_ptr(code)) == rewrite->to_direct ||
	    !emit_head(rewrite, code, words, head))
		return;
	if (rewrite->pages) {
		memcpy(rewrite->pages + (code - rewrite->start), head,
		       sizeof(head));
		return;
	}
	if (!rewrite->end || code < rewrite->start)
		rewrite->start = code;
	if (code + sizeof(head) > rewrite->end)
		rewrite->end = code + sizeof(head);
}

static void *map_pages(size_t len, int prot)
{
	return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/*
 * Makes *pages read and execute; they may move.  At first through
 * /proc/self/mem into a fresh mapping, as PR_SET_MDWE forbids to make executable
 * what was writable.  A program that has given up privileges may not open that
 * file: then by mprotect(2).  No page is writable and executable at once.
 */
static int make_executable(uint8_t **pages, size_t len)
{
	uint8_t *copy = map_pages(len, PROT_READ | PROT_EXEC);
	int ret = copy == MAP_FAILED
			  ? -errno
			  : code_area_write(rt_addr(copy), *pages, len);

	if (!ret) {
		munmap(*pages, len);
		*pages = copy;
		return 0;
	}
	if (copy != MAP_FAILED)
		munmap(copy, len);
	return mprotect(*pages, len, PROT_READ | PROT_EXEC) ? -errno : 0;
}

static int replace_pages(uint64_t addr, uint8_t *pages, size_t len)
{
	int ret = make_executable(&pages, len);

	if (!ret && mremap(pages, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			   rt_ptr(addr)) == MAP_FAILED)
		ret = -errno;
	if (ret)
		munmap(pages, len);
	return ret;
}

static int rewrite_area(const struct rt_area *area, bool to_direct)
{
	struct rewrite rewrite = { .area = area, .to_direct = to_direct };
	size_t len;

	gate_for_each(visit_gate, &rewrite);
	if (!rewrite.end)
		return 0;
	/* Before it is so, as a child can be forked at any time. */
	if (to_direct)
		state->has_direct_gates = 1;
	rewrite.start &= ~(PAGE_LEN - 1);
	rewrite.end = (rewrite.end + PAGE_LEN - 1) & ~(PAGE_LEN - 1);
	len = rewrite.end - rewrite.start;
	rewrite.pages = map_pages(len, PROT_READ | PROT_WRITE);
	if (rewrite.pages == MAP_FAILED)
		return -errno;
	memcpy(rewrite.pages, rt_ptr(rewrite.start), len);
	gate_for_each(visit_gate, &rewrite);
	return replace_pages(rewrite.start, rewrite.pages, len);
}

static int rewrite_all(bool to_direct)
{
	const struct rt_area *area;
	int ret = 0;

	rt_for_each(area, state->areas)
	{
		int area_ret = rewrite_area(area, to_direct);

		if (area_ret)
			ret = area_ret;
	}
	return ret;
}

int gate_code_lead(void)
{
	int ret;

	if (!state->has_direct_gates)
		return 0;
	ret = rewrite_all(false);
	if (!ret)
		state->has_direct_gates = 0;
	return ret;
}

void gate_code_direct(void)
{
	if (state->transition.patch || !state->may_be_direct)
		return;
	(void)rewrite_all(true);
}
