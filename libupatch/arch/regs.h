/* SPDX-License-Identifier: MIT */
/* The general registers of a stopped thread. */
#ifndef UPATCH_REGS_H
#define UPATCH_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include "../addr.h"

struct arch_regs {
	struct user_regs_struct user;
};

upatch_addr_t arch_regs_pc(const struct arch_regs *regs);
void arch_regs_set_pc(struct arch_regs *regs, upatch_addr_t pc);
upatch_addr_t arch_regs_sp(const struct arch_regs *regs);
void arch_regs_set_sp(struct arch_regs *regs, upatch_addr_t sp);
/* The thread control block of glibc begins here. */
upatch_addr_t arch_regs_thread_pointer(const struct arch_regs *regs);

/* Registers that code can compute with; neither pc nor sp. */
#define ARCH_GENERAL_COUNT 15
void arch_regs_general(const struct arch_regs *regs,
		       uint64_t ret_values[ARCH_GENERAL_COUNT]);

/* The DWARF number of the frame pointer (psABI, "DWARF Register Number"). */
#define ARCH_DWARF_FRAME_POINTER 6
/* False: unwind tables know no such register, or its value is not known. */
bool arch_regs_dwarf(const struct arch_regs *regs, unsigned int number,
		     uint64_t *ret_value);

#endif
