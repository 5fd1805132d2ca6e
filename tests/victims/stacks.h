/* SPDX-License-Identifier: MIT */
/*
 * The part of the victim `stacks` that is compiled without unwind tables.
 */
#ifndef VICTIMS_STACKS_H
#define VICTIMS_STACKS_H

/* Calls inside(), in a frame that no table describes. */
void stacks_bridge(void (*inside)(void));

#endif
