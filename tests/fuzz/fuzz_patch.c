/* SPDX-License-Identifier: MIT */
/*
 * Whatever a file contains, reading it as a patch ends with a model that
 * keeps its promises, or with a message of one line.
 */
#include <stdint.h>
#include <stdlib.h>

#include "patch_touch.h"

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
