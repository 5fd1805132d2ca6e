/* SPDX-License-Identifier: MIT */
/*
 * Where the gates of the loader's functions lead (hooks.c).  The functions are
 * called from other units, by the calling convention: general registers that
 * can hold arguments are kept, then the original goes on.
 */
	.macro	hook name, handler, original
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.balign	16
\name:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%r8
	push	%r9
	push	%r10
	push	%rax
	and	$-16, %rsp
	call	\handler
	lea	-64(%rbp), %rsp
	pop	%rax
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rbp
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	jmp	*\original(%rip)
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.text
	hook upatch_hook_debug_state, hooks_on_debug_state, hooks_original_debug_state
	hook upatch_hook_catch_exception, hooks_on_catch_exception, hooks_original_catch_exception

	.section .note.GNU-stack, "", @progbits
