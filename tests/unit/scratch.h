/* SPDX-License-Identifier: MIT */
/* A directory in which a test compiles and takes apart programs. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <stddef.h>

/* Made on the first call, removed when the test ends. */
const char *scratch_dir(void);
/* "DIR/name", in storage that the next eight calls leave alone. */
const char *scratch_path(const char *name);
void scratch_write(const char *name, const char *text);
/* Runs a shell command in the directory; the test fails unless it exits 0. */
__attribute__((format(printf, 1, 2))) void scratch_run(const char *format, ...);

#endif
