/* SPDX-License-Identifier: MIT */
/* The words for the constants of upatch.h. */
#include "names.h"

const char *names_direction(enum upatch_direction direction)
{
	switch (direction) {
	case UPATCH_PATCHING:
		return "patching";
	case UPATCH_UNPATCHING:
		return "unpatching";
	}
	return "unknown";
}

const char *names_state(enum upatch_patch_state state)
{
	switch (state) {
	case UPATCH_PATCH_PATCHING:
		return "patching";
	case UPATCH_PATCH_ENABLED:
		return "enabled";
	case UPATCH_PATCH_UNPATCHING:
		return "unpatching";
	}
	return "unknown";
}

const char *names_code(enum upatch_error_code code)
{
	switch (code) {
#define CODE_NAME(name, number, exit_status, text)                             \
	case UPATCH_ERROR_##name:                                              \
		return #name;
		UPATCH_ERRORS(CODE_NAME)
#undef CODE_NAME
	case UPATCH_OK:
		return "OK";
	}
	return "UNKNOWN";
}
