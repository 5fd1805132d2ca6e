/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for reading a patch.  From the top directory:
 *	clang -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *		-Iinclude -Ilibupatch tests/fuzz/fuzz_patch_file.c \
 *		libupatch/error.c libupatch/patch_*.c \
 *		libupatch/arch/x86_64/patch_reloc.c -lelf -o fuzz_patch_file
 * Start it with a directory of patches as corpus.
 */
#include <stdlib.h>

#include "patch_touch.h"

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct patch_model *model = NULL;
	struct upatch_error err = { 0 };
	int code = patch_model_parse(bytes, len, &model, &err);

	if (code == 0) {
		if (touch_model(model))
			abort();
		patch_model_free(model);
	} else if (model || code != (int)err.code || err.message[0] == '\0' ||
		   strchr(err.message, '\n')) {
		abort();
	}
	return 0;
}
