/* SPDX-License-Identifier: MIT */
/*
 * The stub that loads the runtime (../stub.h).  The signal frame that it
 * returns to restores every register, so it uses them freely:
 *
 *	rbp params   r14 scratch   r15 the thread's own stack pointer
 *	rbx step     r12 value     r13 text of dlerror; before, the memfd
 */
#include <sys/syscall.h>

#include "../../host_report.h"
#include "../stub.h"

#define PROT_READ_WRITE 3
#define SIG_SETMASK 2
#define SIGSET_LEN 8
#define MFD_CLOEXEC 1
#define RTLD_NOW_GLOBAL 0x102

	.section .rodata
	.globl	arch_stub_begin
	.hidden	arch_stub_begin
	.globl	arch_stub_end
	.hidden	arch_stub_end

arch_stub_begin:
	mov	%rdi, %rbp
	xor	%r13d, %r13d

	/*
	 * The controller has blocked them already, unless it was killed right
	 * before; the frame has the thread's own mask.
	 */
	mov	$SYS_rt_sigprocmask, %eax
	mov	$SIG_SETMASK, %edi
	lea	STUB_SIGMASK(%rbp), %rsi
	xor	%edx, %edx
	mov	$SIGSET_LEN, %r10d
	syscall

	/* What is called below changes it; where it is, and what it is. */
	call	*STUB_ERRNO(%rbp)
	push	%rax
	mov	(%rax), %eax
	push	%rax
	mov	%rsp, %r15

	/* A thread's own stack may be too small for the loader. */
	mov	$STUB_STACK, %ebx
	mov	STUB_SCRATCH(%rbp), %r14
	mov	$SYS_mprotect, %eax
	mov	%r14, %rdi
	mov	STUB_SCRATCH_LEN(%rbp), %rsi
	mov	$PROT_READ_WRITE, %edx
	syscall
	mov	%rax, %r12
	test	%rax, %rax
	js	.Lunmap_image
	mov	%r14, %rax
	add	STUB_SCRATCH_LEN(%rbp), %rax
	mov	%rax, %rsp

	mov	$STUB_MEMFD, %ebx
	mov	$SYS_memfd_create, %eax
	lea	STUB_MEMFD_NAME(%rbp), %rdi
	mov	$MFD_CLOEXEC, %esi
	syscall
	mov	%rax, %r12
	test	%rax, %rax
	js	.Lunmap_image
	mov	%eax, %r13d

	mov	$STUB_WRITE, %ebx
	push	STUB_IMAGE(%rbp)
	push	STUB_IMAGE_LEN(%rbp)
.Lwrite:
	mov	$SYS_write, %eax
	mov	%r13d, %edi
	mov	8(%rsp), %rsi
	mov	(%rsp), %rdx
	syscall
	mov	%rax, %r12
	test	%rax, %rax
	jle	.Lclose_failed
	add	%rax, 8(%rsp)
	sub	%rax, (%rsp)
	jnz	.Lwrite
	mov	$SYS_munmap, %eax
	mov	STUB_IMAGE(%rbp), %rdi
	mov	STUB_IMAGE_LEN(%rbp), %rsi
	syscall

	/* The path: the folder's name and the number, in the scratch area. */
	mov	%r14, %rdi
	lea	STUB_FD_FOLDER(%rbp), %rsi
.Lcopy:
	lodsb
	stosb
	test	%al, %al
	jnz	.Lcopy
	dec	%rdi
	mov	%r13d, %eax
	mov	$10, %esi
	xor	%ecx, %ecx
.Ldigit:
	xor	%edx, %edx
	div	%esi
	add	$'0', %edx
	push	%rdx
	inc	%ecx
	test	%eax, %eax
	jnz	.Ldigit
.Lstore:
	pop	%rax
	stosb
	dec	%ecx
	jnz	.Lstore
	movb	$0, (%rdi)

	mov	$STUB_DLOPEN_FAILED, %ebx
	mov	%r14, %rdi
	mov	$RTLD_NOW_GLOBAL, %esi
	call	*STUB_DLOPEN(%rbp)
	mov	%rax, %r12
	mov	$SYS_close, %eax
	mov	%r13d, %edi
	syscall
	xor	%r13d, %r13d
	test	%r12, %r12
	jz	.Ltell

	mov	$STUB_DLSYM_FAILED, %ebx
	mov	%r12, %rdi
	lea	STUB_START_NAME(%rbp), %rsi
	call	*STUB_DLSYM(%rbp)
	test	%rax, %rax
	jz	.Ltell
	/* It may be taken back inside. */
	mov	(%r15), %edx
	mov	8(%r15), %rcx
	mov	%edx, (%rcx)
	mov	STUB_REPORT(%rbp), %rdi
	call	*%rax
	movslq	%eax, %r12
	xor	%ebx, %ebx
	jmp	.Lunmap_scratch

.Ltell:
	call	*STUB_DLERROR(%rbp)
	mov	%rax, %r13
	xor	%r12d, %r12d
	jmp	.Lunmap_scratch

.Lclose_failed:
	mov	$SYS_close, %eax
	mov	%r13d, %edi
	syscall
	xor	%r13d, %r13d
.Lunmap_image:
	mov	$SYS_munmap, %eax
	mov	STUB_IMAGE(%rbp), %rdi
	mov	STUB_IMAGE_LEN(%rbp), %rsi
	syscall

.Lunmap_scratch:
	mov	%r15, %rsp
	mov	$SYS_munmap, %eax
	mov	%r14, %rdi
	mov	STUB_SCRATCH_LEN(%rbp), %rsi
	syscall
	pop	%rax
	pop	%rcx
	mov	%eax, (%rcx)

	/* The agent runs already: the controller is dead, or has let it go. */
	test	%ebx, %ebx
	jnz	.Lreport
	test	%r12, %r12
	jns	.Lreturn

.Lreport:
	mov	STUB_REPORT(%rbp), %rdx
	mov	%rbx, HOST_REPORT_STEP(%rdx)
	mov	%r12, HOST_REPORT_VALUE(%rdx)
	mov	%r13, HOST_REPORT_TEXT(%rdx)
	movq	$HOST_FAILED, HOST_REPORT_STATE(%rdx)
	mov	$HOST_FAILED_ROUNDS, %ecx
.Lwait:
	pause
	dec	%ecx
	jnz	.Lwait
	movq	$HOST_LEAVES, HOST_REPORT_STATE(%rdx)
.Lreturn:
	ret
arch_stub_end:

	.section .note.GNU-stack, "", @progbits
