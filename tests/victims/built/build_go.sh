#!/bin/sh
# SPDX-License-Identifier: MIT
# build_go.sh OUTPUT SOURCE CGO_ENABLED: with a cache of its own.
set -e
command -v go >/dev/null || {
	echo 'go: command not found' >&2
	exit 1
}
cache=$(mktemp -d)
trap 'chmod -R u+w "$cache"; rm -rf "$cache"' EXIT
GOCACHE=$cache GOPATH=$cache GO111MODULE=off CGO_ENABLED=$3 \
	go build -o "$1" "$2"
