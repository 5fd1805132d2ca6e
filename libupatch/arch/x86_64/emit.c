/* SPDX-License-Identifier: MIT */
/* Writes instruction bytes into a buffer, for the address they will run at. */
#include "emit.h"

#include <inttypes.h>
#include <string.h>

void emitter_init(struct emitter *emitter, uint8_t *buf, size_t size,
		  upatch_addr_t addr)
{
	memset(emitter, 0, sizeof(*emitter));
	emitter->buf = buf;
	emitter->size = size;
	emitter->addr = addr;
}

int emitter_check(const struct emitter *emitter, struct upatch_error *err)
{
	if (emitter->has_unreachable)
		return error_set(err, UPATCH_ERROR_MISMATCH, 0,
				 "cannot reach 0x%" PRIx64 " from 0x%" PRIx64
				 ": more than 2 GiB apart",
				 emitter->unreachable, emitter->addr);
	if (emitter->full)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "cannot place code at 0x%" PRIx64
				 ": more than %zu bytes",
				 emitter->addr, emitter->size);
	return 0;
}

void emit_bytes(struct emitter *emitter, const void *bytes, size_t len)
{
	if (emitter->full || len > emitter->size - emitter->len) {
		emitter->full = true;
		return;
	}
	memcpy(emitter->buf + emitter->len, bytes, len);
	emitter->len += len;
}

void emit_byte(struct emitter *emitter, uint8_t byte)
{
	emit_bytes(emitter, &byte, 1);
}

void emit_u32(struct emitter *emitter, uint32_t value)
{
	emit_bytes(emitter, &value, sizeof(value));
}

void emit_u64(struct emitter *emitter, uint64_t value)
{
	emit_bytes(emitter, &value, sizeof(value));
}

void emit_rel32(struct emitter *emitter, upatch_addr_t target, size_t behind)
{
	upatch_addr_t next = emitter->addr + emitter->len + 4 + behind;
	int64_t distance = (int64_t)(target - next);

	if (distance != (int32_t)distance && !emitter->has_unreachable) {
		emitter->has_unreachable = true;
		emitter->unreachable = target;
	}
	emit_u32(emitter, (uint32_t)distance);
}

void emit_jump(struct emitter *emitter, upatch_addr_t target)
{
	emit_byte(emitter, 0xe9);
	emit_rel32(emitter, target, 0);
}

void emit_jump_indirect(struct emitter *emitter, upatch_addr_t word)
{
	static const uint8_t opcode[] = { 0xff, 0x25 };

	emit_bytes(emitter, opcode, sizeof(opcode));
	emit_rel32(emitter, word, 0);
}

void emit_padding(struct emitter *emitter, size_t end)
{
	while (emitter->len < end && !emitter->full)
		emit_byte(emitter, 0xcc);
}
