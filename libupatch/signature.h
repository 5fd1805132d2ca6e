/* SPDX-License-Identifier: MIT */
/*
 * Detached Ed25519 signatures: the 64 bytes of RFC 8032 over the whole patch
 * file, in a file of their own.
 */
#ifndef UPATCH_SIGNATURE_H
#define UPATCH_SIGNATURE_H

#include <stddef.h>

#include "error.h"

/* The file that verified a patch, for messages and the audit line. */
struct signer {
	char name[64];
};

/*
 * Whether the signature in the file `signature` is one of the `len` bytes by
 * a key in `keys`, which is a key file or a folder of *.pem files.  No:
 * UPATCH_ERROR_UNTRUSTED.
 */
UPATCH_MUST_CHECK int signature_verify(const void *bytes, size_t len,
				       const char *signature, const char *keys,
				       struct signer *ret_signer,
				       struct upatch_error *err);

#endif
