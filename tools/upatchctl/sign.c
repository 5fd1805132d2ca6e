/* SPDX-License-Identifier: MIT */
/* upatchctl sign: make the detached signature of a patch. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "libupatch/error.h"
#include "printable.h"

/* Beside the patch, where apply looks for it.  Freed by the caller. */
static char *preset_path(const struct upatch_patch_file *file)
{
	char *path;

	if (asprintf(&path, "%s.sig", upatch_patch_file_info(file)->path) < 0)
		return NULL;
	return path;
}

static int sign(const struct upatch_patch_file *file,
		const struct arguments *arguments, const struct report *report,
		struct upatch_error *err)
{
	char *beside = NULL;
	const char *path = arguments->signature;
	int code;

	if (!path)
		path = beside = preset_path(file);
	if (!path)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "out of memory");
	code = upatch_patch_file_sign(file, arguments->key, path, err);
	if (code == 0)
		code = report_signature(report, upatch_patch_file_info(file),
					path, err);
	free(beside);
	return code;
}

static int sign_run(const struct arguments *arguments,
		    const struct report *report, struct upatch_error *err)
{
	struct upatch_patch_file *file;
	int code;

	if (!arguments->key)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "sign needs --key FILE");
	code = upatch_patch_file_open(arguments->operands[0], &file, err);
	if (code != 0)
		return code;
	code = sign(file, arguments, report, err);
	upatch_patch_file_close(file);
	return code;
}

const struct command sign_command = {
	.name = "sign",
	.operands = "PATCH.so --key FILE",
	.summary = "sign a patch",
	.description =
		"Write the Ed25519 signature of PATCH.so to PATCH.so.sig, or to the file that\n"
		"--signature names.  The private key is a PEM file without a password, as\n"
		"`openssl genpkey -algorithm ed25519` makes it.",
	.example = "upatchctl sign fix.so --key secret.pem",
	.options = OPTION_KEY | OPTION_SIGNATURE,
	.min_operands = 1,
	.max_operands = 1,
	.run = sign_run,
};
