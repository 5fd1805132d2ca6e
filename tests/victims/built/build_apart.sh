#!/bin/sh
# SPDX-License-Identifier: MIT
# build_apart.sh OUTPUT COMMAND...: puts what debuggers need into OUTPUT.debug,
# compressed, and strips the victim.
set -e
output=$1
shift
"$@"
objcopy --only-keep-debug --compress-debug-sections "$output" "$output.debug"
strip "$output"
objcopy --add-gnu-debuglink="$output.debug" "$output"
