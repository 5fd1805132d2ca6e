/* SPDX-License-Identifier: MIT */
/* x86-64: the general registers of a stopped thread. */
#include "../regs.h"

#include <string.h>

upatch_addr_t arch_regs_pc(const struct arch_regs *regs)
{
	return regs->user.rip;
}

void arch_regs_set_pc(struct arch_regs *regs, upatch_addr_t pc)
{
	regs->user.rip = pc;
}

upatch_addr_t arch_regs_sp(const struct arch_regs *regs)
{
	return regs->user.rsp;
}

void arch_regs_set_sp(struct arch_regs *regs, upatch_addr_t sp)
{
	regs->user.rsp = sp;
}

upatch_addr_t arch_regs_thread_pointer(const struct arch_regs *regs)
{
	return regs->user.fs_base;
}

void arch_regs_general(const struct arch_regs *regs,
		       uint64_t ret_values[ARCH_GENERAL_COUNT])
{
	const struct user_regs_struct *user = &regs->user;
	const uint64_t values[ARCH_GENERAL_COUNT] = {
		user->rax, user->rdx, user->rcx, user->rbx, user->rsi,
		user->rdi, user->rbp, user->r8,	 user->r9,  user->r10,
		user->r11, user->r12, user->r13, user->r14, user->r15,
	};

	memcpy(ret_values, values, sizeof(values));
}

bool arch_regs_dwarf(const struct arch_regs *regs, unsigned int number,
		     uint64_t *ret_value)
{
	const struct user_regs_struct *user = &regs->user;
	/* in the order of the psABI, figure "DWARF Register Number Mapping" */
	const uint64_t values[] = {
		user->rax, user->rdx, user->rcx, user->rbx, user->rsi,
		user->rdi, user->rbp, user->rsp, user->r8,  user->r9,
		user->r10, user->r11, user->r12, user->r13, user->r14,
		user->r15, user->rip,
	};

	if (number >= sizeof(values) / sizeof(values[0]))
		return false;
	*ret_value = values[number];
	return true;
}
