/* SPDX-License-Identifier: MIT */
/* Whether a patch file is one that its target may be given. */
#ifndef UPATCH_TRUST_H
#define UPATCH_TRUST_H

#include "patch_file.h"
#include "signature.h"

/*
 * Refuses a file that others can change, unless options->allow_writable, and
 * one without a valid signature, where the options or the system ask for one.
 * pid 0: for no target in particular.  ret_signer->name is "" where no
 * signature was asked for.
 */
UPATCH_MUST_CHECK int trust_check(const struct upatch_patch_file *file,
				  pid_t pid,
				  const struct upatch_options *options,
				  struct signer *ret_signer,
				  struct upatch_error *err);

#endif
