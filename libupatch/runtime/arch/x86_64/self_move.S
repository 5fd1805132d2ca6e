/* SPDX-License-Identifier: MIT */
/*
 * Where a gate goes when the thread may move itself: rax has the gate's words,
 * its own value is on the stack.  Every register is as the caller left it when
 * the function that was chosen begins, as callers may rely on more than the
 * calling convention promises.
 *
 *	return address of the call    <- rsp of the chosen function
 *	rax of the caller, then the chosen function
 *	rcx … r11, rbp
 */
	.text
	.globl	upatch_self_move
	.hidden	upatch_self_move
	.type	upatch_self_move, @function
	.balign	64
upatch_self_move:
	.cfi_startproc
	.cfi_def_cfa %rsp, 16
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbp, -24
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	/* Such a caller may also have left the stack misaligned. */
	and	$-16, %rsp
	mov	%rax, %rdi
	lea	16(%rbp), %rsi
	cld
	call	self_move_choose
	xchg	%rax, 8(%rbp)
	lea	-64(%rbp), %rsp
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbp
	.cfi_def_cfa %rsp, 16
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	upatch_self_move, . - upatch_self_move

	.section .note.GNU-stack, "", @progbits
