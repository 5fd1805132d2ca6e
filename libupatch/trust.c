/* SPDX-License-Identifier: MIT */
/* Whether a patch file is one that its target may be given. */
#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tasks.h"
#include "writers.h"

/* Its mere existence asks for a signature of each patch. */
#define REQUIRE_FILE UPATCH_POLICY_DIR "/require-signature"
#define SYSTEM_KEYS  UPATCH_POLICY_DIR "/keys"

static int check_writers(const struct upatch_patch_file *file, pid_t pid,
			 struct upatch_error *err)
{
	uid_t owner = 0;
	int ret;

	if (pid && !tasks_owner(pid, &owner))
		return error_set(err, UPATCH_ERROR_NO_TARGET, 0,
				 "process %d ended", pid);
	ret = writers_check(upatch_patch_file_info(file)->path,
			    patch_file_stat(file), patch_file_trail(file),
			    owner, err);
	if (ret == UPATCH_ERROR_UNTRUSTED)
		error_append(err, "--allow-writable takes it all the same");
	return ret;
}

/* What cannot be looked at is taken to be there. */
static bool system_requires_signature(void)
{
	return access(REQUIRE_FILE, F_OK) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

/* The system's setting would be none if a caller could bring his own keys. */
static int choose_keys(const struct upatch_options *options,
		       const char **ret_keys, struct upatch_error *err)
{
	if (options->keys && strcmp(options->keys, SYSTEM_KEYS) != 0 &&
	    system_requires_signature())
		return error_set(
			err, UPATCH_ERROR_UNTRUSTED, 0,
			"'%s' exists, so only the keys in '%s' count, not '%s'",
			REQUIRE_FILE, SYSTEM_KEYS, options->keys);
	*ret_keys = options->keys ? options->keys : SYSTEM_KEYS;
	return 0;
}

static int check_signature(const struct upatch_patch_file *file,
			   const struct upatch_options *options,
			   struct signer *ret_signer, struct upatch_error *err)
{
	const char *signature = options->signature;
	char beside[4096 + 8];
	const char *keys;
	const void *bytes;
	size_t len;
	int ret = choose_keys(options, &keys, err);

	if (ret)
		return ret;
	if (!signature) {
		snprintf(beside, sizeof(beside), "%s.sig",
			 upatch_patch_file_info(file)->path);
		signature = beside;
	}
	bytes = patch_file_bytes(file, &len);
	return signature_verify(bytes, len, signature, keys, ret_signer, err);
}

int trust_check(const struct upatch_patch_file *file, pid_t pid,
		const struct upatch_options *options, struct signer *ret_signer,
		struct upatch_error *err)
{
	int ret = 0;

	ret_signer->name[0] = '\0';
	if (!options->allow_writable)
		ret = check_writers(file, pid, err);
	if (!ret && (options->require_signature || options->signature ||
		     options->keys || system_requires_signature()))
		ret = check_signature(file, options, ret_signer, err);
	if (ret)
		error_prefix(err, "patch file '%s'",
			     upatch_patch_file_info(file)->path);
	return ret;
}

int upatch_patch_file_trust(const struct upatch_patch_file *file,
			    const struct upatch_target *target,
			    const struct upatch_options *options,
			    struct upatch_error *err)
{
	const struct upatch_options defaults = UPATCH_OPTIONS_INIT;
	struct signer signer;

	if (!file)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no patch file is given");
	return trust_check(file, target ? upatch_target_pid(target) : 0,
			   options ? options : &defaults, &signer, err);
}
