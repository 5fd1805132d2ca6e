/* SPDX-License-Identifier: MIT */
/*
 * Where the programs under test are: the environment decides (UPATCHCTL,
 * UPATCH_VICTIMS, UPATCH_PATCHES), else the build that the test belongs to.
 */
#ifndef SUPPORT_PATHS_H
#define SUPPORT_PATHS_H

/* The last eight strings are valid. */
const char *path_of_upatchctl(void);
/*
 * One whose stack check looks for nothing, UPATCHCTL_UNCHECKED.  It is told
 * where the runtime is by UPATCH_RUNTIME, preset: path_of_runtime().
 */
const char *path_of_unchecked_upatchctl(void);
const char *path_of_runtime(void);
/* Kills a command at one of its system calls: kill_at.c. */
const char *path_of_kill_at(void);
/* A program or library of tests/support. */
const char *path_of_support(const char *name);
const char *path_of_victim(const char *name);
/* `name` without ".so". */
const char *path_of_patch(const char *name);

/* How often a test repeats: UPATCH_CYCLES, else `preset`. */
unsigned int cycle_count(unsigned int preset);

#endif
