/* SPDX-License-Identifier: MIT */
/* Reading Ed25519 keys out of PEM files. */
#include "key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A key takes about 120 bytes; a file may hold many, and remarks. */
#define FILE_LEN_MAX 65536

/*
 * RFC 8410: for Ed25519 the DER around the key is always the same, but for
 * private keys with attributes, which nobody writes.
 */
static const uint8_t public_prefix[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
					 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const uint8_t secret_prefix[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
					 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
					 0x04, 0x22, 0x04, 0x20 };

struct pem_kind {
	const char *begin;
	const uint8_t *prefix;
	size_t prefix_len;
};

static const struct pem_kind public_kind = {
	"-----BEGIN PUBLIC KEY-----",
	public_prefix,
	sizeof(public_prefix),
};
static const struct pem_kind secret_kind = {
	"-----BEGIN PRIVATE KEY-----",
	secret_prefix,
	sizeof(secret_prefix),
};

static int read_text(const char *path, char **ret_text,
		     struct upatch_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text;
	ssize_t len;

	if (fd < 0)
		return error_set(err, error_code_of_errno(errno), errno,
				 "cannot open key file '%s'", path);
	text = malloc(FILE_LEN_MAX + 1);
	if (!text) {
		close(fd);
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for key file '%s'", path);
	}
	len = read(fd, text, FILE_LEN_MAX);
	if (len < 0) {
		int saved_errno = errno;

		close(fd);
		free(text);
		return error_set(err, error_code_of_errno(saved_errno),
				 saved_errno, "cannot read key file '%s'",
				 path);
	}
	close(fd);
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

/* False: what follows is no Ed25519 key. */
static bool decode(const char *body, const struct pem_kind *kind,
		   uint8_t ret_key[32])
{
	uint8_t der[128];
	size_t len = 0;
	const char *end = NULL;
	bool is_key;

	/* Stops at the dash that begins the last line. */
	if (sodium_base642bin(der, sizeof(der), body, strlen(body), " \t\r\n",
			      &len, &end, sodium_base64_VARIANT_ORIGINAL) ||
	    strncmp(end, "-----END", 8) != 0)
		return false;
	is_key = len == kind->prefix_len + 32 &&
		 memcmp(der, kind->prefix, kind->prefix_len) == 0;
	if (is_key)
		memcpy(ret_key, der + kind->prefix_len, 32);
	sodium_memzero(der, sizeof(der));
	return is_key;
}

static int refuse(const char *path, const char *why, struct upatch_error *err)
{
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0, "key file '%s' %s",
			 path, why);
}

static int add_key(const char *body, const char *path, struct public_key **keys,
		   size_t *count, struct upatch_error *err)
{
	struct public_key *more = realloc(*keys, (*count + 1) * sizeof(*more));

	if (!more)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "no memory for key file '%s'", path);
	*keys = more;
	if (!decode(body, &public_kind, more[*count].bytes))
		return refuse(path, "has a key that is not of Ed25519", err);
	(*count)++;
	return 0;
}

int key_file_read_public(const char *path, struct public_key **ret_keys,
			 size_t *ret_count, struct upatch_error *err)
{
	struct public_key *keys = NULL;
	size_t count = 0;
	char *text, *at;
	int ret = read_text(path, &text, err);

	if (ret)
		return ret;
	at = text;
	while (!ret && (at = strstr(at, public_kind.begin))) {
		at += strlen(public_kind.begin);
		ret = add_key(at, path, &keys, &count, err);
	}
	if (!ret && !count)
		ret = refuse(path, "has no public key (PEM)", err);
	free(text);
	if (ret) {
		free(keys);
		return ret;
	}
	*ret_keys = keys;
	*ret_count = count;
	return 0;
}

static int parse_secret(const char *text, const char *path, uint8_t *ret_seed,
			struct upatch_error *err)
{
	const char *at = strstr(text, secret_kind.begin);

	if (!at && strstr(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----"))
		return refuse(
			path,
			"is encrypted; openssl pkeyutl -sign -rawin signs with it",
			err);
	if (!at)
		return refuse(path, "has no private key (PEM)", err);
	if (!decode(at + strlen(secret_kind.begin), &secret_kind, ret_seed))
		return refuse(path, "has a key that is not of Ed25519", err);
	return 0;
}

int key_file_read_secret(const char *path,
			 uint8_t ret_secret[crypto_sign_SECRETKEYBYTES],
			 struct upatch_error *err)
{
	uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	char *text;
	int ret = read_text(path, &text, err);

	if (ret)
		return ret;
	ret = parse_secret(text, path, seed, err);
	sodium_memzero(text, strlen(text));
	free(text);
	if (!ret && crypto_sign_seed_keypair(public, ret_secret, seed))
		ret = refuse(path, "has a key that does not work", err);
	sodium_memzero(seed, sizeof(seed));
	return ret;
}
