#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_exports.sh LIBRARY MAP INCLUDE_DIR COMPILER...
# The library exports what its map names, and the map names every UPATCH_API
# function of upatch.h: no more, no less.
set -euo pipefail
library=$1
map=$2
include_dir=$3
shift 3

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
	sed 's/@.*//' | sort)
mapped=$(grep -o 'upatch_[a-z_]*;' "$map" | tr -d ';' | sort)
declared=$(printf '#include <upatch/upatch.h>\n' |
	"$@" -x c -E -P -DUPATCH_BUILDING_LIBRARY -I "$include_dir" - |
	tr '\n' ' ' | tr ';' '\n' | grep -F 'visibility("default")' |
	grep -o 'upatch_[a-z_]* *(' | tr -d ' (' | sort)

status=0
compare() # EXPECTED ACTUAL TEXT
{
	local difference
	difference=$(diff <(echo "$1") <(echo "$2")) && return
	printf '%s:\n%s\n' "$3" "$difference"
	status=1
}
compare "$declared" "$mapped" 'upatch.h (<) and the map (>) differ'
compare "$mapped" "$exported" 'the map (<) and the library (>) differ'
exit $status
