/* SPDX-License-Identifier: MIT */
/*
 * What all victims share: they die with the test, say "ready", read commands
 * line by line and answer each with a line.
 */
#ifndef VICTIMS_VICTIM_H
#define VICTIMS_VICTIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A function that a patch replaces: it has to be called, not inlined, copied
 * or evaluated by the compiler.  noipa also keeps gcc from relying on which
 * registers it leaves alone; tests/victims/caller_regs.c is where that is
 * wanted.
 */
#if defined(__clang__)
#define REPLACED __attribute__((noinline, used))
#else
#define REPLACED __attribute__((noipa, used))
#endif

/* Asks to be killed when the test dies. */
void victim_init(void);
/* Writes one line at once, without stdio. */
__attribute__((format(printf, 1, 2))) void victim_say(const char *format, ...);
/*
 * Waits in read(2) for the next command; false at the end of stdin.  Waiting
 * in stdio would hold a lock of libc.
 */
bool victim_next_command(char *line, size_t size);
/* The protocol goes on over copies of its descriptors. */
void victim_move_to(int in_fd, int out_fd);
/* Ends the program with a message; for what cannot happen. */
__attribute__((noreturn)) void victim_die(const char *what);
/* CLOCK_MONOTONIC, in nanoseconds. */
unsigned long victim_now_ns(void);

#ifdef __cplusplus
}
#endif

#endif
