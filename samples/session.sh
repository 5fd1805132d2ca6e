# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the test scripts of the samples: builds, starts a program, and checks
# what it prints, line by line.  Needs UPATCHCTL; CC and CFLAGS as usual.
set -euo pipefail

samples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${UPATCHCTL:?names the upatchctl to use}"
line_limit_s=30
work=$(mktemp -d "${TMPDIR:-/tmp}/upatch-sample-XXXXXX")
program_pid=

end_session()
{
	[ -z "$program_pid" ] || kill "$program_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap end_session EXIT

fail() # TEXT
{
	printf '%s: %s\n' "$0" "$1" >&2
	exit 1
}

# Installed, or beside these samples.
patch_flags()
{
	pkg-config --cflags upatch 2>/dev/null ||
		printf -- '-I%s/../include' "$samples"
}

build_program() # SOURCE NAME
{
	${CC:-cc} -O2 -Wall "$1" -pthread -o "$work/$2"
}

build_library() # SOURCE NAME FLAG...
{
	${CC:-cc} -shared -fPIC -O2 -Wall "$1" -pthread "${@:3}" -o "$work/$2"
}

# The line that every README gives.
build_patch() # SOURCE NAME FLAG...
{
	# shellcheck disable=SC2046
	${CC:-cc} -shared -fPIC -O2 "${@:3}" "$1" $(patch_flags) -o "$work/$2"
}

# A port that nobody listens on; two sessions can run at once.
free_port()
{
	local port
	for _ in {1..100}; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
		printf '%s\n' "$port"
		return
	done
	fail "no port is free"
}

start() # NAME ARGUMENT...
{
	mkfifo "$work/lines"
	"$work/$1" "${@:2}" >"$work/lines" &
	program_pid=$!
	exec {lines}<"$work/lines"
}

# The program prints TEXT, after lines that were on their way.
see() # TEXT
{
	local line end=$((SECONDS + line_limit_s))
	while [ "$SECONDS" -lt "$end" ] &&
		read -r -t "$line_limit_s" -u "$lines" line; do
		[ "$line" != "$1" ] || return 0
	done
	fail "the program does not print '$1'"
}

# COUNT lines like PATTERN, whatever is between; `seen` is the last one.
see_like() # PATTERN COUNT
{
	local count=0 end=$((SECONDS + line_limit_s))
	while [ "$count" -lt "$2" ]; do
		if [ "$SECONDS" -ge "$end" ] ||
			! read -r -t "$line_limit_s" -u "$lines" seen; then
			fail "the program does not print '$1'"
		fi
		# shellcheck disable=SC2053
		[[ $seen != $1 ]] || count=$((count + 1))
	done
}

# From now on it prints nothing else.
see_only() # TEXT
{
	local line
	see "$1"
	for _ in 1 2 3; do
		read -r -t "$line_limit_s" -u "$lines" line ||
			fail "the program prints nothing more"
		[ "$line" = "$1" ] || fail "'$line' in place of '$1'"
	done
}

expect_status() # STATUS COMMAND...
{
	local status=0
	"${@:2}" || status=$?
	[ "$status" = "$1" ] || fail "${*:2}: exit status $status, not $1"
}
