/* SPDX-License-Identifier: MIT */
/* Writes instruction bytes into a buffer, for the address they will run at. */
#ifndef UPATCH_X86_64_EMIT_H
#define UPATCH_X86_64_EMIT_H

#include "../arch.h"

/* The first failure sticks: one look at the end, by emitter_check, will do. */
struct emitter {
	uint8_t *buf;
	size_t size, len;
	upatch_addr_t addr; /* of buf[0] when it runs */
	bool full;
	bool has_unreachable;
	upatch_addr_t unreachable;
};

void emitter_init(struct emitter *emitter, uint8_t *buf, size_t size,
		  upatch_addr_t addr);
/* 0, or what is wrong: too little room, or an address out of reach. */
UPATCH_MUST_CHECK int emitter_check(const struct emitter *emitter,
				    struct upatch_error *err);

void emit_bytes(struct emitter *emitter, const void *bytes, size_t len);
void emit_byte(struct emitter *emitter, uint8_t byte);
void emit_u32(struct emitter *emitter, uint32_t value);
void emit_u64(struct emitter *emitter, uint64_t value);
/*
 * A 32-bit distance to `target`, from the end of the instruction: `behind`
 * bytes of it (immediates) follow the distance.
 */
void emit_rel32(struct emitter *emitter, upatch_addr_t target, size_t behind);
/* jmp target */
void emit_jump(struct emitter *emitter, upatch_addr_t target);
/* jmp *word(%rip) */
void emit_jump_indirect(struct emitter *emitter, upatch_addr_t word);
/* int3 up to offset `end` */
void emit_padding(struct emitter *emitter, size_t end);

#endif
