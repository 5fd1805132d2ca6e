/* SPDX-License-Identifier: MIT */
/* Error codes and their texts. */
#include "error.h"

#include <errno.h>

const char *upatch_error_text(enum upatch_error_code code)
{
	switch (code) {
#define ERROR_TEXT(name, number, exit_status, text)                            \
	case UPATCH_ERROR_##name:                                              \
		return text;
		UPATCH_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
	case UPATCH_OK:
		return "no error";
	}
	return "unknown error";
}

int upatch_error_exit_status(enum upatch_error_code code)
{
	switch (code) {
#define ERROR_EXIT(name, number, exit_status, text)                            \
	case UPATCH_ERROR_##name:                                              \
		return exit_status;
		UPATCH_ERRORS(ERROR_EXIT)
#undef ERROR_EXIT
	case UPATCH_OK:
		return 0;
	}
	return 1;
}

enum upatch_error_code error_code_of_errno(int saved_errno)
{
	switch (saved_errno) {
	case EPERM:
	case EACCES:
		return UPATCH_ERROR_PERMISSION;
	case ESRCH:
		return UPATCH_ERROR_NO_TARGET;
	case EAGAIN:
		return UPATCH_ERROR_BUSY;
	case ENOMEM:
		return UPATCH_ERROR_NO_MEMORY;
	default:
		return UPATCH_ERROR_SYSTEM;
	}
}
