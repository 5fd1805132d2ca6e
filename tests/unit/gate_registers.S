/* SPDX-License-Identifier: MIT */
/*
 * Enters code with chosen registers and records those that arrive behind it.
 * The offsets are those of struct gate_registers in test_gate.c: the sixteen
 * general registers by number, then the flags.
 */
#define RSP   32
#define FLAGS 128

.macro FUNCTION name
	.globl \name
	.hidden \name
	.type \name, @function
\name:
.endm

	.text
/* void gate_call(struct gate_registers *in, struct gate_registers *out,
 *		  uint64_t code);  in->rsp is written, not read. */
FUNCTION gate_call
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsi, recorded(%rip)
	mov %rdx, code(%rip)
	lea -8(%rsp), %rax
	mov %rax, RSP(%rdi)
	push FLAGS(%rdi)
	popf
	mov 0(%rdi), %rax
	mov 8(%rdi), %rcx
	mov 16(%rdi), %rdx
	mov 24(%rdi), %rbx
	mov 40(%rdi), %rbp
	mov 48(%rdi), %rsi
	mov 64(%rdi), %r8
	mov 72(%rdi), %r9
	mov 80(%rdi), %r10
	mov 88(%rdi), %r11
	mov 96(%rdi), %r12
	mov 104(%rdi), %r13
	mov 112(%rdi), %r14
	mov 120(%rdi), %r15
	mov 56(%rdi), %rdi
	call *code(%rip)
	cld
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

FUNCTION gate_reach_first
	movl $1, gate_reached(%rip)
	jmp record

FUNCTION gate_reach_second
	movl $2, gate_reached(%rip)
	jmp record

FUNCTION gate_reach_third
	movl $3, gate_reached(%rip)

/* mov and push leave the flags alone. */
record:
	mov %rax, saved_rax(%rip)
	mov recorded(%rip), %rax
	mov %rsp, RSP(%rax)
	pushf
	pop FLAGS(%rax)
	mov %rcx, 8(%rax)
	mov %rdx, 16(%rax)
	mov %rbx, 24(%rax)
	mov %rbp, 40(%rax)
	mov %rsi, 48(%rax)
	mov %rdi, 56(%rax)
	mov %r8, 64(%rax)
	mov %r9, 72(%rax)
	mov %r10, 80(%rax)
	mov %r11, 88(%rax)
	mov %r12, 96(%rax)
	mov %r13, 104(%rax)
	mov %r14, 112(%rax)
	mov %r15, 120(%rax)
	mov saved_rax(%rip), %rcx
	mov %rcx, 0(%rax)
	ret

	.bss
	.balign 8
recorded:
	.zero 8
code:
	.zero 8
saved_rax:
	.zero 8
	.globl gate_reached
	.hidden gate_reached
gate_reached:
	.zero 4

	.section .note.GNU-stack, "", @progbits
