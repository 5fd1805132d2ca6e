/* SPDX-License-Identifier: MIT */
/* Error codes, their texts, and the composition of messages. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

int error_set(struct upatch_error *err, enum upatch_error_code code,
	      int saved_errno, const char *format, ...)
{
	va_list args;
	int len;

	if (!err)
		return code;
	err->code = code;
	err->saved_errno = saved_errno;
	va_start(args, format);
	len = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	if (saved_errno != 0 && (size_t)len < sizeof(err->message))
		snprintf(err->message + len, sizeof(err->message) - (size_t)len,
			 ": %s", strerror(saved_errno));
	return code;
}

void error_prefix(struct upatch_error *err, const char *format, ...)
{
	char message[UPATCH_ERROR_MESSAGE_SIZE];
	va_list args;
	int len;

	if (!err)
		return;
	memcpy(message, err->message, sizeof(message));
	va_start(args, format);
	len = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(err->message))
		snprintf(err->message + len, sizeof(err->message) - (size_t)len,
			 ": %s", message);
}

void error_append(struct upatch_error *err, const char *format, ...)
{
	va_list args;
	size_t len;

	if (!err)
		return;
	len = strlen(err->message);
	if (len + 2 >= sizeof(err->message))
		return;
	memcpy(err->message + len, "; ", 3);
	va_start(args, format);
	vsnprintf(err->message + len + 2, sizeof(err->message) - len - 2,
		  format, args);
	va_end(args);
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
