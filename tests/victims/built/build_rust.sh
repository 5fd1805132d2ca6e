#!/bin/sh
# SPDX-License-Identifier: MIT
# build_rust.sh OUTPUT SOURCE PATCH_SOURCE INCLUDE: the victim, and OUTPUT.so,
# the patch for the name that the compiler has given to its function.
set -e
output=$1
rustc=/usr/bin/rustc
[ -x $rustc ] || rustc=rustc
command -v $rustc >/dev/null || {
	echo 'rustc: command not found' >&2
	exit 1
}
# "C-unwind" is a feature before Rust 1.81.
RUSTC_BOOTSTRAP=1 $rustc -O --edition 2021 -A stable_features -o "$output" "$2"
name=$(nm "$output" | awk '/ [tT] .*mangled/ { print $3 }')
cc -O2 -shared -fPIC -fexceptions -I "$4" "-DMANGLED=\"$name\"" \
	-o "$output.so" "$3"
