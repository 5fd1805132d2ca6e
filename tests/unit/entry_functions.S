/* SPDX-License-Identifier: MIT */
/*
 * Functions whose first instructions are not simply copied, and a table of
 * them: struct entry_function in test_original.c.  Each is
 *	long f(long a, long b, const struct callees *callees, callee_fn *callee)
 */

	.section .data.rel.ro, "aw", @progbits
	.balign 8
	.globl entry_functions
	.hidden entry_functions
entry_functions:

.macro FUNCTION name
	.text
	.balign 16
	.type \name, @function
\name:
	.cfi_startproc
.endm

.macro END name
	.cfi_endproc
.L\name\()_end:
	.size \name, . - \name
	.section .rodata
.L\name\()_name:
	.asciz "\name"
	.section .data.rel.ro
	.quad .L\name\()_name, \name, .L\name\()_end - \name
.endm

FUNCTION rip_load
	mov number(%rip), %rax
	add %rdi, %rax
	ret
END rip_load

FUNCTION rip_load_before_immediate
	cmpl $42, number(%rip)
	sete %al
	movzbl %al, %eax
	ret
END rip_load_before_immediate

FUNCTION rip_load_with_operand_size_prefix
	movdqa vector(%rip), %xmm0
	movq %xmm0, %rax
	ret
END rip_load_with_operand_size_prefix

FUNCTION rip_store
	mov %rdi, scratch(%rip)
	mov scratch(%rip), %rax
	ret
END rip_store

FUNCTION rip_address_behind_endbr64
	endbr64
	lea number(%rip), %rax
	ret
END rip_address_behind_endbr64

FUNCTION short_conditions
	test %edi, %edi
	js 1f
	jz 2f
	lea (%rdi, %rsi), %rax
	ret
1:	mov %rsi, %rax
	ret
2:	mov $-7, %rax
	ret
END short_conditions

FUNCTION near_condition
	test %rdi, %rdi
	{disp32} jg 1f
	mov %rsi, %rax
	ret
1:	sub %rsi, %rdi
	mov %rdi, %rax
	ret
END near_condition

/* The flags of the moved compare decide behind the jump. */
FUNCTION flags_live_across
	cmp %rsi, %rdi
	mov %edi, %eax
	jl 1f
	setc %al
	movzbl %al, %eax
	ret
1:	sbb %rax, %rax
	ret
END flags_live_across

FUNCTION short_jump
	jmp 1f
	nop
	nop
	nop
1:	mov %rdi, %rax
	ret
END short_jump

FUNCTION counted_loop
	mov %rsi, %rcx
	loop 1f
	mov %rdi, %rax
	ret
1:	mov %rcx, %rax
	ret
END counted_loop

FUNCTION counted_loop_while_equal
	cmp %edi, %esi
	loope 1f
	nop
	mov %rdi, %rax
	ret
1:	lea 5(%rcx), %rax
	ret
END counted_loop_while_equal

FUNCTION count_is_zero
	mov %rsi, %rcx
	jrcxz 1f
	mov %rdi, %rax
	ret
1:	mov $-3, %rax
	ret
END count_is_zero

FUNCTION narrow_count_is_zero
	mov %rsi, %rcx
	jecxz 1f
	mov %rdi, %rax
	ret
1:	mov $-3, %rax
	ret
END narrow_count_is_zero

FUNCTION forward_branch_to_moved
	loop 1f
	nop
1:	shl $2, %edi
	lea (%rdi, %rsi), %rax
	ret
END forward_branch_to_moved

FUNCTION backward_branch_to_moved
	nop
1:	shr %esi
	jnz 1b
	lea (%rdi, %rsi), %rax
	ret
END backward_branch_to_moved

FUNCTION return_among_moved
	mov %edi, %eax
	ret
	nop
	nop
	nop
END return_among_moved

FUNCTION red_zone
	mov %rdi, -8(%rsp)
	mov %rsi, -16(%rsp)
	mov -8(%rsp), %rax
	sub -16(%rsp), %rax
	ret
END red_zone

FUNCTION patchable_nops
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	mov %rsi, %rax
	ret
END patchable_nops

FUNCTION tail_jump
	{disp32} jmp rip_load
END tail_jump

FUNCTION tail_jump_through_word
	jmp *rip_load_word(%rip)
END tail_jump_through_word

FUNCTION tail_jump_through_register
	mov %rcx, %rax
	notrack jmp *%rax
END tail_jump_through_register

FUNCTION call_first
	call own_return_address
	ret
END call_first

FUNCTION call_behind_prologue
	push %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	call own_return_address
	pop %rbp
	.cfi_def_cfa %rsp, 8
	ret
END call_behind_prologue

FUNCTION call_relaxed_by_ld
	.byte 0x67
	call own_return_address
	ret
END call_relaxed_by_ld

FUNCTION call_through_word
	call *own_return_address_word(%rip)
	ret
END call_through_word

FUNCTION call_through_register
	nop
	mov %rcx, %r8
	call *%rcx
	ret
END call_through_register

FUNCTION call_through_extended_register
	mov %rcx, %r11
	call *%r11
	ret
END call_through_extended_register

FUNCTION call_through_table
	nop
	nop
	call *8(%rdx)
	ret
END call_through_table

FUNCTION call_through_indexed_table
	and $1, %esi
	call *(%rdx, %rsi, 8)
	ret
END call_through_indexed_table

/* A callee that takes its arguments from where the caller left them. */
FUNCTION call_with_stack_argument
	push %rdi
	.cfi_adjust_cfa_offset 8
	call 1f
	pop %rdi
	.cfi_adjust_cfa_offset -8
	add %rdi, %rax
	ret
1:	mov 8(%rsp), %rax
	ret
END call_with_stack_argument

FUNCTION call_next_to_get_rip
	call 1f
1:	pop %rax
	ret
END call_next_to_get_rip

FUNCTION call_that_unwinds
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call record_backtrace
	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
END call_that_unwinds

FUNCTION call_through_word_that_unwinds
	push %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	call *record_backtrace_word(%rip)
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
END call_through_word_that_unwinds

	.section .data.rel.ro
	.quad 0, 0, 0

	.text
	.globl own_return_address
	.hidden own_return_address
	.type own_return_address, @function
own_return_address:
	.cfi_startproc
	mov (%rsp), %rax
	ret
	.cfi_endproc
	.size own_return_address, . - own_return_address

	.section .data.rel.ro
own_return_address_word:
	.quad own_return_address
record_backtrace_word:
	.quad record_backtrace
rip_load_word:
	.quad rip_load

	.section .rodata
	.balign 16
vector:
	.quad 0x1122334455667788, 0
number:
	.quad 42

	.bss
	.balign 8
scratch:
	.zero 8

	.section .note.GNU-stack, "", @progbits
