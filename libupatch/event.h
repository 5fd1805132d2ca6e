/* SPDX-License-Identifier: MIT */
/* The names of callbacks and phases, as the log has them. */
#ifndef UPATCH_EVENT_H
#define UPATCH_EVENT_H

#include <stdint.h>

/* "pre_patch" …, by enum rt_callback; "?" for others. */
const char *event_callback_name(uint32_t callback);
/* "live" …, by enum upatch_object_phase; "?" for others. */
const char *event_phase_name(uint32_t phase);

#endif
