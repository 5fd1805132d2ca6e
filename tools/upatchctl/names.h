/* SPDX-License-Identifier: MIT */
/* The words for the constants of upatch.h, the same in text and in JSON. */
#ifndef UPATCHCTL_NAMES_H
#define UPATCHCTL_NAMES_H

#include <upatch/upatch.h>

const char *names_direction(enum upatch_direction direction);
const char *names_state(enum upatch_patch_state state);
/* "MISMATCH" for UPATCH_ERROR_MISMATCH. */
const char *names_code(enum upatch_error_code code);

#endif
