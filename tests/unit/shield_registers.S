/* SPDX-License-Identifier: MIT */
/*
 * A caller that relies on every register that its callee leaves alone, and a
 * function that keeps no more than the calling convention asks.
 */

#define GENERAL 0
#define OPMASK 128
#define VECTOR 192

	.text

/* Writes rax alone, as `int f(void) { return 7; }` does. */
	.globl	shield_leaf
	.type	shield_leaf, @function
	.balign	16
shield_leaf:
	.cfi_startproc
	mov	$7, %eax
	ret
	.cfi_endproc
	.size	shield_leaf, . - shield_leaf

	.macro	load_xmm n
	movups	VECTOR + \n * 64(%rbx), %xmm\n
	.endm
	.macro	load_ymm n
	vmovups	VECTOR + \n * 64(%rbx), %ymm\n
	.endm
	.macro	load_zmm n
	vmovups	VECTOR + \n * 64(%rbx), %zmm\n
	.endm
	.macro	store_xmm n
	movups	%xmm\n, VECTOR + \n * 64(%r12)
	.endm
	.macro	store_ymm n
	vmovups	%ymm\n, VECTOR + \n * 64(%r12)
	.endm
	.macro	store_zmm n
	vmovups	%zmm\n, VECTOR + \n * 64(%r12)
	.endm
	.macro	load_opmask n
	kmovq	OPMASK + \n * 8(%rbx), %k\n
	.endm
	.macro	store_opmask n
	kmovq	%k\n, OPMASK + \n * 8(%r12)
	.endm
	.macro	ruin_xmm n
	pcmpeqd	%xmm\n, %xmm\n
	.endm
	.macro	ruin_ymm n
	vpcmpeqd %ymm\n, %ymm\n, %ymm\n
	.endm
	.macro	ruin_zmm n
	vpternlogd $0xff, %zmm\n, %zmm\n, %zmm\n
	.endm
	.macro	ruin_opmask n
	kxnorq	%k\n, %k\n, %k\n
	.endm

	.macro	for_8 operation
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	\operation \n
	.endr
	.endm
	.macro	for_16 operation
	for_8	\operation
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	\operation \n
	.endr
	.endm
	.macro	for_32 operation
	for_16	\operation
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23
	\operation \n
	.endr
	.irp	n, 24, 25, 26, 27, 28, 29, 30, 31
	\operation \n
	.endr
	.endm

	/* The operation of the width that this machine has. */
	.macro	for_vectors operation
	cmpl	$32, shield_width(%rip)
	ja	64f
	je	32f
	for_16	\operation\()_xmm
	jmp	1f
32:
	for_16	\operation\()_ymm
	jmp	1f
64:
	for_32	\operation\()_zmm
	for_8	\operation\()_opmask
1:
	.endm

/*
 * void shield_call_leaf(const struct registers *before,
 *			 struct registers *after, unsigned long misalign)
 * misalign: 0, or 8 to call with a stack that is not aligned.
 */
	.globl	shield_call_leaf
	.type	shield_call_leaf, @function
	.balign	16
shield_call_leaf:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rbx
	.cfi_offset %rbx, -24
	push	%r12
	.cfi_offset %r12, -32
	mov	%rdi, %rbx
	mov	%rsi, %r12
	sub	%rdx, %rsp
	for_vectors load
	mov	GENERAL + 0 * 8(%rbx), %rax
	mov	GENERAL + 1 * 8(%rbx), %rcx
	mov	GENERAL + 2 * 8(%rbx), %rdx
	mov	GENERAL + 6 * 8(%rbx), %rsi
	mov	GENERAL + 7 * 8(%rbx), %rdi
	mov	GENERAL + 8 * 8(%rbx), %r8
	mov	GENERAL + 9 * 8(%rbx), %r9
	mov	GENERAL + 10 * 8(%rbx), %r10
	mov	GENERAL + 11 * 8(%rbx), %r11
	call	shield_leaf
	mov	%rax, GENERAL + 0 * 8(%r12)
	mov	%rcx, GENERAL + 1 * 8(%r12)
	mov	%rdx, GENERAL + 2 * 8(%r12)
	mov	%rsi, GENERAL + 6 * 8(%r12)
	mov	%rdi, GENERAL + 7 * 8(%r12)
	mov	%r8, GENERAL + 8 * 8(%r12)
	mov	%r9, GENERAL + 9 * 8(%r12)
	mov	%r10, GENERAL + 10 * 8(%r12)
	mov	%r11, GENERAL + 11 * 8(%r12)
	for_vectors store
	lea	-16(%rbp), %rsp
	pop	%r12
	pop	%rbx
	pop	%rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	shield_call_leaf, . - shield_call_leaf

/* Crashes if the stack is not aligned; leaves rubbish wherever it may. */
	.globl	shield_ruin_registers
	.type	shield_ruin_registers, @function
	.balign	16
shield_ruin_registers:
	.cfi_startproc
	movaps	-24(%rsp), %xmm0
	for_vectors ruin
	mov	$-1, %rax
	mov	%rax, %rcx
	mov	%rax, %rdx
	mov	%rax, %rsi
	mov	%rax, %rdi
	mov	%rax, %r8
	mov	%rax, %r9
	mov	%rax, %r10
	mov	%rax, %r11
	cmpl	$16, shield_width(%rip)
	je	1f
	vzeroupper
1:	ret
	.cfi_endproc
	.size	shield_ruin_registers, . - shield_ruin_registers

	.section .note.GNU-stack, "", @progbits
