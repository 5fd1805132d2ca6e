/* SPDX-License-Identifier: MIT */
/*
 * The half of every shield that is on the stack while the new function runs,
 * so the one that unwinders must know; see libupatch/arch/x86_64/shield.c for
 * the frame, which stands in rbp when execution comes here.
 */
#include <asm/errno.h>
#include <sys/syscall.h>

#include "../../../arch/x86_64/shield_layout.h"

#define PAGE_LEN 4096
#define SIGSET_LEN 8

	.text
	.globl	upatch_shield_common
	.hidden	upatch_shield_common
	.type	upatch_shield_common, @function
	.balign	64
upatch_shield_common:
	.cfi_startproc
	.cfi_def_cfa %rbp, SHIELD_ARGS
	.cfi_offset %rbp, -SHIELD_ARGS
	call	*SHIELD_NEW(%rbp)
	jmp	*SHIELD_RESTORE(%rbp)

	/*
	 * The new function may take arguments from the stack, but nobody knows
	 * how many: r11 bytes are there for certain.  A page that is readable
	 * at one place is so throughout; whether the next one is, the kernel
	 * tells without a fault: rt_sigprocmask reads the set before it finds
	 * that there is no such operation.
	 */
	.org	upatch_shield_common + SHIELD_COPY_OFFSET, 0xcc
	cmp	$SHIELD_ARGS_GUESS, %r11
	jae	.Lcopy
	push	%rax
	push	%rcx
	lea	SHIELD_ARGS(%rbp), %rax
	mov	%rax, %rcx
	neg	%rcx
	and	$(PAGE_LEN - 1), %ecx
	cmp	$SHIELD_ARGS_GUESS, %ecx
	jae	.Lguess
	add	%rcx, %rax
	cmp	%rcx, %r11
	cmova	%r11, %rcx
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r10
	push	%rcx
	mov	$-1, %edi
	mov	%rax, %rsi
	xor	%edx, %edx
	mov	$SIGSET_LEN, %r10d
	mov	$SYS_rt_sigprocmask, %eax
	syscall
	pop	%r11
	pop	%r10
	pop	%rdx
	pop	%rsi
	pop	%rdi
	cmp	$-EINVAL, %eax
	jne	.Lcounted
.Lguess:
	mov	$SHIELD_ARGS_GUESS, %r11d
.Lcounted:
	pop	%rcx
	pop	%rax
.Lcopy:
	test	$8, %r11b
	jz	1f
	sub	$8, %rsp
1:	test	%r11, %r11
	jz	upatch_shield_common
2:	push	(SHIELD_ARGS - 8)(%rbp, %r11)
	sub	$8, %r11
	jnz	2b
	jmp	upatch_shield_common
	.cfi_endproc
	.size	upatch_shield_common, . - upatch_shield_common
	.globl	upatch_shield_common_end
	.hidden	upatch_shield_common_end
upatch_shield_common_end:

	.section .note.GNU-stack, "", @progbits
