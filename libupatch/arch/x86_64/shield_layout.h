/* SPDX-License-Identifier: MIT */
/* The frame of a shield, which both halves of it know: see shield.c. */
#ifndef UPATCH_X86_64_SHIELD_LAYOUT_H
#define UPATCH_X86_64_SHIELD_LAYOUT_H

/* Words of the frame, from rbp. */
#define SHIELD_ARGS    16
#define SHIELD_RESTORE (-8)
#define SHIELD_NEW     (-16)
/* Only if the runtime copies the arguments, which needs these registers. */
#define SHIELD_RAX (-24)
#define SHIELD_RCX (-32)
#define SHIELD_RSI (-40)
#define SHIELD_RDI (-48)

/*
 * Entries of the runtime's half, from its first one: copy r11 bytes of
 * arguments; copy as many as can be read up to SHIELD_ARGS_GUESS, of which r11
 * are there for certain.
 */
#define SHIELD_COPY  16
#define SHIELD_GUESS 64

#define SHIELD_ARGS_GUESS 1024

#endif
