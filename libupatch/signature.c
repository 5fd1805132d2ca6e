/* SPDX-License-Identifier: MIT */
/* Signing patch files, and verifying what signed them. */
#include "signature.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_file.h"
#include "patch_file.h"

/* Until the first function that needs it, nothing of the library is set up. */
static int begin(struct upatch_error *err)
{
	if (sodium_init() < 0)
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "libsodium cannot be initialized");
	return 0;
}

/* --- Verifying ---------------------------------------------------------- */

static int read_signature(const char *path,
			  uint8_t ret_signature[crypto_sign_BYTES],
			  struct upatch_error *err)
{
	uint8_t bytes[crypto_sign_BYTES + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t len;
	int saved_errno;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, UPATCH_ERROR_UNTRUSTED, 0,
				 "it has no signature '%s'", path);
	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open signature '%s'", path);
	len = read(fd, bytes, sizeof(bytes));
	saved_errno = errno;
	close(fd);
	if (len < 0)
		return error_set(err, error_code_of_errno(saved_errno),
				 saved_errno, "cannot read signature '%s'",
				 path);
	if (len != crypto_sign_BYTES)
		return error_set(
			err, UPATCH_ERROR_UNTRUSTED, 0,
			"'%s' is no Ed25519 signature: it does not have %u bytes",
			path, crypto_sign_BYTES);
	memcpy(ret_signature, bytes, crypto_sign_BYTES);
	return 0;
}

struct search {
	const void *bytes;
	size_t len;
	uint8_t signature[crypto_sign_BYTES];
	size_t key_count;
	struct signer *signer;
};

/* Sets *ret_found when a key of this file has made the signature. */
static int try_file(struct search *search, const char *path, bool *ret_found,
		    struct upatch_error *err)
{
	const char *slash = strrchr(path, '/');
	struct public_key *keys;
	size_t count;
	int ret = key_file_read_public(path, &keys, &count, err);

	if (ret)
		return ret;
	search->key_count += count;
	for (size_t i = 0; i < count && !*ret_found; i++) {
		if (crypto_sign_verify_detached(search->signature,
						search->bytes, search->len,
						keys[i].bytes))
			continue;
		snprintf(search->signer->name, sizeof(search->signer->name),
			 "%s", slash ? slash + 1 : path);
		*ret_found = true;
	}
	free(keys);
	return 0;
}

static int try_folder(struct search *search, const char *path, bool *ret_found,
		      struct upatch_error *err)
{
	char pattern[4096];
	glob_t files = { 0 };
	int ret = 0;

	if ((size_t)snprintf(pattern, sizeof(pattern), "%s/*.pem", path) >=
	    sizeof(pattern))
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "the name of the folder of keys is too long");
	switch (glob(pattern, GLOB_ERR, NULL, &files)) {
	case 0:
	case GLOB_NOMATCH:
		break;
	default:
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "cannot list the keys in '%s'", path);
	}
	for (size_t i = 0; !ret && !*ret_found && i < files.gl_pathc; i++)
		ret = try_file(search, files.gl_pathv[i], ret_found, err);
	globfree(&files);
	return ret;
}

int signature_verify(const void *bytes, size_t len, const char *signature,
		     const char *keys, struct signer *ret_signer,
		     struct upatch_error *err)
{
	struct search search = {
		.bytes = bytes,
		.len = len,
		.signer = ret_signer,
	};
	bool found = false;
	struct stat stat_keys;
	int ret = begin(err);

	if (!ret)
		ret = read_signature(signature, search.signature, err);
	if (ret)
		return ret;
	if (stat(keys, &stat_keys))
		return error_set(err, UPATCH_ERROR_UNTRUSTED, errno,
				 "cannot find the keys '%s'", keys);
	if (S_ISDIR(stat_keys.st_mode))
		ret = try_folder(&search, keys, &found, err);
	else
		ret = try_file(&search, keys, &found, err);
	if (ret || found)
		return ret;
	if (search.key_count == 1)
		return error_set(
			err, UPATCH_ERROR_UNTRUSTED, 0,
			"its signature '%s' was not made by the key in '%s', or over other bytes",
			signature, keys);
	return error_set(
		err, UPATCH_ERROR_UNTRUSTED, 0,
		"its signature '%s' was made by none of the %zu keys in '%s', or over other bytes",
		signature, search.key_count, keys);
}

/* --- Signing ------------------------------------------------------------ */

/* Under another name first: a reader sees all 64 bytes or the old file. */
static int write_signature(const char *path,
			   const uint8_t signature[crypto_sign_BYTES],
			   struct upatch_error *err)
{
	char fresh[4096];
	int fd, failed, saved_errno;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path) >=
	    sizeof(fresh))
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "the name of the signature is too long");
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot create '%s'", fresh);
	errno = 0;
	failed = write(fd, signature, crypto_sign_BYTES) != crypto_sign_BYTES ||
		 fchmod(fd, 0644);
	failed = close(fd) || failed;
	if (!failed && !rename(fresh, path))
		return 0;
	saved_errno = errno;
	unlink(fresh);
	return error_set(err, error_code_of_errno(saved_errno), saved_errno,
			 "cannot write signature '%s'", path);
}

int upatch_patch_file_sign(const struct upatch_patch_file *file,
			   const char *key_path, const char *signature_path,
			   struct upatch_error *err)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	uint8_t signature[crypto_sign_BYTES];
	const void *bytes;
	size_t len;
	int ret;

	if (!file || !key_path || !signature_path)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no patch file, key or signature is given");
	ret = begin(err);
	if (!ret)
		ret = key_file_read_secret(key_path, secret, err);
	if (ret)
		return ret;
	bytes = patch_file_bytes(file, &len);
	ret = crypto_sign_detached(signature, NULL, bytes, len, secret);
	sodium_memzero(secret, sizeof(secret));
	if (ret)
		return error_set(err, UPATCH_ERROR_SYSTEM, 0,
				 "libsodium cannot sign");
	return write_signature(signature_path, signature, err);
}
