/* SPDX-License-Identifier: MIT */
/* Pieces of code, read and written with one call for all of a page. */
#include "code_runs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define PAGE_LEN 4096UL
/* of process_vm_readv(2) */
#define CALL_MAX IOV_MAX

static bool is_same_page(upatch_addr_t first, upatch_addr_t second)
{
	return first / PAGE_LEN == second / PAGE_LEN;
}

/* Pieces may reach into the next page, and that one's first into them. */
static size_t lay_out(struct code_run *runs, const upatch_addr_t *addrs,
		      size_t count, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		struct code_run *last = used ? &runs[used - 1] : NULL;

		if (last && (is_same_page(last->addr, addrs[i]) ||
			     addrs[i] < last->addr + last->len)) {
			last->len = addrs[i] + len - last->addr;
			continue;
		}
		runs[used++] =
			(struct code_run){ .addr = addrs[i], .len = len };
	}
	return used;
}

int code_runs_init(struct code_runs *runs, const upatch_addr_t *addrs,
		   size_t count, size_t len, struct upatch_error *err)
{
	size_t total = 0;
	uint8_t *bytes;

	*runs = (struct code_runs){ 0 };
	runs->runs = calloc(count + 1, sizeof(*runs->runs));
	if (runs->runs)
		runs->count = lay_out(runs->runs, addrs, count, len);
	for (size_t i = 0; i < runs->count; i++)
		total += runs->runs[i].len;
	runs->bytes = calloc(2, total + 1);
	if (!runs->runs || !runs->bytes) {
		code_runs_free(runs);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	}
	bytes = runs->bytes;
	for (size_t i = 0; i < runs->count; i++) {
		struct code_run *run = &runs->runs[i];

		run->found = bytes;
		run->wanted = bytes + run->len;
		bytes += 2 * run->len;
	}
	return 0;
}

void code_runs_free(struct code_runs *runs)
{
	free(runs->runs);
	free(runs->bytes);
	*runs = (struct code_runs){ 0 };
}

/* False: not all of it could be read in this way. */
static bool read_at_once(struct code_run *runs, size_t count,
			 const struct memory *memory)
{
	struct iovec here[CALL_MAX], there[CALL_MAX];
	ssize_t len = 0;

	for (size_t i = 0; i < count; i++) {
		here[i] = (struct iovec){ runs[i].found, runs[i].len };
		there[i] = (struct iovec){ (void *)runs[i].addr, runs[i].len };
		len += (ssize_t)runs[i].len;
	}
	return memory_readv(memory, here, count, there, count) == len;
}

void code_runs_read(struct code_runs *runs, const struct memory *memory)
{
	for (size_t done = 0, now; done < runs->count; done += now) {
		struct code_run *first = &runs->runs[done];

		now = runs->count - done < CALL_MAX ? runs->count - done
						    : CALL_MAX;
		if (read_at_once(first, now, memory))
			continue;
		/* Code that can only be executed, or is not there. */
		for (size_t i = 0; i < now; i++) {
			memset(first[i].found, 0, first[i].len);
			memory_read_some(memory, first[i].addr, first[i].found,
					 first[i].len);
		}
	}
	for (size_t i = 0; i < runs->count; i++)
		memcpy(runs->runs[i].wanted, runs->runs[i].found,
		       runs->runs[i].len);
}

static struct code_run *run_at(const struct code_runs *runs, upatch_addr_t addr)
{
	size_t low = 0, high = runs->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (runs->runs[middle].addr <= addr)
			low = middle;
		else
			high = middle;
	}
	return &runs->runs[low];
}

const uint8_t *code_runs_found(const struct code_runs *runs, upatch_addr_t addr)
{
	const struct code_run *run = run_at(runs, addr);

	return run->found + (addr - run->addr);
}

void code_runs_put(struct code_runs *runs, upatch_addr_t addr,
		   const uint8_t *bytes, size_t len)
{
	const struct code_run *run = run_at(runs, addr);

	memcpy(run->wanted + (addr - run->addr), bytes, len);
}

static bool is_changed(const struct code_run *run)
{
	return memcmp(run->wanted, run->found, run->len) != 0;
}

static bool is_as_found(const struct code_run *run, const struct memory *memory)
{
	uint8_t now[2 * PAGE_LEN];

	return memory_read_some(memory, run->addr, now, run->len) == run->len &&
	       !memcmp(now, run->found, run->len);
}

static void undo(const struct code_runs *runs, size_t count,
		 const struct memory *memory, struct upatch_error *err)
{
	struct upatch_error problem;

	for (size_t i = count; i-- > 0;) {
		const struct code_run *run = &runs->runs[i];

		if (!is_changed(run) || is_as_found(run, memory) ||
		    !memory_write(memory, run->addr, run->found, run->len,
				  &problem))
			continue;
		error_append(err, "%s", problem.message);
		if (err)
			err->code = UPATCH_ERROR_TARGET_DAMAGED;
	}
}

/* The run that failed can have been written in part. */
int code_runs_write(const struct code_runs *runs, const struct memory *memory,
		    struct upatch_error *err)
{
	for (size_t i = 0; i < runs->count; i++) {
		const struct code_run *run = &runs->runs[i];
		int ret;

		if (!is_changed(run))
			continue;
		ret = memory_write(memory, run->addr, run->wanted, run->len,
				   err);
		if (!ret)
			continue;
		undo(runs, i + 1, memory, err);
		return err ? err->code : ret;
	}
	return 0;
}
