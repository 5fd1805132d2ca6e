/* SPDX-License-Identifier: MIT */
/* Whatever a file contains, reading it as a patch ends with an answer. */
#include <stdint.h>

#include "patch_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct patch_model *model;
	struct upatch_error err;

	if (patch_model_parse(bytes, len, &model, &err) == 0)
		patch_model_free(model);
	return 0;
}
