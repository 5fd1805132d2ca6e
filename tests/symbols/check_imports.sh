#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_imports.sh RUNTIME
# What is loaded into targets needs libc and the loader, nothing else.  Prints
# what it imports and the newest glibc that it asks for.
set -euo pipefail
runtime=$1
# Older than any distribution that is still maintained.
newest_allowed=2.26

status=0
while read -r library; do
	case $library in
	libc.so.6 | ld-linux-x86-64.so.2) ;;
	*)
		echo "needs $library"
		status=1
		;;
	esac
done < <(readelf -dW "$runtime" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')

imports=$(nm -D --undefined-only "$runtime" | awk '{ print $NF }' | sort)
echo "$imports"

# A weak reference may stay without a version (__cxa_finalize, _ITM_…).
versions=$(grep -o 'GLIBC_[0-9.]*' <<<"$imports" | sed 's/GLIBC_//' | sort -uV)
newest=$(tail -n 1 <<<"$versions")
echo "newest glibc symbol version: ${newest:-none}"
if [ "$(printf '%s\n' "$newest" "$newest_allowed" | sort -V | tail -n 1)" != "$newest_allowed" ]; then
	echo "newer than $newest_allowed:"
	grep -F "GLIBC_$newest" <<<"$imports"
	status=1
fi
if grep -q GLIBC_PRIVATE <<<"$imports"; then
	echo 'a private symbol of glibc is bound at load time'
	status=1
fi
exit $status
