/* SPDX-License-Identifier: MIT */
/*
 * Ed25519 keys in PEM files, as `openssl genpkey -algorithm ed25519` and
 * `openssl pkey -pubout` write them (RFC 7468, RFC 8410).
 */
#ifndef UPATCH_KEY_FILE_H
#define UPATCH_KEY_FILE_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct public_key {
	uint8_t bytes[crypto_sign_PUBLICKEYBYTES];
};

/* Every public key of the file; at least one.  Free *ret_keys. */
UPATCH_MUST_CHECK int key_file_read_public(const char *path,
					   struct public_key **ret_keys,
					   size_t *ret_count,
					   struct upatch_error *err);

/* The one private key of the file, not encrypted; to be wiped after use. */
UPATCH_MUST_CHECK int
key_file_read_secret(const char *path,
		     uint8_t ret_secret[crypto_sign_SECRETKEYBYTES],
		     struct upatch_error *err);

#endif
