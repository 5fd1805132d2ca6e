/* SPDX-License-Identifier: MIT */
/* The frame of a shield, which both halves of it know: see shield.c. */
#ifndef UPATCH_X86_64_SHIELD_LAYOUT_H
#define UPATCH_X86_64_SHIELD_LAYOUT_H

/* Words of the frame, from rbp. */
#define SHIELD_ARGS    16
#define SHIELD_RESTORE (-8)
#define SHIELD_NEW     (-16)
/* Kept registers follow. */
#define SHIELD_KEPT (-16)

/* From the runtime's entry: the one for arguments that nobody has counted. */
#define SHIELD_COPY_OFFSET 16
/* How much of them is copied, if the stack has as much. */
#define SHIELD_ARGS_GUESS 1024

#endif
