/* SPDX-License-Identifier: MIT */
/*
 * What a seccomp filter does with a system call of which not every argument
 * is known: classic BPF as seccomp(2) restricts it, all ways through it.
 */
#ifndef UPATCH_SECCOMP_PROGRAM_H
#define UPATCH_SECCOMP_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/* BPF_MAXINSNS of linux/bpf_common.h: the longest that the kernel takes. */
#define SECCOMP_PROGRAM_MAX 4096

struct seccomp_call {
	uint32_t arch; /* AUDIT_ARCH_… of linux/audit.h */
	uint32_t nr;
	uint64_t args[6];
	/* bit n: args[n] is this value; else it can be any */
	uint8_t known;
};

/*
 * The action (SECCOMP_RET_…, with the error number of SECCOMP_RET_ERRNO) that
 * permits least among those that the program can return.  A program that the
 * kernel would not take, or one too intricate to follow, kills.
 */
uint32_t seccomp_program_judge(const struct sock_filter *insns, size_t count,
			       const struct seccomp_call *call);

/* Of two actions the one that permits less, which the kernel then takes. */
uint32_t seccomp_action_stricter(uint32_t a, uint32_t b);

#endif
