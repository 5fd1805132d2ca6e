#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh OUTPUT COMMAND...: builds a victim.  Where the compiler, the linker
# or an option of theirs is not there, OUTPUT says so and cannot be executed:
# the test reads it.
output=$1
shift
missing='command not found|unrecognized|unknown|unsupported|invalid linker name|cannot find'

rm -f "$output"
message=$("$@" 2>&1) && exit 0
status=$?
command -v "$1" >/dev/null || message="$1: command not found"
if ! echo "$message" | grep -qE "$missing"; then
	echo "$message" >&2
	exit $status
fi
echo "$message" | grep -E "$missing" | head -n 1 >"$output"
