/* SPDX-License-Identifier: MIT */
/*
 * The surroundings that the victim of that name can put itself into.
 */
#ifndef VICTIMS_SURROUNDINGS_H
#define VICTIMS_SURROUNDINGS_H

#include <stdbool.h>

/* Each fails by ending the program. */
struct surrounding {
	const char *name;
	void (*enter)(const char *arg);
};

/* False: the input has ended. */
bool surroundings_answer_one(void);
/* Until there is one. */
void surroundings_spin_for_command(void);
/* Says "ready" and answers until the end of its input. */
void surroundings_answer(void);
/* The same, and ends the program. */
__attribute__((noreturn)) void surroundings_serve(void);
/* For the answer to "pid". */
void surroundings_note_number(void);
/* This machine cannot have the surrounding; errno says why. */
void surroundings_lack(const char *what);

/* surround_filters.c, surround_groups.c, surround_limits.c, surround_memory.c, surround_roots.c,
 * surround_threads.c; each ends with an entry without name.
 */
extern const struct surrounding surround_filters[];
extern const struct surrounding surround_groups[];
extern const struct surrounding surround_limits[];
extern const struct surrounding surround_memory[];
extern const struct surrounding surround_roots[];
extern const struct surrounding surround_threads[];

#endif
