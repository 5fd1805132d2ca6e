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
#define TRAP 0xcc

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

	/* Here and below, rax, rcx, rsi and rdi are in the frame, r11 is free. */
	.org	upatch_shield_common + SHIELD_COPY, TRAP
.Lcopy:
	sub	%r11, %rsp
	and	$-16, %rsp
	lea	SHIELD_ARGS(%rbp), %rsi
	mov	%rsp, %rdi
	mov	%r11, %rcx
	shr	$3, %rcx
	rep movsq
	mov	SHIELD_RAX(%rbp), %rax
	mov	SHIELD_RCX(%rbp), %rcx
	mov	SHIELD_RSI(%rbp), %rsi
	mov	SHIELD_RDI(%rbp), %rdi
	jmp	upatch_shield_common

	/*
	 * A page that is readable at one place is so throughout.  Whether the
	 * next one is, the kernel tells without a fault: rt_sigprocmask reads
	 * the set before it finds that there is no such operation.
	 */
	.org	upatch_shield_common + SHIELD_GUESS, TRAP
	cmp	$SHIELD_ARGS_GUESS, %r11
	jae	.Lcopy
	lea	SHIELD_ARGS(%rbp), %rsi
	mov	%esi, %ecx
	neg	%ecx
	and	$(PAGE_LEN - 1), %ecx
	cmp	$SHIELD_ARGS_GUESS, %ecx
	jae	1f
	add	%rcx, %rsi
	cmp	%rcx, %r11
	cmovb	%rcx, %r11
	push	%rdx
	push	%r10
	push	%r11
	mov	$-1, %edi
	xor	%edx, %edx
	mov	$SIGSET_LEN, %r10d
	mov	$SYS_rt_sigprocmask, %eax
	syscall
	pop	%r11
	pop	%r10
	pop	%rdx
	cmp	$-EINVAL, %eax
	jne	.Lcopy
1:	mov	$SHIELD_ARGS_GUESS, %r11d
	jmp	.Lcopy
	.cfi_endproc
	.size	upatch_shield_common, . - upatch_shield_common
	.globl	upatch_shield_common_end
	.hidden	upatch_shield_common_end
upatch_shield_common_end:

	.section .note.GNU-stack, "", @progbits
