/* SPDX-License-Identifier: MIT */
/*
 * Names come from processes and files that the operator need not trust: on a
 * terminal they must not move the cursor, and in a line not end it.
 */
#ifndef UPATCHCTL_PRINTABLE_H
#define UPATCHCTL_PRINTABLE_H

#include <stdio.h>

/* Control characters, those of UTF-8 included, are written as \xNN. */
void printable_put(FILE *out, const char *text);
/* The same between quotes: they and backslashes get a backslash before. */
void printable_put_quoted(FILE *out, const char *text);

#endif
