#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_header.sh INCLUDE_DIR HEADER COMPILER...
# A public header compiles alone and without warnings; for patch.h, so does a
# patch that uses its macros.
set -euo pipefail
include_dir=$1
header=$2
shift 2

source_text="#include <upatch/$header>"
if [ "$header" = patch.h ]; then
	source_text+='
static int new_f(void) { return 1; }
static struct upatch_func funcs[] = {
	{ "f", __extension__(void *)&new_f, 0, false, NULL },
	{ NULL, NULL, 0, false, NULL },
};
static struct upatch_object objects[] = {
	{ NULL, NULL, funcs, NULL, { NULL, NULL, NULL, NULL }, NULL },
	UPATCH_OBJECT_END
};
static struct upatch_patch fix = { "fix", NULL, objects, NULL, false, false };
UPATCH_PATCH(fix);'
fi

"$@" -Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only \
	-I "$include_dir" - <<<"$source_text"
