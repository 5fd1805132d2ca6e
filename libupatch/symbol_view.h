/* SPDX-License-Identifier: MIT */
/* What the parts of symbols.h share. */
#ifndef UPATCH_SYMBOL_VIEW_H
#define UPATCH_SYMBOL_VIEW_H

#include "symbols.h"

/* An entry of the table's index as it is in the process. */
void symbol_view(const struct symbol_table *table, uint32_t number,
		 struct symbol *ret_symbol);

#endif
