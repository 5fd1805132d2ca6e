/* SPDX-License-Identifier: MIT */
/* Ctrl-C asks an operation to end cleanly; a second one kills upatchctl. */
#ifndef UPATCHCTL_INTERRUPT_H
#define UPATCHCTL_INTERRUPT_H

#include <stdbool.h>

/* Until interrupt_fini the first SIGINT, SIGTERM or SIGHUP only asks. */
void interrupt_init(void);
void interrupt_fini(void);

/* For upatch_options.interrupted. */
bool interrupt_is_requested(void *user);

#endif
