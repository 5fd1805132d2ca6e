/* SPDX-License-Identifier: MIT */
/* All gates, and the words that say which version each leads to. */
#ifndef UPATCH_RUNTIME_GATE_H
#define UPATCH_RUNTIME_GATE_H

#include "runtime.h"

/* The function as it was: its first instructions lie behind its gate. */
uint64_t gate_original(const struct rt_site *site);

/*
 * Told for each gate: its site, the first version that it serves (NULL: the
 * original alone), where it is, and its words.
 */
typedef void gate_visitor(void *user, const struct rt_site *site,
			  const struct rt_func *func, rt_addr_t code,
			  struct rt_gate_words *words);
/* Not those of the loader's functions, which serve hooks. */
void gate_for_each(gate_visitor *visit, void *user);
/* Brings the words of all gates in line with the state and transition. */
void gate_update_words(void);

#endif
