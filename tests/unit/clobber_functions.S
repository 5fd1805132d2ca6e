/* SPDX-License-Identifier: MIT */
/* What test_clobber.c looks at; never executed. */

	.text

	.macro	function name
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.balign	16
\name:
	.endm
	.macro	end name
	.size	\name, . - \name
	.endm

function leaf_getter
	mov	0x1000(%rip), %eax
	ret
end leaf_getter

function partial_write
	mov	$1, %cl
	ret
end partial_write

function read_only
	test	$4, %al
	test	%rcx, %rdx
	cmp	%rsi, (%rdi)
	push	%r8
	pop	%rax
	ret
end read_only

function sign_extension
	mov	%edi, %eax
	cltd
	ret
end sign_extension

function restores_what_it_saves
	push	%rcx
	push	%rbp
	mov	%rsp, %rbp
	sub	$16, %rsp
	mov	%rdx, -8(%rbp)
	xor	%ecx, %ecx
	xor	%edx, %edx
	mov	-8(%rbp), %rdx
	leave
	pop	%rcx
	ret
end restores_what_it_saves

/* Only on one of two ways. */
function restores_sometimes
	push	%rcx
	xor	%ecx, %ecx
	test	%edi, %edi
	jne	1f
	pop	%rcx
	ret
1:	pop	%rsi
	ret
end restores_sometimes

function system_call
	mov	$39, %eax
	syscall
	ret
end system_call

function calls_helper
	call	helper
	ret
end calls_helper
function helper
	mov	%rdi, %r9
	ret
end helper

function jumps_to_helper
	xor	%r8d, %r8d
	jmp	helper
end jumps_to_helper

function recursive
	test	%edi, %edi
	je	1f
	call	recursive_other
1:	xor	%r10d, %r10d
	ret
end recursive
function recursive_other
	xor	%r11d, %r11d
	dec	%edi
	call	recursive
	ret
end recursive_other

function call_outside
	call	abort@PLT
	ret
end call_outside

function jump_outside
	jmp	abort@PLT
end jump_outside

function calls_something_unknown
	call	call_outside
	ret
end calls_something_unknown

function indirect_call
	call	*8(%rdi)
	ret
end indirect_call

function indirect_tail_call
	mov	8(%rdi), %rax
	jmp	*%rax
end indirect_tail_call

function tail_call_by_got
	jmp	*0x1000(%rip)
end tail_call_by_got

/* A descriptor of thread-local storage: only rax changes. */
function tls_descriptor
	lea	0x1000(%rip), %rax
	call	*(%rax)
	add	%fs:0, %rax
	ret
end tls_descriptor

function switch_in_leaf
	cmp	$2, %edi
	ja	3f
	lea	0x1000(%rip), %rdx
	movslq	(%rdx,%rdi,4), %rax
	add	%rdx, %rax
	jmp	*%rax
	nopw	0(%rax,%rax,1)
1:	xor	%esi, %esi
	ret
	nop
2:	xor	%r8d, %r8d
	jmp	1b
3:	xor	%eax, %eax
	ret
end switch_in_leaf

function switch_that_calls
	jmp	*0x1000(,%rdi,8)
1:	call	abort@PLT
end switch_that_calls

/* Spectre: the call of a thunk that returns to what is in rax. */
function thunk_call
	call	thunk
	ret
end thunk_call
function thunk
	call	1f
	pause
	ud2
1:	mov	%rax, (%rsp)
	ret
end thunk

function pushed_return
	push	%rdi
	ret
end pushed_return

function vectors
	pxor	%xmm3, %xmm3
	vpaddd	%ymm1, %ymm2, %ymm7
	vzeroupper
	ret
end vectors

function wide_vectors
	vpxorq	%zmm20, %zmm20, %zmm20
	kmovw	%eax, %k3
	ret
end wide_vectors

/* Capstone 4.0.2 does not know the second instruction, but where it ends. */
function unknown_to_capstone
	xor	%ecx, %ecx
	vpackssdw (%rdi), %zmm5, %zmm4
	xor	%esi, %esi
	ret
end unknown_to_capstone

function no_instruction
	xor	%ecx, %ecx
	.byte	0x06
	ret
end no_instruction

function runs_over
	xor	%ecx, %ecx
end runs_over

function argument_result
	addl	$1, 0x1000(%rip)
	ret
end argument_result

function vector_result
	sqrtsd	%xmm0, %xmm0
	ret
end vector_result

function vector_used
	movq	%rdi, %xmm0
	movups	%xmm0, (%rsi)
	ret
end vector_used

/* --- Arguments on the stack ------------------------------------------------- */

function no_args
	push	%rbx
	mov	8(%rsp), %rax
	mov	-16(%rsp), %rcx
	pop	%rbx
	ret
end no_args

function two_args
	mov	8(%rsp), %rax
	add	16(%rsp), %eax
	ret
end two_args

function args_by_frame_pointer
	push	%rbp
	mov	%rsp, %rbp
	sub	$64, %rsp
	movups	32(%rbp), %xmm0
	call	abort@PLT
	leave
	ret
end args_by_frame_pointer

function args_of_aligned_frame
	lea	8(%rsp), %r10
	and	$-32, %rsp
	push	-8(%r10)
	push	%rbp
	mov	%rsp, %rbp
	push	%r10
	sub	$40, %rsp
	call	abort@PLT
	mov	-8(%rbp), %r10
	mov	16(%r10), %rax
	add	$40, %rsp
	pop	%r10
	pop	%rbp
	lea	-8(%r10), %rsp
	ret
end args_of_aligned_frame

function args_by_address
	sub	$24, %rsp
	lea	32(%rsp), %rdi
	call	abort@PLT
	add	$24, %rsp
	ret
end args_by_address

function args_of_va_list
	lea	8(%rsp), %rax
	mov	%rax, -16(%rsp)
	ret
end args_of_va_list

function args_in_a_loop
	lea	8(%rsp), %rdx
	xor	%eax, %eax
1:	add	(%rdx), %rax
	add	$8, %rdx
	dec	%edi
	jne	1b
	ret
end args_in_a_loop

function args_by_index
	mov	8(%rsp,%rdi,8), %rax
	ret
end args_by_index

/* A one-byte displacement of two times 64. */
function args_by_evex
	vpaddd	128(%rsp), %zmm1, %zmm1
	ret
end args_by_evex

function args_of_tail_call
	jmp	abort@PLT
end args_of_tail_call

/* -mfunction-return=thunk and thunk-inline */
function return_thunk
	call	1f
2:	pause
	lfence
	jmp	2b
1:	lea	8(%rsp), %rsp
	ret
end return_thunk

function returns_by_thunk
	mov	$1, %cl
	jmp	return_thunk
end returns_by_thunk

function returns_by_inline_thunk
	push	%rbx
	xor	%esi, %esi
	pop	%rbx
	call	1f
2:	pause
	lfence
	jmp	2b
1:	lea	8(%rsp), %rsp
	ret
end returns_by_inline_thunk

	.section .note.GNU-stack, "", @progbits
